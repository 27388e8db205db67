# SPDX-License-Identifier: MIT
"""Cuts the power at every flash operation of a whole trip: journal, records, state together.

The tag is what ships (Recorder, Trip, Storage), on one simulated chip. After each cut, torn
in every way of tests/fakes/nor.py, the tag boots and everything that was acknowledged must
stand in exactly one record of an unbroken chain; the trip must have its events once.
"""

import hashlib

import pytest

from sealwire import cbor, labels, profile
from sealwire.record import parse_record
from tag.clock import Clock
from tag.recording.recorder import Recorder
from tag.recording.trip import Trip
from tag.store.storage import Storage
from tag.visit.pendingoffer import PendingOffer
from tests.fakes import nor
from tests.fakes.clockwork import FakeRTC, FakeUptime
from tests.fakes.tagparts import CERTIFICATE, HostSigner

KEYS_SECTORS, LOG_SECTORS = 6, 20
RULES = profile.encode(profile.build("test", 60, [(1, 0, 0, -15000, 0, 0)], 0, 0, 0))
CUSTODY = cbor.encode([1, b"holder00", b"statement"])
REQUEST = cbor.encode({1: 7, 2: bytes(32), 3: RULES})


class Tag:
    """One life of the tag on *chip*, from power-on, or from a reset that *rtc* outlived."""

    def __init__(self, chip: nor.Nor, rtc: FakeRTC | None = None):
        self.uptime = FakeUptime()
        rtc = rtc or FakeRTC()
        storage = Storage(
            nor.Part(chip, 0, KEYS_SECTORS), nor.Part(chip, KEYS_SECTORS, LOG_SECTORS), rtc
        )
        storage.open()
        clock = Clock(self.uptime, 500, rtc)
        self.recorder = Recorder(
            storage.journal,
            storage.records,
            HostSigner(),
            clock,
            self.uptime,
            lambda code, text: None,
            CERTIFICATE,
            storage.state,
        )
        self.trip = Trip(storage.state, self.recorder)
        self.pending = PendingOffer(storage.state, self.recorder)

    def begin(self):
        self.recorder.begin(1, "0.1.0")
        self.trip.resume()
        self.pending.resume()


def shipment(tag: Tag, acknowledged: list) -> None:
    """A small trip; each thing is appended to *acknowledged* once the tag has promised it."""
    value = 0

    def samples(count):
        nonlocal value
        for _ in range(count):
            tag.uptime.advance(60_000)
            value += 1
            assert tag.recorder.sample(tag.uptime.now_ms(), [value])
            acknowledged.append(("sample", value))

    tag.begin()
    samples(2)
    tag.trip.start(REQUEST)
    acknowledged.append(("trip", 7))
    samples(66)
    tag.pending.seal_offer(b"statement", CUSTODY)
    acknowledged.append(("offer", 1))
    samples(1)
    tag.pending.seal_accept(CUSTODY)
    acknowledged.append(("accept", 1))
    tag.trip.end()
    acknowledged.append(("end", 7))
    samples(1)
    tag.recorder.seal_open_block()


def found_in(tag: Tag) -> tuple[list, str | None]:
    """What the records hold, in order, and what is wrong with the chain."""
    found, prev, boots = [], hashlib.sha256(CERTIFICATE).digest(), []
    names = {labels.EVENT_TRIP: "trip", labels.EVENT_TRIP_END: "end"}
    custody = {labels.EVENT_OFFER: "offer", labels.EVENT_ACCEPT: "accept"}
    for seq, raw in tag.recorder.records.records(0):
        one = parse_record(raw)
        if (one.seq, one.prev) != (seq, prev):
            return found, f"chain broken at {seq}"
        prev = hashlib.sha256(raw).digest()
        boots.append(one.boot)
        entries = [("sample", value) for run in one.runs for value in run[3]]
        entries += [(names[e[1]], 7) for e in one.events if e[1] in names]
        entries += [(custody[e[1]], 1) for e in one.events if e[1] in custody]
        found += entries
    return found, None if boots == sorted(boots) else "boots go back"


