# SPDX-License-Identifier: MIT
"""The tables of the report, built from analysis results as texts. Pure."""

import re

from sealtrail.analysis.results import Analysis, ExcursionEnd, Gap, MeanKinetic, ProbeStats
from sealtrail.analysis.wording import (
    FAULTS,
    KEY_UNKNOWN,
    broken_text,
    count,
    duration,
    interval_text,
    local_text,
    moment_text,
    rule_text,
    short_hex,
    temperature,
)
from sealtrail.errors import one_line
from sealtrail.model import CustodyStep, Event
from sealtrail.report.content import Table
from sealtrail.report.event_text import ROUTINE, event_text

ROWS_MAX = 200
_NAMELESS_KEY = re.compile(r"key ([0-9a-f]{16,})")
_ENDS = {
    ExcursionEnd.BACK_IN_LIMITS: "",
    ExcursionEnd.PROBE_LOST: " (probe lost)",
    ExcursionEnd.TRIP_ENDED: " (trip ended)",
    ExcursionEnd.POWER_LOST: " (power lost)",
    ExcursionEnd.STILL_OPEN: " (last reading, still going on)",
}


def figures(analysis: Analysis) -> Table:
    """Least, greatest and mean per probe."""
    return Table(
        "Temperature figures",
        ("Probe", "Lowest", "Highest", "Mean over time", "Valid readings", "Mean kinetic temp."),
        (14, 24, 24, 28, 30, 56),
        tuple(_figure_row(stats, analysis.kinetic) for stats in analysis.probes),
        "There is no reading.",
        _figure_note(analysis),
    )


def _figure_row(stats: ProbeStats, kinetic: tuple[MeanKinetic, ...]) -> tuple[str, ...]:
    own = next((item for item in kinetic if item.probe == stats.probe), None)
    return (
        f"{stats.probe}",
        temperature(stats.min_centi_c),
        temperature(stats.max_centi_c),
        temperature(stats.mean_centi_c),
        f"{stats.valid_count:,} of {stats.reading_count:,}",
        _kinetic_text(own),
    )


def _kinetic_text(item: MeanKinetic | None) -> str:
    if item is None or item.trip_c is None or item.worst_window_c is None:
        return "not applicable"
    window = duration(item.window_ms)
    return f"{item.trip_c:.2f} °C; worst {window}: {item.worst_window_c:.2f} °C"


def _figure_note(analysis: Analysis) -> str:
    note = "The mean is weighted by the time each reading stands for."
    refusals = list(dict.fromkeys(item.refusal for item in analysis.kinetic if item.refusal))
    return " ".join([note, *(f"Mean kinetic temperature {text}." for text in refusals)])


def excursions(analysis: Analysis) -> Table:
    """Every break of a rule."""
    rows = tuple(
        (
            f"E{item.number}",
            broken_text(item.rule),
            moment_text(item.start),
            moment_text(item.end) + _ENDS[item.ended],
            temperature(item.extreme_centi_c),
            duration(item.duration_ms),
        )
        for item in analysis.excursions
    )
    return _bounded(
        Table(
            "Excursions",
            ("No.", "What was broken", "Start", "End", "Extreme", "Duration"),
            (8, 40, 47, 47, 20, 18),
            rows,
            "None: no temperature rule was broken." if analysis.profile else "No rules apply.",
            "From the first reading outside the limit to the first reading back inside.",
        )
    )


def gaps(analysis: Analysis) -> Table:
    """Spans that can't be judged."""
    return _bounded(
        Table(
            "Spans without a valid reading",
            ("What", "Probe", "From (last valid)", "To (next valid)", "Length"),
            (40, 13, 50, 50, 26),
            tuple(_gap_row(gap) for gap in analysis.gaps),
            "None: a valid reading stands for every moment of the trip.",
        )
    )


def _gap_row(gap: Gap) -> tuple[str, ...]:
    what = gap.kind.value if gap.fault is None else f"{gap.kind.value}: {FAULTS[gap.fault]}"
    if gap.refused_count:
        what = f"{what} ({gap.refused_count:,})"
    probe = "all" if gap.probe is None else str(gap.probe)
    length = duration(gap.duration_ms)
    return (what, probe, moment_text(gap.start), moment_text(gap.end), length)


def rules(analysis: Analysis) -> Table:
    """The rules that were applied, and the time spent outside each."""
    rows = tuple(
        (
            str(item.rule.rule_id),
            rule_text(item.rule),
            f"{item.rule.hysteresis_centi_c / 100:.2f} °C inside",
            duration(item.outside_ms) if item.outside_ms else "none",
        )
        for item in analysis.outside
    )
    return Table(
        "Rules applied",
        ("Rule", "Meaning", "Counts as back when", "Time outside in all"),
        (12, 92, 32, 32),
        rows,
        "No temperature rule is known for this evidence.",
        "The rules stand in the signed record that started the trip.",
    )


def custody(steps: tuple[CustodyStep, ...]) -> Table:
    """Who held the shipper."""
    return _bounded(
        Table(
            "Chain of custody",
            ("When (by the tag)", "From", "To", "Place and local time claimed", "Seals", "Result"),
            (29, 33, 33, 38, 14, 33),
            tuple(_custody_row(step) for step in steps),
            "No handover is recorded.",
            _custody_note(steps),
        )
    )


def _custody_note(steps: tuple[CustodyStep, ...]) -> str:
    note = "Result: the verifier's judgement of the two signed statements."
    whys = list(dict.fromkeys(one_line(step.key_note) for step in steps if step.key_note))
    return " ".join([note, *(f"A name does not count: {why}." for why in whys)])


def _custody_row(step: CustodyStep) -> tuple[str, ...]:
    result = step.verdict if step.key_known else f"{step.verdict}; {KEY_UNKNOWN}"
    if step.condition:
        result += f"; condition noted: {step.condition}"
    return (
        interval_text(step.utc),
        _signer(step.giver, step.giver_role),
        _signer(step.receiver, step.receiver_role),
        f"{step.place or '–'}, {local_text(step.claimed_utc_s, step.tz_min)}",
        ", ".join(step.seals) or "–",
        result,
    )


def _signer(name: str | None, role: str) -> str:
    if name is None:
        return "nobody signed"
    key = _NAMELESS_KEY.fullmatch(name)
    text = f"key {short_hex(key[1])}" if key else name or "nobody signed"
    return f"{text} ({role})" if role else text


def events(analysis: Analysis) -> Table:
    """What else the tag noted, without its everyday business."""
    shown = [(at, event) for at, event in analysis.events if event.code not in ROUTINE]
    routine = len(analysis.events) - len(shown)
    note = (
        f"{count(routine, 'routine entry', 'routine entries')} (visits, receipts) left out here."
    )
    return _bounded(
        Table(
            "Events of the trip",
            ("When", "What", "Record"),
            (58, 106, 16),
            tuple((moment_text(at), _event_cell(event), str(event.seq)) for at, event in shown),
            "None.",
            note if routine else "",
        )
    )


def _event_cell(event: Event) -> str:
    return event_text(event) if event.proven else f"{event_text(event)} (not signed)"


def _bounded(table: Table) -> Table:
    if len(table.rows) <= ROWS_MAX:
        return table
    more = len(table.rows) - ROWS_MAX
    note = f"{more:,} more rows are in the JSON file. {table.note}".strip()
    return Table(
        table.title, table.columns, table.widths, table.rows[:ROWS_MAX], table.empty, note
    )
