# SPDX-License-Identifier: MIT
"""The visitor's half of a session: who he is, the handshake, and commands with answers.

A command that has no answer is said again under a new number; the tag carries out a
repeated offer, accept or trip only once. docs/access-protocol.md.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import AccessRefused, LinkError, SealtrailError
from sealtrail.radio.link import Link
from sealtrail.radio.refusals import code_name, refusal_of
from sealwire import access, frames, protocol

_TRIES = 3
_REPLY_TIMEOUT_S = protocol.REPLY_TIMEOUT_MS / 1000
_COMMANDS_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class VisitorTicket:
    """What opens one tag for one person. *visit_keys*: newest floor first.

    *holder_key* signs handovers; its public half is named in the ticket.
    """

    tid: bytes
    certificate: bytes = field(repr=False)
    ticket: bytes = field(repr=False)
    ticket_key: bytes = field(repr=False)
    visit_keys: tuple[bytes, ...] = field(repr=False)
    holder_key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of the tag as the session's keys vouch for it."""

    seq: int
    record_hash: bytes


class VisitorSession:
    """One holder's sessions with one tag. Raises AccessRefused, LinkError, DeviceError."""

    def __init__(
        self,
        ticket: VisitorTicket,
        link: Link,
        *,
        random: Callable[[int], bytes] = os.urandom,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ticket = ticket
        self.link = link
        self.ready: access.Ready | None = None
        self.head = Head(-1, b"")
        self.trip = 0  # the open trip's number
        self._random = random
        self._monotonic_s = monotonic_s
        self._from_tag: frames.Sealer | None = None
        self._to_tag: frames.Sealer | None = None
        self._number = 0
        self._next_frame = 0  # of the bulk stream

    # ---- session

    async def connect(self) -> access.Ready:
        """Finds the tag, proves both ends to each other, and returns what the tag grants."""
        self._from_tag = self._to_tag = self.ready = None
        await self.link.connect()
        for visit_key in self.ticket.visit_keys:
            answer, hello = await self._knock(access.Hmac(visit_key))
            if answer[1] != protocol.DOOR or answer[0] != protocol.REFUSE:
                return await self._prove(hello, answer)
        raise refusal_of(protocol.DOOR)

    async def _knock(self, visit: access.Hmac) -> tuple[bytes, bytes]:
        for _ in range(_TRIES):
            hello = access.pack_hello(visit, self._random(16), self.ticket.ticket)
            await self.link.send(hello)
            answer = await self._control((protocol.CHALLENGE, protocol.REFUSE))
            if answer is not None and len(answer) >= 2:
                return answer, hello
        raise LinkError("the tag does not answer", "Go nearer and try again.")

    async def _prove(self, hello: bytes, challenge: bytes) -> access.Ready:
        if challenge[0] == protocol.REFUSE:
            raise refusal_of(challenge[1], int.from_bytes(challenge[2:4], "big"))
        try:
            keys = access.open_challenge(self.ticket.ticket_key, hello, challenge)
        except access.FormError:
            raise AccessRefused(
                "this device cannot prove that it is the ticket's tag",
                "It may be a copy. Do not hand over; have the ticket checked.",
            ) from None
        sealer = frames.Sealer(keys.mac_tag, keys.enc_tag)
        await self.link.send(access.pack_proof(keys))
        answer = await self._control((protocol.REPLY, protocol.REFUSE))
        if answer is None:
            raise LinkError("the tag does not answer", "Go nearer and try again.")
        if answer[0] == protocol.REFUSE:
            raise refusal_of(answer[1], int.from_bytes(answer[2:4], "big"))
        ready = _ready_in(sealer, answer)
        if ready.code != protocol.OK:
            raise refusal_of(ready.code)
        self._from_tag = sealer
        self._to_tag = frames.Sealer(keys.mac_visitor, keys.enc_visitor)
        self._number = self._next_frame = 0
        self.ready = ready
        self.trip = ready.trip
        self.head = Head(ready.head_seq, ready.head_hash)
        return ready

    @property
    def is_connected(self) -> bool:
        """True from READY until the session ends or fails."""
        return self._to_tag is not None

    async def close(self) -> None:
        """Says goodbye, if anybody is there, and drops the link. Never raises."""
        if self.is_connected:
            try:
                await self._say(protocol.BYE, b"")
                await self._control((protocol.REPLY,))
            except SealtrailError:
                pass  # Gone before the goodbye: the tag will notice by itself.
        self._forget_session()
        await self.link.disconnect()

    def _forget_session(self) -> None:
        self._from_tag = self._to_tag = None

    # ---- commands

    async def command(self, op: int, args: bytes = b"") -> bytes:
        """Runs one command; returns its content. Raises what the tag's code stands for."""
        code, content = await self.ask(op, args)
        if code != protocol.OK:
            raise refusal_of(code)
        return content

    async def ask(self, op: int, args: bytes = b"") -> tuple[int, bytes]:
        """Runs one command; returns (code, content), whatever the code says."""
        numbers = set()
        for _ in range(_TRIES):
            numbers.add(await self._say(op, args))
            body = await self._reply(numbers)
            if body is not None and body[0] == op:
                return body[1], body[2:]
        self._forget_session()
        raise LinkError("the tag does not answer", "Go nearer and try again.")

    async def _say(self, op: int, args: bytes) -> int:
        if self._to_tag is None or self._number >= _COMMANDS_MAX:
            raise LinkError("no session with the tag")
        self._number += 1
        frame = self._to_tag.seal(protocol.COMMAND, self._number, bytes((op,)) + args)
        await self.link.send(frame)
        return self._number

    async def _control(self, kinds: tuple[int, ...]) -> bytes | None:
        """The next control message of one of *kinds*; None after 3 seconds."""
        deadline_s = self._monotonic_s() + _REPLY_TIMEOUT_S
        while (left_s := deadline_s - self._monotonic_s()) > 0:
            inbound = await self.link.receive(left_s)
            if inbound is None:
                return None
            if inbound.is_bulk:
                self._skip_bulk(inbound.content)
            elif inbound.content and inbound.content[0] in kinds:
                return inbound.content
        return None

    async def _reply(self, numbers: set[int]) -> bytes | None:
        """The body of the reply to one of the commands *numbers*; None after 3 seconds."""
        for _ in range(_COMMANDS_MAX):
            message = await self._control((protocol.REPLY, protocol.REFUSE))
            if message is None:
                return None
            number, body = self._opened(message)
            if number in numbers:
                return body
        return None

    def _opened(self, message: bytes) -> tuple[int, bytes]:
        if self._from_tag is None:
            raise LinkError("no session with the tag")
        if message[0] == protocol.REFUSE:
            # In clear: anybody could have said it. The session is of no more use.
            self._forget_session()
            raise LinkError(f"the tag closed the session ({code_name(message[1])})", "Try again.")
        try:
            number, body = self._from_tag.open(protocol.REPLY, message)
        except frames.FrameError:
            return -1, b""  # Not from the tag, or damaged: as if it had not come.
        return (number, body) if len(body) >= 2 else (-1, b"")

    def _skip_bulk(self, frame: bytes) -> None:
        """The rest of a stream nobody reads any more; its number is still the last one."""
        if self._from_tag is not None and len(frame) > protocol.BULK_HEAD_SIZE:
            self._next_frame = int.from_bytes(frame[1 : protocol.BULK_HEAD_SIZE], "big") + 1


def _ready_in(sealer: frames.Sealer, answer: bytes) -> access.Ready:
    try:
        number, body = sealer.open(protocol.REPLY, answer)
        if number == 0:
            return access.parse_ready(body)
    except (frames.FrameError, access.FormError):
        pass
    raise LinkError("the tag's answer is damaged", "Try again.")
