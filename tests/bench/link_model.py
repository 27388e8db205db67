# SPDX-License-Identifier: MIT
"""The firmware's session and the host's Visitor and store over a model of connection events.

Time is a number: an event each interval carries at most six notifications from the tag and
every write from the host, or is lost as a whole (then nothing is lost but time: the link
layer repeats). The tag's stack holds 12 notifications and takes new ones between events,
as on the virtual radio. The tag's and the host's own time is not in it: the live run of
bench_sync.py has that. A tag of this version agrees to MTU 247 at most: who asks for 517
gets 247, and the cap is that of 247.
"""

import asyncio
import functools
import random
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

from sealtrail.errors import LinkError
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.link import Inbound
from sealtrail.radio.visitor import Visitor
from sealwire import protocol
from sealwire.access import sha256
from tests.fakes.access_parts import Person, TagParts
from tests.fakes.fake_link import CERTIFICATE, ticket_for
from tests.upy.access_sync_pipe import make_record

_INTERVALS_MS, _MTUS, _LOSSES_PERCENT = (7.5, 15, 30), (23, 185, 247, 517), (0, 1, 2, 5)
_PER_EVENT, _STACK_COUNT, _TAG_MTU = 6, 12, 247
_GOAL_SHARE, _GOAL_FROM_MTU = 0.85, 185
_COMMANDS_MAX = 150
_RECORDS_MAX = 1500
_PART_HEAD_SIZE = 1  # the byte before each part of an answer

Entry = dict[str, object]


