# SPDX-License-Identifier: MIT
"""From judged items to what a person asks about: readings and events in time, trips, custody."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealtrail.evidence.contradictions import contradictions
from sealtrail.evidence.custody_chain import CustodyJudge, persons_of
from sealtrail.evidence.payload import FAULT_BASE, UNSIGNED, Payload
from sealtrail.evidence.statements import ATTEST, SERVICE, RawStatement, withdrawn_kids
from sealtrail.evidence.timeline import Bound, Timeline
from sealtrail.evidence.trust import Asked
from sealtrail.model import (
    Event,
    Freshness,
    ProbeFault,
    Reading,
    RecordKind,
    Statement,
    TagCertificate,
    Trip,
    VerifiedEvidence,
    VerifiedRecord,
)

_CLOCK_SET, _TRIP, _TRIP_END = 43, 30, 32
_LOG_FULL, RECORDS_LOST = 13, 17
_SPANS_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that passed the rules, and what the verifier knew."""

    certificate: TagCertificate
    payloads: Sequence[Payload]
    hashes: Sequence[bytes]
    sizes: Sequence[int]
    statements: Sequence[tuple[RawStatement, str]]
    freshness: Freshness
    nonces: Mapping[bytes, Asked]
    raw: bytes
    known: Sequence[RawStatement] = ()  # statements of the trust store that hold


def tell(material: Material) -> VerifiedEvidence:
    """Builds the result. Judges nothing that could refuse the evidence."""
    timeline = _timeline(material)
    events = _events(material.payloads, timeline)
    statements = [one for one, _ in material.statements]
    known = [*statements, *material.known]
    withdrawn = withdrawn_kids([one for one in known if one.type == SERVICE])
    custody = CustodyJudge(material.certificate.tid, material.hashes, persons_of(known), withdrawn)
    readings = _readings(material.payloads, timeline)
    records = _records(material, timeline)
    return VerifiedEvidence(
        certificate=material.certificate,
        records=records,
        readings=readings,
        events=events,
        statements=tuple(
            Statement(one.type, one.fields, signer, one.raw) for one, signer in material.statements
        ),
        trips=_trips(events),
        custody=custody.judge([event for event in events if event.proven]),
        freshness=material.freshness,
        findings=(*_findings(material, timeline), *contradictions(events)),
        sha256=hashlib.sha256(material.raw).digest(),
        size=len(material.raw),
        raw=material.raw,
    )


def _timeline(material: Material) -> Timeline:
    timeline = Timeline()
    for payload in material.payloads:
        timeline.add_span(payload.boot, payload.up_ms)
        for run in payload.runs:
            timeline.add_span(payload.boot, min(run.first_up_ms, payload.up_ms))
        if payload.kind == UNSIGNED:
            continue  # its word on the time is unproven too
        if payload.utc is not None:
            lo_s, _, width_s = payload.utc
            hi_ms = None if width_s is None else (lo_s + width_s) * 1000
            timeline.add_bound(payload.boot, Bound(payload.up_ms, lo_s * 1000, hi_ms))
        for event in payload.events:
            if event.code == _CLOCK_SET and isinstance(event.content, list):
                lo_ms, width_ms, _ = event.content
                hi_ms = None if width_ms < 0 else lo_ms + width_ms
                timeline.add_bound(payload.boot, Bound(event.up_ms, lo_ms, hi_ms))
    _add_attestations(timeline, material)
    timeline.settle()
    return timeline


def _add_attestations(timeline: Timeline, material: Material) -> None:
    """An attestation bounds its boot: by the tag's clock, and by this verifier's own."""
    for statement, _ in material.statements:
        if statement.type != ATTEST or statement.number(2) >= len(material.payloads):
            continue
        uptime, interval = statement.fields[5], statement.fields[6]
        assert isinstance(uptime, list) and isinstance(interval, list)
        boot, up_ms = uptime
        hi_ms = interval[1] if len(interval) == 2 else None
        timeline.add_bound(boot, Bound(up_ms, interval[0], hi_ms))
        asked = material.nonces.get(statement.octets(4))
        if asked is not None and asked.answered_ms is not None:
            # The answer was made after the nonce was sent and before it was here.
            timeline.add_bound(boot, Bound(up_ms, asked.asked_ms, asked.answered_ms))


