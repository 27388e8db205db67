# SPDX-License-Identifier: MIT
"""A link between a Visitor and the firmware's own session, in memory, that can go wrong."""

from collections import deque
from collections.abc import Callable

from sealtrail.errors import LinkError
from sealtrail.radio.link import Inbound
from sealtrail.radio.visitor import VisitorTicket
from sealwire import access, protocol
from tests.fakes.access_parts import CERTIFICATE, Person, TagParts, make_ticket

ACCESS_KEY = bytes(range(32))


def ticket_for(person: Person, floors: tuple[int, ...] = (0,), **changes: object) -> VisitorTicket:
    """A visitor's ticket as a wallet would hold it."""
    packed = access.pack_ticket(make_ticket(person.holder, **changes))
    return VisitorTicket(
        tid=access.tid_of(CERTIFICATE),
        certificate=CERTIFICATE,
        ticket=packed,
        ticket_key=access.ticket_key(ACCESS_KEY, packed),
        visit_keys=tuple(access.visit_key(ACCESS_KEY, floor) for floor in floors),
        holder_key=person.key,
    )


class FakeLink:
    """*tag* on the other end. Time passes only while the visitor waits.

    `lose_command(n)` and `lose_frame(n)` say whether the n-th of them is lost; `cut_at`
    ends the link at that bulk frame; `value_size` is one notification's size.
    """

    def __init__(self, tag: TagParts, value_size: int = 244) -> None:
        self.tag = tag
        self.value_size = value_size
        self.session = None
        self.now_s = 0.0
        self.inbox: deque[Inbound] = deque()
        self.lose_command: Callable[[int], bool] = lambda number: False
        self.lose_frame: Callable[[int], bool] = lambda number: False
        self.lose_answer: Callable[[int], bool] = lambda number: False
        self.cut_at: int | None = None
        self.is_reachable = True
        self.connect_count = self.command_count = self.frame_count = self.answer_count = 0

    def monotonic_s(self) -> float:
        return self.now_s

    async def connect(self) -> None:
        self.connect_count += 1
        if not self.is_reachable:
            raise LinkError("not found")
        self.inbox.clear()
        self.session = self.tag.session()

    async def send(self, message: bytes) -> None:
        if self.session is None:
            raise LinkError("not connected")
        assert len(message) <= protocol.MESSAGE_SIZE_MAX
        self.command_count += 1
        if self.lose_command(self.command_count):
            return
        answer = self.session.receive(message)
        if answer is not None:
            self.answer_count += 1
            if not self.lose_answer(self.answer_count):
                self.inbox.append(Inbound(False, answer))

    async def receive(self, timeout_s: float) -> Inbound | None:
        if self.session is None:
            raise LinkError("the link was lost")
        if self.inbox:
            return self.inbox.popleft()
        for _ in range(100):
            frame = self.session.next_bulk(self.value_size)
            if frame is None:
                break
            self.frame_count += 1
            if self.cut_at is not None and self.frame_count > self.cut_at:
                self.cut_at = None
                self.session = None
                raise LinkError("the link was lost")
            if not self.lose_frame(self.frame_count):
                self.now_s += 0.005
                return Inbound(True, frame)
        self.now_s += timeout_s
        return None

    async def disconnect(self) -> None:
        self.session = None