class EventLink:
    """A link to *tag* whose time passes only while somebody waits."""

    def __init__(self, tag: TagParts, interval_ms: float, mtu: int, loss_percent: int) -> None:
        self._tag, self._interval_s, self._loss_percent = tag, interval_ms / 1000, loss_percent
        self._value_size = min(mtu, _TAG_MTU) - protocol.ATT_HEAD_SIZE
        self._rng = random.Random(f"{interval_ms} {mtu} {loss_percent}")
        self._session: Any = None
        self._writes: deque[bytes] = deque()
        self._stack: deque[Inbound | None] = deque()  # None: a part that is not the last one
        self._arrived: deque[Inbound] = deque()
        self.now_s = self._next_event_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    @property
    def cap(self) -> float:
        """Bytes a second: six full notifications in each event, none lost."""
        return _PER_EVENT * self._value_size / self._interval_s

    @property
    def is_streaming(self) -> bool:
        """Whether records wait to be carried."""
        return any(inbound is not None and inbound.is_bulk for inbound in self._stack)

    async def connect(self) -> None:
        self._session = self._tag.session()

    async def disconnect(self) -> None:
        self._session = None

    async def send(self, message: bytes) -> None:
        if self._session is None:
            raise LinkError("not connected")
        self._writes.append(message)

    async def receive(self, timeout_s: float) -> Inbound | None:
        until_s = self.now_s + timeout_s
        while not self._arrived:
            if self._next_event_s > until_s:
                self.now_s = until_s
                return None
            self.now_s = self._next_event_s
            self._next_event_s += self._interval_s
            if self._rng.randrange(100) >= self._loss_percent:
                self._carry()
        return self._arrived.popleft()

    def _carry(self) -> None:
        self._fill()
        for _ in range(min(_PER_EVENT, len(self._stack))):
            if (inbound := self._stack.popleft()) is not None:
                self._arrived.append(inbound)
        while self._writes:  # the tag answers after this event
            self._fill()  # what the tag had queued before goes first
            answer = self._session.receive(self._writes.popleft())
            if answer is not None:
                parts = -(-len(answer) // (self._value_size - _PART_HEAD_SIZE))
                self._stack += [None] * (parts - 1) + [Inbound(False, answer)]

    def _fill(self) -> None:
        while len(self._stack) < _STACK_COUNT:
            frame = self._session.next_bulk(self._value_size)
            if frame is None:
                return
            self._stack.append(Inbound(True, frame))


@functools.cache
def _whole_chain() -> list[bytes]:
    records: list[bytes] = []
    previous = sha256(CERTIFICATE)
    for seq in range(_RECORDS_MAX):
        records.append(make_record(seq, previous, 213))
        previous = sha256(records[-1])
    return records


def _chain(count: int) -> list[bytes]:
    return _whole_chain()[:count]


def _connected(link_of: tuple[float, int, int], count: int) -> tuple[EventLink, Visitor]:
    tag = TagParts()
    tag.set_clock()
    tag.recorder.unsealed = []
    tag.records.all = _chain(count)
    link = EventLink(tag, *link_of)
    return link, Visitor(ticket_for(Person()), link, monotonic_s=link.monotonic_s)


async def _share(link_of: tuple[float, int, int]) -> tuple[float, float]:
    """(kB/s of records, share of the cap) of one sync."""
    link, visitor = _connected(link_of, 60 if link_of[1] == 23 else 400)
    with (
        tempfile.TemporaryDirectory() as folder,
        EvidenceStore(Path(folder) / "store", CERTIFICATE) as store,
    ):
        await visitor.connect()
        started_s = link.now_s
        await visitor.sync(store)
        goodput = store.record_size / (link.now_s - started_s)
        return goodput / 1000, goodput / link.cap


async def _latencies_ms(link_of: tuple[float, int, int]) -> list[float]:
    """Of STATUS, said again and again while the tag streams at full speed."""
    link, visitor = _connected(link_of, _RECORDS_MAX)
    await visitor.connect()
    await visitor._say(protocol.SYNC, bytes(4) + b"\xff\xff")
    found = []
    await visitor.status()
    while len(found) < _COMMANDS_MAX and link.is_streaming:
        started_s = link.now_s
        await visitor.status()
        found.append(1000 * (link.now_s - started_s))
    return found


def matrix() -> list[Entry]:
    """One row for each interval, MTU and loss."""
    rows: list[Entry] = []
    for interval_ms in _INTERVALS_MS:
        for mtu in _MTUS:
            for loss_percent in _LOSSES_PERCENT:
                kbps, share = asyncio.run(_share((interval_ms, mtu, loss_percent)))
                rows.append(
                    {
                        "interval_ms": interval_ms,
                        "mtu": mtu,
                        "events_lost_percent": loss_percent,
                        "kBps": round(kbps, 1),
                        "share_of_cap": round(share, 3),
                    }
                )
    return rows


def worst_share(rows: list[Entry]) -> float:
    """Of the rows that the goal is for."""
    return min(
        float(str(row["share_of_cap"])) for row in rows if int(str(row["mtu"])) >= _GOAL_FROM_MTU
    )


def entries() -> dict[str, Entry]:
    """The matrix's worst share at a useful MTU, and the latency of commands."""
    rows = matrix()
    worst = worst_share(rows)
    latencies = sorted(
        latency
        for interval_ms in _INTERVALS_MS
        for loss_percent in _LOSSES_PERCENT
        for latency in asyncio.run(_latencies_ms((interval_ms, 247, loss_percent)))
    )
    return {
        "sync.matrix_worst_share": {
            "value": worst,
            "unit": "of the lossless cap; model, 7.5-30 ms, MTU >= 185, 0-5 % of events lost",
            "goal": f">= {_GOAL_SHARE}",
            "reference": "cap: 6 x (MTU - 3) B an interval",
            "reference_value": 1,
            "rows": rows,
        },
        "sync.command_latency_ms_p99": {
            "value": round(latencies[int(0.99 * len(latencies))], 1),
            "unit": f"ms, STATUS in a full stream; model, {len(latencies)} commands, MTU 247",
            "goal": "<= 1000",
            "reference": "an interval of 30 ms there, one back",
            "reference_value": 60,
        },
    }
