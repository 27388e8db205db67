# SPDX-License-Identifier: MIT
"""The report as JSON: the texts of the PDF, and the same figures as numbers.

Times are Unix ms as [lo, hi] (hi null: no upper bound; the pair null: not known), lengths
ms, temperatures degrees C. Key order is fixed, so equal reports are equal bytes.
"""

import json

from sealtrail import __version__
from sealtrail.analysis.results import Analysis, Moment
from sealtrail.model import CustodyStep, Event, UtcInterval
from sealtrail.report.content import ReportModel, Table
from sealtrail.report.event_text import event_text

_FORMAT = "sealtrail report 1"


def render_json(model: ReportModel) -> bytes:
    """The report, UTF-8 with one line end."""
    analysis = model.analysis
    content = {
        "format": _FORMAT,
        "software": f"sealtrail {__version__}",
        "made_at_ms": model.made_at_ms,
        "simulated": model.is_simulated,
        "simulated_clock": model.is_clock_simulated,
        "virtual_tag": model.is_tag_virtual,
        "title": model.title,
        "verdict": model.verdict.value,
        "headline": model.headline,
        "summary": list(model.summary),
        "attention": list(model.attention),
        "evidence": {"sha256": model.evidence.sha256.hex(), "size": model.evidence.size},
        "tag": _tag(model),
        "trip": _trip(analysis),
        "figures": _figures(analysis),
        "excursions": _excursions(analysis),
        "gaps": _gaps(analysis),
        "custody": [_step(step) for step in analysis.custody],
        "events": [_event(at, event) for at, event in analysis.events],
        "tables": [_table(table) for table in model.tables],
        "notes": {note.title: list(note.paragraphs) for note in model.notes},
    }
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _utc(utc: UtcInterval | None) -> list[int | None] | None:
    return None if utc is None else [utc.lo_ms, utc.hi_ms]


def _moment(moment: Moment | None) -> dict[str, object] | None:
    if moment is None:
        return None
    return {"utc_ms": _utc(moment.utc), "boot": moment.boot, "up_ms": moment.up_ms}


def _celsius(temp_centi_c: float | None) -> float | None:
    return None if temp_centi_c is None else round(temp_centi_c / 100, 2)


def _tag(model: ReportModel) -> dict[str, object]:
    certificate = model.evidence.certificate
    return {
        "subject": certificate.subject,
        "tid": certificate.tid.hex(),
        "hardware": certificate.hardware,
        "firmware": certificate.firmware,
        "issued_at_s": certificate.issued_at_s,
        "fleet_key": certificate.fleet_key_name,
    }


def _trip(analysis: Analysis) -> dict[str, object]:
    profile = analysis.profile
    return {
        "number": analysis.trip.number if analysis.trip else None,
        "start": _moment(analysis.start),
        "end": _moment(analysis.end),
        "profile": None if profile is None else profile.name,
        "profile_sha256": None if profile is None else profile.sha256.hex(),
        "interval_s": None if profile is None else profile.interval_s,
    }


def _figures(analysis: Analysis) -> list[dict[str, object]]:
    kinetic = {item.probe: item for item in analysis.kinetic}
    rows: list[dict[str, object]] = []
    for stats in analysis.probes:
        mean = kinetic.get(stats.probe)
        rows.append(
            {
                "probe": stats.probe,
                "reading_count": stats.reading_count,
                "valid_count": stats.valid_count,
                "min_c": _celsius(stats.min_centi_c),
                "min_at": _moment(stats.min_at),
                "max_c": _celsius(stats.max_centi_c),
                "max_at": _moment(stats.max_at),
                "mean_c": _celsius(stats.mean_centi_c),
                "mean_kinetic_c": None if mean is None or mean.trip_c is None
                else round(mean.trip_c, 2),
                "mean_kinetic_refusal": mean.refusal if mean else "no limit for this probe",
            }
        )  # fmt: skip
    return rows


def _excursions(analysis: Analysis) -> list[dict[str, object]]:
    return [
        {
            "number": item.number,
            "rule": item.rule.rule_id,
            "probe": item.rule.probe,
            "limit_c": _celsius(item.rule.limit_centi_c),
            "side": "above" if item.rule.kind.is_upper else "below",
            "start": _moment(item.start),
            "alarm": _moment(item.alarm),
            "end": _moment(item.end),
            "ended": item.ended.name.lower(),
            "extreme_c": _celsius(item.extreme_centi_c),
            "extreme_at": _moment(item.extreme_at),
            "duration_ms": item.duration_ms,
            "proven": item.proven,
        }
        for item in analysis.excursions
    ]


def _gaps(analysis: Analysis) -> list[dict[str, object]]:
    return [
        {
            "kind": gap.kind.value,
            "probe": gap.probe,
            "start": _moment(gap.start),
            "end": _moment(gap.end),
            "duration_ms": gap.duration_ms,
            "fault": None if gap.fault is None else gap.fault.name.lower(),
            "refused_count": gap.refused_count,
        }
        for gap in analysis.gaps
    ]


def _step(step: CustodyStep) -> dict[str, object]:
    return {
        "verdict": step.verdict,
        "giver": step.giver,
        "giver_role": step.giver_role,
        "receiver": step.receiver,
        "receiver_role": step.receiver_role,
        "place": step.place,
        "seals": list(step.seals),
        "condition": step.condition,
        "claimed_utc_s": step.claimed_utc_s,
        "tz_min": step.tz_min,
        "utc_ms": _utc(step.utc),
        "seq": step.seq,
        "key_known": step.key_known,
        "key_note": step.key_note,
    }


def _event(at: Moment, event: Event) -> dict[str, object]:
    return {
        "code": event.code,
        "text": event_text(event),
        "at": _moment(at),
        "seq": event.seq,
        "proven": event.proven,
    }


def _table(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
        "note": table.note,
    }
