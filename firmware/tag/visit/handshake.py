# SPDX-License-Identifier: MIT
"""Who is there: HELLO, PROOF, and the tests of a proved ticket. Ends in a Visitor and READY.

    CLOSED DOOR --HELLO, good door--> CHALLENGED --PROOF, admitted--> a Visitor

Order of the tests is rule T2: length, version, door, form, lock, challenge, proof,
revocation, trip, clock. Before the proof a stranger learns nothing but "door refused".
docs/access-protocol.md is normative.
"""

from sealwire import access, frames, protocol
from sealwire.protocol import BAD_FORM, BAD_STATE, OK

from ..clock import SRC_TICKET
from ..keys.entropy import EntropyError
from ..recording.logspace import FILLING_PERMILLE


class Visitor:
    """Whose ticket opened the session, and the keys of its frames.

    tno, holder (16 B), role, trip (0: any), scope (ticket AND role).
    """

    def __init__(self, ticket, keys, sealer, clock, open_trip):
        self.tno = ticket.tno
        self.holder = ticket.holder
        self.role = ticket.role
        self.trip = ticket.trip
        self.scope = ticket.scope & protocol.ROLE_SCOPE[ticket.role]
        self._exp = ticket.exp
        self._clock = clock
        self._open_trip = open_trip
        self.from_visitor = frames.Sealer(keys.mac_visitor, keys.enc_visitor)
        self.to_visitor = sealer

    def has_expired(self) -> bool:
        """T6: lo > exp, always, also after a reboot."""
        return _has_expired(self._exp, self._clock)

    def is_sure(self) -> bool:
        """T6: hi <= exp. Otherwise the session works, and is marked unsure in the chain."""
        if self._exp == protocol.NO_EXPIRY:
            return True
        hi_ms = self._clock.bounds_ms()[1]
        return hi_ms is not None and hi_ms <= self._exp * 1000

    def is_of_open_trip(self) -> bool:
        """T5: whether the trip that the ticket names, if it names one, is open."""
        return _is_of_open_trip(self.trip, self._open_trip)


def _has_expired(exp, clock) -> bool:
    return exp != protocol.NO_EXPIRY and clock.bounds_ms()[0] > exp * 1000


def _is_of_open_trip(number, trip) -> bool:
    return number == 0 or (trip.is_open and number == trip.number)


class Handshake:
    """Serves one link until `proof` gives a Visitor. Nothing of it outlives the link."""

    def __init__(self, admission, recorder, trip, clock, entropy, key_roll, condition=None):
        self._admission = admission
        self._recorder = recorder
        self._trip = trip
        self._clock = clock
        self._entropy = entropy
        self._key_roll = key_roll
        self._condition = condition  # has is_alarmed; None: nobody knows
        self._challenge = None  # (ticket, keys) between CHALLENGE and PROOF
        self._bad_doors = 0

    @property
    def is_closed(self) -> bool:
        """Whether the link is to be dropped: too many bad doors."""
        return self._bad_doors >= protocol.BAD_DOORS_MAX

    def hello(self, message: bytes) -> bytes:
        """Takes HELLO; returns CHALLENGE or REFUSE. A stranger's costs one HMAC, no flash."""
        self._challenge = None
        admission = self._admission
        if not admission.is_enrolled:
            return frames.pack_refuse(BAD_STATE)
        if len(message) != protocol.HELLO_SIZE:
            return frames.pack_refuse(BAD_FORM)
        if message[1] != protocol.VERSION:
            return frames.pack_refuse(protocol.BAD_VERSION)
        if not access.is_our_door(admission.visit, message):
            self._bad_doors += 1
            return frames.pack_refuse(protocol.DOOR)
        try:
            content = access.open_hello(admission.visit, message).ticket
            ticket = access.parse_ticket(content)
        except access.FormError:
            return frames.pack_refuse(BAD_FORM)
        wait_s = admission.locks.wait_s(ticket.tno)
        if wait_s:
            return frames.pack_refuse(protocol.LOCKED, wait_s)
        nonce = admission.next_nonce(self._random16())
        keys = access.SessionKeys(admission.ticket_key(content), message, nonce)
        self._challenge = (ticket, keys)
        return access.pack_challenge(nonce, keys)

    def _random16(self):
        try:
            return self._entropy.random(protocol.NONCE_SIZE)
        except EntropyError:
            # Boot and session number alone make the nonce unique.
            return bytes(protocol.NONCE_SIZE)

    def proof(self, message: bytes) -> tuple:
        """Takes PROOF. Returns (answer, Visitor), or (answer, None) for who stays outside."""
        if self._challenge is None:
            return frames.pack_refuse(BAD_FORM), None
        ticket, keys = self._challenge
        self._challenge = None  # one try for each challenge
        if not access.is_good_proof(keys, message):
            self._admission.note_failure(ticket.tno)
            return frames.pack_refuse(protocol.BAD_PROOF), None
        sealer = frames.Sealer(keys.mac_tag, keys.enc_tag)
        code = self._admit(ticket)
        if code != OK:
            return sealer.seal(protocol.REPLY, 0, bytes((0, code))), None
        self._admission.locks.forget(ticket.tno)
        visitor = Visitor(ticket, keys, sealer, self._clock, self._trip)
        return sealer.seal(protocol.REPLY, 0, access.pack_ready(self._ready(visitor))), visitor

    def _admit(self, ticket) -> int:
        """The tests of a proved ticket, in the order of T2."""
        if self._admission.is_revoked(ticket):
            return protocol.REVOKED
        self._admission.take_revocations(ticket)
        if not _is_of_open_trip(ticket.trip, self._trip):
            return protocol.WRONG_TRIP
        # C3: a proved ticket was issued, so its nbf has passed.
        self._clock.raise_lower_bound(ticket.nbf * 1000, SRC_TICKET)
        if _has_expired(ticket.exp, self._clock):
            return protocol.EXPIRED
        hi_ms = self._clock.bounds_ms()[1]
        if hi_ms is not None and hi_ms < ticket.nbf * 1000:
            return protocol.NOT_YET
        return OK

    def _ready(self, visitor):
        head_seq, head_hash = self._recorder.head()
        return access.Ready(
            OK,
            visitor.is_sure(),
            visitor.scope,
            self._admission.rev,
            self._trip.number if self._trip.is_open else 0,
            head_seq,
            head_hash,
            self._condition is not None and self._condition.is_alarmed,
            self._recorder.fill_permille >= FILLING_PERMILLE,
            self._recorder.is_refusing,
            self._key_roll.is_lost,
        )