def _readings(payloads: Sequence[Payload], timeline: Timeline) -> tuple[Reading, ...]:
    found = []
    for payload in payloads:
        proven = payload.kind != UNSIGNED
        for run in payload.runs:
            for number, value in enumerate(run.values):
                up_ms = run.first_up_ms + number * run.distance_ms
                is_fault = value > FAULT_BASE
                found.append(
                    Reading(
                        probe=run.probe,
                        boot=payload.boot,
                        up_ms=up_ms,
                        utc=timeline.at(payload.boot, up_ms),
                        temp_centi_c=None if is_fault else value,
                        fault=ProbeFault(value - FAULT_BASE) if is_fault else None,
                        seq=payload.seq,
                        proven=proven,
                    )
                )
    found.sort(key=lambda reading: (reading.boot, reading.up_ms, reading.probe))
    return tuple(found)


def _events(payloads: Sequence[Payload], timeline: Timeline) -> tuple[Event, ...]:
    return tuple(
        Event(
            code=event.code,
            boot=payload.boot,
            up_ms=event.up_ms,
            utc=timeline.at(payload.boot, event.up_ms),
            content=event.content,
            seq=payload.seq,
            proven=payload.kind != UNSIGNED,
        )
        for payload in payloads
        for event in payload.events
    )


def _records(material: Material, timeline: Timeline) -> tuple[VerifiedRecord, ...]:
    return tuple(
        VerifiedRecord(
            seq=payload.seq,
            kind=RecordKind(payload.kind),
            boot=payload.boot,
            up_ms=payload.up_ms,
            utc=timeline.at(payload.boot, payload.up_ms),
            utc_source=0 if payload.utc is None else payload.utc[1],
            sha256=digest,
            size=size,
            proven=payload.kind != UNSIGNED,
            nonce=payload.nonce,
        )
        for payload, digest, size in zip(
            material.payloads, material.hashes, material.sizes, strict=True
        )
    )


def _trips(events: Sequence[Event]) -> tuple[Trip, ...]:
    """Trips from their TRIP event to the TRIP_END of the same number."""
    trips: list[Trip] = []
    for event in events:
        if event.code == _TRIP and isinstance(event.content, dict):
            number, commitment, rules = (event.content[key] for key in (1, 2, 3))
            trips.append(Trip(number, commitment, rules, event, None))
        elif event.code == _TRIP_END and isinstance(event.content, list) and trips:
            last = trips[-1]
            if last.number == event.content[0] and last.end is None:
                trips[-1] = Trip(last.number, last.coi_commitment, last.profile, last.start, event)
    return tuple(trips)


def _findings(material: Material, timeline: Timeline) -> tuple[str, ...]:
    found = []
    unproven = sum(payload.kind == UNSIGNED for payload in material.payloads)
    if unproven:
        found.append(f"{unproven} blocks carry no signature (the key was lost): unproven")
    crashed = [payload.seq for payload in material.payloads if payload.kind == 4]
    if crashed:
        numbers = ", ".join(map(str, crashed))
        found.append(f"the tag lost power while a block was open: sealed later, record {numbers}")
    if material.freshness.unsealed_entries:
        count = material.freshness.unsealed_entries
        found.append(f"{count} newer entries were on the tag, not yet sealed, when it was asked")
    found += _room_findings(material.payloads)
    found += _silent_boots(material.payloads)
    if timeline.has_contradiction:
        found.append("bounds of the tag's clock differ by more than its drift allows")
    return tuple(found)


def highest_count(payloads: Sequence[Payload], code: int) -> int:
    """The highest count that an event *code* of one number says; 0 without one."""
    return max(
        (
            event.content[0]
            for payload in payloads
            for event in payload.events
            if event.code == code and isinstance(event.content, list)
        ),
        default=0,
    )


def _room_findings(payloads: Sequence[Payload]) -> list[str]:
    found = []
    refused = highest_count(payloads, _LOG_FULL)
    if refused:
        found.append(
            f"the tag's log was full: it refused {refused:,} readings or events since enrolment"
        )
    lost = highest_count(payloads, RECORDS_LOST)
    if lost:
        # R8 holds: no record is missing here.
        found.append(
            f"the tag has overwritten {lost:,} records without a receipt; this file holds them"
        )
    return found


def _silent_boots(payloads: Sequence[Payload]) -> list[str]:
    """Starts of the tag that nothing tells of but the step in its boot numbers."""
    spans = []
    before = 0
    for payload in payloads:
        if payload.boot > before + 1:
            first, last = before + 1, payload.boot - 1
            spans.append(f"boot {first}" if first == last else f"boots {first} to {last}")
        before = max(before, payload.boot)
    if not spans:
        return []
    shown = ", ".join(spans[:_SPANS_SHOWN_MAX])
    more = len(spans) - _SPANS_SHOWN_MAX
    return [f"{shown}{f' and {more} spans more' if more > 0 else ''} left no record"]
