# SPDX-License-Identifier: MIT
"""The prose of the report: clock, completeness, calibration, versions, limits of the proof."""

from sealtrail import __version__
from sealtrail.analysis.results import Analysis
from sealtrail.analysis.wording import count, duration, utc_text
from sealtrail.model import Completeness, VerifiedEvidence
from sealtrail.report.content import Note

_SOURCES = {
    0: "carried over a restart as a lower bound",
    1: "kept by the tag's real-time clock",
    2: "set over the cable at provisioning",
    3: "set by a signed time statement",
    4: "bounded by a visitor's ticket",
}
_COMPLETENESS = {
    Completeness.PROVED: (
        "Proved complete. The tag itself signed its last record number together with a random "
        "value this verifier had just sent, so nothing was cut off the end."
    ),
    Completeness.FOREIGN_NONCE: (
        "Not proved complete by this verifier. The tag signed its last record number, but for a "
        "random value that somebody else had sent: it may be an older state."
    ),
    Completeness.STALE: (
        "Not complete. This verifier has seen a later state of the same tag before."
    ),
    Completeness.UNPROVED: (
        "Not proved complete. Records are consecutive and none was changed, but whether later "
        "records exist is not shown: no statement of the tag over its last record was found."
    ),
}


def notes(evidence: VerifiedEvidence, analysis: Analysis) -> tuple[Note, ...]:
    """All sections, in the order in which they are printed."""
    return (
        _completeness(evidence),
        _clock(analysis),
        _calibration(),
        _proof(),
        _versions(evidence),
    )


def _completeness(evidence: VerifiedEvidence) -> Note:
    fresh = evidence.freshness
    lines = [_COMPLETENESS[fresh.completeness]]
    if fresh.asked_at_ms is not None and fresh.answered_at_ms is not None:
        lines.append(
            f"Asked {utc_text(fresh.asked_at_ms)}, answered {utc_text(fresh.answered_at_ms)} "
            "by this computer's clock."
        )
    if fresh.unsealed_entries:
        lines.append(
            f"{count(fresh.unsealed_entries, 'entry', 'entries')} were not yet in a signed "
            "record at that moment and are not part of this report."
        )
    return Note("Completeness and freshness", tuple(lines))


def _clock(analysis: Analysis) -> Note:
    clock = analysis.clock
    lines = ["All times are UTC. The tag keeps time as an interval, so that what it does not "
             "know is shown; ± is half its width."]  # fmt: skip
    if clock.unknown_count == clock.reading_count and clock.reading_count:
        lines.append("The calendar time was never known: order and distances within one start "
                     "of the tag are sure, dates are not.")  # fmt: skip
    elif clock.width_max_ms is not None:
        lines.append(f"Widest interval of a reading: {duration(clock.width_max_ms)}.")
    if 0 < clock.unknown_count < clock.reading_count:
        lines.append(f"{count(clock.unknown_count, 'reading')} without a calendar time.")
    if clock.unbounded_count:
        lines.append(f"{count(clock.unbounded_count, 'reading')} with an earliest time only.")
    sources = [_SOURCES.get(source, f"source {source}") for source in clock.sources]
    if sources:
        lines.append(f"Where the time came from: {'; '.join(sources)}.")
    if clock.contradiction_count or clock.reset_count:
        lines.append(
            f"{count(clock.contradiction_count, 'contradiction')} and "
            f"{count(clock.reset_count, 'reset')} of the clock stand in the events."
        )
    return Note("Clock quality", tuple(lines))


def _calibration() -> Note:
    return Note(
        "Calibration and uncertainty",
        (
            "Probe calibration is not recorded in this version: no certificate, due date or "
            "measurement uncertainty stands in the evidence. Check the probe's certificate "
            "before release.",
        ),
    )


def _proof() -> Note:
    return Note(
        "What the signature proves, and what it does not",
        (
            "It proves that the tag named above wrote these records, in this order, and that "
            "not one bit was changed since, wherever they were stored or sent.",
            "It does not prove that the probe sat in the payload, that the sensor was accurate, "
            "or that the people who signed handovers looked into the box. Someone who "
            "held the tag itself could take its present key, unless that is in a secure element.",
            "The verdict speaks of temperature rules only. Release of the product is the "
            "decision of the person responsible, not of this report.",
        ),
    )


def _versions(evidence: VerifiedEvidence) -> Note:
    records = evidence.records
    span = f"records {records[0].seq} to {records[-1].seq}" if records else "no records"
    return Note(
        "Source of this report",
        (
            f"Evidence file: {evidence.size:,} bytes, {span}, attached to this PDF byte for byte "
            "as evidence.seal. SHA-256:",
            evidence.sha256.hex(),
            f"Made by sealtrail {__version__}; record format version 1; tag firmware "
            f"{evidence.certificate.firmware} (at enrolment).",
        ),
    )
