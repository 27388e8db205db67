# SPDX-License-Identifier: MIT
"""Builds `VerifiedEvidence` of a realistic LN2 dry-shipper trip, without any cryptography.

The story (times UTC): armed Monday 2026-11-16 08:00 at the manufacturer; probe 0 in the
vapour at about -190 C, probe 1 outside; handed to the courier 09:10, to the clinic on
Saturday 07:20; a customs officer opens the lid on Wednesday for 35 minutes, the payload
warms to about -128 C; a drop of 9.4 g, a tilt of 74 degrees, a flat battery for two hours,
a loose probe plug for twenty minutes. Each of these can be left out.
"""

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import cache

import cbor2

from sealtrail.analysis import analyse as analysis
from sealtrail.analysis.excursion import sample_values
from sealtrail.analysis.rules import tag_engine
from sealtrail.model import (
    Completeness,
    CustodyStep,
    Event,
    Freshness,
    ProbeFault,
    Reading,
    RecordKind,
    TagCertificate,
    Trip,
    UtcInterval,
    VerifiedEvidence,
    VerifiedRecord,
)

START_MS = 1_794_816_000_000  # 2026-11-16 08:00:00 UTC
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
COI_COMMITMENT = hashlib.sha256(b"coi and salt").digest()
LN2_RULES = (
    (1, 0, 2, -15_000, 600, 100),  # above -150 C for 10 min
    (2, 0, 0, -13_000, 0, 100),  # above -130 C at once
    (3, 1, 0, 4_000, 0, 200),  # outside above 40 C
)


def profile_bytes(
    rules: tuple[tuple[int, ...], ...] = LN2_RULES, interval_s: int = 300, name: str = "LN2 v3"
) -> bytes:
    """A profile in compact CBOR."""
    fields = {0: 1, 1: name, 2: interval_s, 3: [list(r) for r in rules], 4: 3000, 5: [45, 120]}
    return cbor2.dumps({**fields, 6: 0}, canonical=True)


@dataclass(frozen=True)
class Story:
    """What happens on the way."""

    days: float = 5.0
    interval_s: int = 300
    rules: tuple[tuple[int, ...], ...] = LN2_RULES
    base_centi_c: int = -19_000
    with_opening: bool = True
    with_power_cut: bool = True
    with_probe_fault: bool = True
    with_shock: bool = True
    with_tilt: bool = True
    with_clock: bool = True
    is_ended: bool = True
    with_alarms: bool = True
    completeness: Completeness = Completeness.PROVED
    custody: tuple[CustodyStep, ...] | None = None
    findings: tuple[str, ...] = field(default=())


QUIET = Story(
    with_opening=False, with_power_cut=False, with_probe_fault=False, with_shock=False,
    with_tilt=False,
)  # fmt: skip

_CUT_AT_MS = 3 * DAY_MS + 5 * HOUR_MS
_CUT_LENGTH_MS = 2 * HOUR_MS
_OPEN_AT_MS = 2 * DAY_MS + 6 * HOUR_MS + 12 * MINUTE_MS
_OPEN_LENGTH_MS = 35 * MINUTE_MS
_FAULT_AT_MS = 1 * DAY_MS + 2 * HOUR_MS
_FAULT_LENGTH_MS = 20 * MINUTE_MS


