# SPDX-License-Identifier: MIT
"""What `verify` shows: verdict, identity, timeline, findings. Pure; rows and words only."""

from typing import Any

from sealtrail.analysis import wording
from sealtrail.analysis.results import Analysis, ExcursionEnd
from sealtrail.errors import VerifyError, one_line
from sealtrail.model import Completeness, VerifiedEvidence
from sealtrail.report.event_text import event_text

_ENDS = {
    ExcursionEnd.BACK_IN_LIMITS: "back within the limit",
    ExcursionEnd.PROBE_LOST: "probe lost",
    ExcursionEnd.TRIP_ENDED: "trip ended",
    ExcursionEnd.POWER_LOST: "power lost",
    ExcursionEnd.STILL_OPEN: "still open",
}


def verdict_line(evidence: VerifiedEvidence) -> str:
    """The first line: what is proved."""
    if evidence.freshness.completeness is Completeness.PROVED:
        return "PROVED: every signature and the chain hold, and this is all there is"
    return "VALID, NOT PROVED COMPLETE: signatures and chain hold; later records may be missing"


def identity_rows(evidence: VerifiedEvidence) -> list[tuple[str, str]]:
    """Which tag, by whose word, and how much."""
    tag = evidence.certificate
    unproven = sum(1 for record in evidence.records if not record.proven)
    rows = [
        ("tag", f"{tag.subject}, {tag.hardware}, firmware {tag.firmware}"),
        ("tag id", tag.tid.hex()),
        ("certified by", f"{tag.fleet_key_name}, {wording.utc_text(tag.issued_at_s * 1000)}"),
        ("records", f"{len(evidence.records)}" + (f", {unproven} unproven" if unproven else "")),
        ("readings", f"{len(evidence.readings):,}"),
        ("evidence", f"{evidence.size:,} B, SHA-256 {evidence.sha256.hex()}"),
        ("complete", f"{evidence.freshness.completeness.value}: {evidence.freshness.detail}"),
    ]
    return [(name, one_line(text)) for name, text in rows]


def timeline_rows(evidence: VerifiedEvidence) -> list[tuple[str, str, str]]:
    """(record, time, what) of every event, in the order the tag wrote them."""
    ordered = sorted(evidence.events, key=lambda event: (event.boot, event.up_ms, event.seq))
    return [
        (
            str(event.seq),
            wording.interval_text(event.utc)
            if event.utc
            else f"start {event.boot} + {wording.duration(event.up_ms)}",
            one_line(event_text(event)) + ("" if event.proven else " (unproven)"),
        )
        for event in ordered
    ]


def excursion_rows(analysis: Analysis) -> list[tuple[str, str, str, str, str]]:
    """(rule, from, for, extreme, end) of every excursion."""
    return [
        (
            wording.rule_text(one.rule),
            wording.moment_text(one.start),
            wording.duration(one.duration_ms),
            wording.temperature(one.extreme_centi_c),
            _ENDS[one.ended],
        )
        for one in analysis.excursions
    ]


def custody_rows(evidence: VerifiedEvidence) -> list[tuple[str, str, str, str]]:
    """(when, verdict, who, where) of every handover."""
    return [
        (
            wording.local_text(step.claimed_utc_s, step.tz_min),
            step.verdict if step.key_known else f"{step.verdict}; {wording.KEY_UNKNOWN}",
            " to ".join(
                (_party(step.giver, step.giver_role), _party(step.receiver, step.receiver_role))
            ),
            one_line(step.place),
        )
        for step in evidence.custody
    ]


def custody_notes(evidence: VerifiedEvidence) -> list[str]:
    """Why registrations that are there do not count, each once."""
    notes = [one_line(step.key_note) for step in evidence.custody if step.key_note]
    return list(dict.fromkeys(notes))


def _party(name: str | None, role: str) -> str:
    text = one_line(name or "?")
    return f"{text} ({role})" if role else text


def refusal_json(problem: VerifyError) -> dict[str, Any]:
    """Which rule is broken, and where, for programs."""
    return {
        "verdict": "refused",
        "rule": problem.rule,
        "reason": problem.reason,
        "item": problem.index,
        "record": problem.seq,
        "detail": problem.detail,
    }


def as_json(evidence: VerifiedEvidence, analysis: Analysis | None) -> dict[str, Any]:
    """Everything `verify` says, for programs."""
    tag, fresh = evidence.certificate, evidence.freshness
    return {
        "verdict": "proved" if fresh.completeness is Completeness.PROVED else "valid",
        "complete": fresh.completeness.value,
        "complete_detail": fresh.detail,
        "unsealed_entries": fresh.unsealed_entries,
        "tag": {
            "serial": tag.subject,
            "tid": tag.tid,
            "hardware": tag.hardware,
            "firmware": tag.firmware,
            "public_key": tag.public_key,
            "certified_by": tag.fleet_key_name,
        },
        "sha256": evidence.sha256,
        "size": evidence.size,
        "records": len(evidence.records),
        "unproven_records": sum(1 for record in evidence.records if not record.proven),
        "readings": len(evidence.readings),
        "head_seq": evidence.records[-1].seq if evidence.records else None,
        "trips": [trip.number for trip in evidence.trips],
        "temperature": analysis.verdict.value if analysis else None,
        "excursions": [list(row) for row in excursion_rows(analysis)] if analysis else [],
        "events": [
            {
                "seq": event.seq,
                "code": event.code,
                "boot": event.boot,
                "up_ms": event.up_ms,
                "lo_ms": event.utc.lo_ms if event.utc else None,
                "hi_ms": event.utc.hi_ms if event.utc else None,
                "text": event_text(event),
            }
            for event in evidence.events
        ],
        "custody": [list(row) for row in custody_rows(evidence)],
        "custody_notes": custody_notes(evidence),
        "findings": list(analysis.findings if analysis else evidence.findings),
    }