def wrong_after(
    memory: bytearray, promised: list, trace: nor.Trace | None, rtc_content: bytes
) -> str | None:
    """Boots twice on *memory*; returns what a verifier or courier would complain about.

    With *rtc_content* it was a reset, not a loss of power: both boots may start warm.
    """
    chip = nor.Nor(KEYS_SECTORS + LOG_SECTORS, bytes(memory))
    rtc = FakeRTC()
    rtc.content = rtc_content
    for life in range(2):
        chip.log = []
        tag = Tag(chip, rtc if rtc_content else None)
        tag.begin()
        tag.recorder.seal_open_block()
        found, wrong = found_in(tag)
        if wrong:
            return f"life {life}: {wrong}"
        if len(set(found)) != len(found):
            return f"life {life}: doubled {sorted(f for f in found if found.count(f) > 1)[:3]}"
        missing = set(promised) - set(found)
        if missing:
            return f"life {life}: lost {sorted(missing)[:3]}"
        samples = sorted(value for what, value in found if what == "sample")
        if samples != list(range(1, len(samples) + 1)):
            return f"life {life}: samples with a hole"
        if tag.trip.is_open != (("trip", 7) in found and ("end", 7) not in found):
            return f"life {life}: the trip is {'open' if tag.trip.is_open else 'closed'}"
        waits = ("offer", 1) in found and ("accept", 1) not in found
        if (tag.pending.signed == b"statement") != waits:
            return f"life {life}: the offer {'is lost' if waits else 'waits for ever'}"
        if tag.recorder.unsealed_count:
            return f"life {life}: {tag.recorder.unsealed_count} entries never sealed"
        if trace is not None:
            trace.settle(chip.memory, chip.log)
    return None if chip.violations == 0 else f"{chip.violations} against NOR physics"


class NotingRTC(FakeRTC):
    """Notes after how many flash operations each content of the memory came."""

    def __init__(self, ops: list):
        super().__init__()
        self.history = [(0, b"")]
        self._ops = ops

    def memory(self, content=None):
        if content is not None:
            self.history.append((len(self._ops), bytes(content)))
        return super().memory(content)

    def at(self, number: int) -> bytes:
        return [content for done, content in self.history if done <= number][-1]


@pytest.mark.parametrize("is_reset", [False, True], ids=["power loss", "reset"])
def test_no_cut_in_a_whole_trip_loses_or_doubles_anything(is_reset):
    chip = nor.Nor(KEYS_SECTORS + LOG_SECTORS)
    chip.log = ops = []
    acknowledged: list = []
    promised_at: list[int] = []

    class Noting(list):
        def append(self, entry):
            super().append(entry)
            promised_at.append(len(ops))

    acknowledged = Noting()
    rtc = NotingRTC(ops)
    shipment(Tag(chip, rtc), acknowledged)
    memory, dice, states, bad = bytearray(b"\xff" * len(chip.memory)), nor.Dice(7), 0, []
    for number, op in enumerate(ops):
        promised = [acknowledged[n] for n, done in enumerate(promised_at) if done <= number]
        for page in nor.pages_of(op):
            for fault in nor.ERASE_FAULTS if page[2] is None else nor.PROGRAM_FAULTS:
                torn = bytearray(memory)
                trace = nor.tear(torn, page, fault, dice)
                states += 1
                kept = rtc.at(number) if is_reset else b""
                wrong = wrong_after(torn, promised, trace, kept)
                if wrong:
                    bad.append(f"operation {number}, {fault}: {wrong}")
            nor.apply_op(memory, page)
    print(f"{states} torn states of {len(ops)} operations, {len(bad)} bad")
    assert not bad, bad[:5]
    assert states > 800