class _Clock:
    """Which boot, uptime and UTC belong to a time since the start."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def stamp(self, at_ms: int) -> tuple[int, int, UtcInterval | None]:
        first_up_ms = 90_000
        restart_ms = _CUT_AT_MS + _CUT_LENGTH_MS
        is_second = self.story.with_power_cut and at_ms >= restart_ms
        boot, up_ms = (8, at_ms - restart_ms + 4_000) if is_second else (7, at_ms + first_up_ms)
        if not self.story.with_clock:
            return boot, up_ms, None
        width_ms = 1_500 + at_ms // 50_000 + (24_000 if is_second else 0)
        return (
            boot,
            up_ms,
            UtcInterval(START_MS + at_ms - width_ms // 2, START_MS + at_ms + width_ms // 2),
        )

    def is_off(self, at_ms: int) -> bool:
        return self.story.with_power_cut and _CUT_AT_MS <= at_ms < _CUT_AT_MS + _CUT_LENGTH_MS


@cache
def shipment(story: Story = Story()) -> VerifiedEvidence:
    """The evidence of one story; built once, as nothing in it may change."""
    clock = _Clock(story)
    end_ms = int(story.days * DAY_MS)
    readings = _readings(story, clock, end_ms)
    events = _events(story, clock, end_ms)
    profile = profile_bytes(story.rules, story.interval_s)
    trip_end = events[-1] if story.is_ended else None
    trip = Trip(4, COI_COMMITMENT, profile, events[1], trip_end)
    raw = b"evidence of " + repr(story).encode()
    certificate = _certificate()
    evidence = VerifiedEvidence(
        certificate=certificate,
        records=_records(readings),
        readings=readings,
        events=events,
        statements=(),
        trips=(trip,),
        custody=_custody(clock, end_ms) if story.custody is None else story.custody,
        freshness=_freshness(story.completeness, end_ms),
        findings=story.findings,
        sha256=hashlib.sha256(raw).digest(),
        size=len(raw),
        raw=raw,
    )
    return with_tag_alarms(evidence) if story.with_alarms else evidence


def with_tag_alarms(evidence: VerifiedEvidence) -> VerifiedEvidence:
    """Adds the ALARM events an honest tag would have logged."""
    found = analysis.analyse(evidence)
    trip = evidence.trips[-1]
    alarms: list[Event] = []
    engine = None
    boot = -1
    for sample in found.samples:
        moment = sample.moment
        if moment.boot != boot:
            spent_ms = engine.spent_ms if engine is not None else None
            engine, boot = tag_engine(trip.profile, spent_ms), moment.boot
        assert engine is not None
        seq = sample.readings[0].seq
        for code, content in engine.sample(moment.up_ms, sample_values(sample, 2)):
            alarms.append(Event(code, boot, moment.up_ms, moment.utc, list(content), seq))
    if trip.end is not None and engine is not None:
        for code, content in engine.end_trip(trip.end.up_ms):
            alarms.append(
                Event(code, boot, trip.end.up_ms, trip.end.utc, list(content), trip.end.seq)
            )
    events = sorted([*evidence.events, *alarms], key=lambda e: (e.boot, e.up_ms))
    return replace(evidence, events=tuple(events))


def _readings(story: Story, clock: _Clock, end_ms: int) -> tuple[Reading, ...]:
    found = []
    step_ms = story.interval_s * 1000
    for index, at_ms in enumerate(range(0, end_ms, step_ms)):
        if clock.is_off(at_ms):
            continue
        boot, up_ms, utc = clock.stamp(at_ms)
        seq = 3 + at_ms // HOUR_MS
        is_fault = story.with_probe_fault and 0 <= at_ms - _FAULT_AT_MS < _FAULT_LENGTH_MS
        payload = None if is_fault else _payload_centi_c(story, at_ms, index)
        fault = ProbeFault.OPEN if is_fault else None
        found.append(Reading(0, boot, up_ms, utc, payload, fault, seq))
        found.append(Reading(1, boot, up_ms, utc, _ambient_centi_c(at_ms, index), None, seq))
    return tuple(found)


def _payload_centi_c(story: Story, at_ms: int, index: int) -> int:
    days = at_ms / DAY_MS
    value = (
        story.base_centi_c + 180 * days + 25 * math.sin(index * 0.7) + 14 * math.sin(index * 2.3)
    )
    since_open = at_ms - _OPEN_AT_MS
    if story.with_opening and since_open >= 0:
        rise = 1 - math.exp(-min(since_open, _OPEN_LENGTH_MS) / (18 * MINUTE_MS))
        fall = math.exp(-max(0, since_open - _OPEN_LENGTH_MS) / (55 * MINUTE_MS))
        value += 7_000 * rise * fall
    return round(value)


def _ambient_centi_c(at_ms: int, index: int) -> int:
    hour = at_ms / HOUR_MS
    return round(
        1_900 + 550 * math.sin((hour - 2) / 24 * 2 * math.pi) + 60 * math.sin(index * 0.9)
    )


def _events(story: Story, clock: _Clock, end_ms: int) -> tuple[Event, ...]:
    rows: list[tuple[int, int, object]] = [
        (-60_000, 1, [1, "0.1.0"]),
        (0, 30, {1: 4, 2: COI_COMMITMENT, 3: profile_bytes(story.rules, story.interval_s)}),
        (70 * MINUTE_MS, 41, [12, b"holder-a", b"offer"]),
        (74 * MINUTE_MS, 42, [13, b"holder-b", b"accept"]),
    ]
    if story.with_shock:
        rows.append((DAY_MS + 11 * HOUR_MS + 17_000, 4, [9_400, 2, 3]))
        rows.append((4 * DAY_MS + 3 * HOUR_MS, 4, [4_100, 0, 1]))
    if story.with_tilt:
        rows.append((DAY_MS + 20 * HOUR_MS, 5, [52]))
        rows.append((DAY_MS + 20 * HOUR_MS + 41 * MINUTE_MS, 6, [74, 41 * MINUTE_MS]))
    if story.with_opening:
        rows.append((_OPEN_AT_MS, 2, None))
        rows.append((_OPEN_AT_MS + _OPEN_LENGTH_MS, 3, [_OPEN_LENGTH_MS]))
    if story.with_probe_fault:
        rows.append((_FAULT_AT_MS, 9, [0, 1, 0xFFFF]))
        rows.append((_FAULT_AT_MS + _FAULT_LENGTH_MS, 10, [0, _FAULT_LENGTH_MS]))
    if story.with_power_cut:
        rows.append((_CUT_AT_MS + _CUT_LENGTH_MS, 1, [1, "0.1.0"]))
        rows.append((_CUT_AT_MS - 2 * HOUR_MS, 12, [3_310]))
    rows.append((end_ms - 36 * MINUTE_MS, 42, [31, b"holder-c", b"accept"]))
    if story.is_ended:
        rows.append((end_ms, 32, [4]))
    rows = sorted((row for row in rows if row[0] <= end_ms), key=lambda row: row[0])
    events = []
    for at_ms, code, content in rows:
        boot, up_ms, utc = clock.stamp(at_ms)
        events.append(Event(code, boot, up_ms, utc, content, 2 + max(0, at_ms) // HOUR_MS))
    return tuple(events)


def _records(readings: tuple[Reading, ...]) -> tuple[VerifiedRecord, ...]:
    last: dict[int, Reading] = {}
    for reading in readings:
        last[reading.seq] = reading
    return tuple(
        VerifiedRecord(
            seq, RecordKind.BLOCK, reading.boot, reading.up_ms, reading.utc, 2,
            hashlib.sha256(str(seq).encode()).digest(), 230, True,
        )
        for seq, reading in sorted(last.items())
    )  # fmt: skip


def _custody(clock: _Clock, end_ms: int) -> tuple[CustodyStep, ...]:
    courier = "Milan Novak (Coldway)"
    first = Step("Asha Verma (Cellworks)", courier, "Cellworks dock 2")
    second = Step(courier, "Ines Costa (St Anna)", "St Anna ward 3")
    return (
        first.at(clock, 74 * MINUTE_MS),
        second.at(clock, end_ms - 40 * MINUTE_MS),
    )


@dataclass(frozen=True)
class Step:
    """One handover of the chain, to be placed in time."""

    giver: str | None
    receiver: str | None
    place: str
    verdict: str = "handed over"
    seals: tuple[str, ...] = ("S-88213", "S-88214")
    key_known: bool = True

    def at(self, clock: "_Clock", at_ms: int) -> CustodyStep:
        """The step at *at_ms* after the start of the trip."""
        _, _, utc = clock.stamp(at_ms)
        return CustodyStep(
            verdict=self.verdict,
            giver=self.giver,
            receiver=self.receiver,
            place=self.place,
            seals=self.seals,
            condition=0,
            claimed_utc_s=(START_MS + at_ms) // 1000,
            tz_min=60,
            utc=utc,
            seq=2 + at_ms // HOUR_MS,
            key_known=self.key_known,
        )


def steps(*placed: tuple[int, Step]) -> tuple[CustodyStep, ...]:
    """Custody of a story without power cut: (ms after the start, step) each."""
    clock = _Clock(QUIET)
    return tuple(step.at(clock, at_ms) for at_ms, step in placed)


def _freshness(completeness: Completeness, end_ms: int) -> Freshness:
    asked_ms = START_MS + end_ms + 90_000
    detail = {
        Completeness.PROVED: "the tag signed its last record together with our nonce",
        Completeness.FOREIGN_NONCE: "somebody else asked for the attestation",
        Completeness.STALE: "an older state than the last one seen",
        Completeness.UNPROVED: "no attestation over the last record",
    }[completeness]
    return Freshness(completeness, detail, asked_ms, asked_ms + 300, 0)


def _certificate() -> TagCertificate:
    raw = b"certificate of ST-0041"
    return TagCertificate(
        "ST-0041", bytes(range(32)), -8, 1_793_000_000, "esp32_devkitc", "0.1.0",
        hashlib.sha256(raw).digest()[:8], "fleet 2026", raw,
    )  # fmt: skip
