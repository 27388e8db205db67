# SPDX-License-Identifier: MIT
"""The verdict in plain words, for a reader who knows nothing of records and signatures."""

from sealtrail.analysis.results import Analysis, Excursion, Verdict
from sealtrail.analysis.wording import (
    KEY_UNKNOWN,
    count,
    duration,
    limit_text,
    short_text,
    temperature,
    utc_text,
)
from sealtrail.model import CustodyStep

HEADLINES = {
    Verdict.WITHIN_LIMITS: "Within limits",
    Verdict.EXCURSION: "Limits were broken",
    Verdict.UNDECIDED: "Not decided",
}
_AGREED = "handed over"


def headline(analysis: Analysis) -> str:
    """Two or three words."""
    return HEADLINES[analysis.verdict]


def summary(analysis: Analysis) -> tuple[str, ...]:
    """What the verdict rests on, two to six sentences."""
    if analysis.verdict is Verdict.WITHIN_LIMITS:
        return (
            "Every temperature reading from start to end of the trip kept the rules.",
            "No reading is missing, all records are signed, and they are proved to be all.",
        )
    if analysis.verdict is Verdict.UNDECIDED:
        lines = ["No reading broke a rule, but the trip can't be judged as a whole:"]
        return (*lines, *(f"• {reason}" for reason in analysis.reasons))
    return (*_excursion_lines(analysis), *_also(analysis))


def _excursion_lines(analysis: Analysis) -> list[str]:
    """One occasion may break several rules; a person counts occasions."""
    rules = {item.rule.rule_id for item in analysis.excursions}
    broken = count(len(rules), "temperature rule was", "temperature rules were")
    occasions = {(item.rule.probe, item.start) for item in analysis.excursions}
    total = count(len(occasions), "occasion")
    limits = {(item.rule.probe, limit_text(item.rule)): None for item in analysis.excursions}
    return [f"{broken} broken, on {total}:"] + [
        _limit_line(analysis, probe, limit) for probe, limit in limits
    ]


def _limit_line(analysis: Analysis, probe: int, limit: str) -> str:
    own = [
        item
        for item in analysis.excursions
        if item.rule.probe == probe and limit_text(item.rule) == limit
    ]
    numbers = sorted({item.rule.rule_id for item in own})
    length_ms = max(
        sum(item.duration_ms for item in own if item.rule.rule_id == number) for number in numbers
    )
    worst = _worst(own)
    extreme = "warmest" if worst.rule.kind.is_upper else "coldest"
    named = ("rule " if len(numbers) == 1 else "rules ") + ", ".join(map(str, numbers))
    return (
        f"• Probe {probe} {limit} for {duration(length_ms)}, {extreme} "
        f"{temperature(worst.extreme_centi_c)} ({short_text(worst.extreme_at)}): {named}."
    )


def _worst(items: list[Excursion]) -> Excursion:
    sign = 1 if items[0].rule.kind.is_upper else -1
    return max(items, key=lambda item: sign * item.extreme_centi_c)


def _also(analysis: Analysis) -> list[str]:
    return [f"• Also: {reason}" for reason in analysis.reasons]


def attention(analysis: Analysis) -> tuple[str, ...]:
    """What else a person should look at before deciding. Empty when there is nothing."""
    lines = []
    if analysis.lids:
        open_ms = [lid.open_ms for lid in analysis.lids if lid.open_ms is not None]
        longest = f", the longest {duration(max(open_ms))}" if open_ms else ""
        lines.append(f"{count(len(analysis.lids), 'opening')} of the lid{longest}")
    if analysis.shocks:
        peak_mg = max(shock.peak_mg for shock in analysis.shocks)
        lines.append(f"{count(len(analysis.shocks), 'shock entry', 'shock entries')}, "
                     f"highest {peak_mg / 1000:.1f} g")  # fmt: skip
    if analysis.tilts:
        angle = max(tilt.angle_max_deg for tilt in analysis.tilts)
        lines.append(f"{count(len(analysis.tilts), 'tilt')}, greatest angle {angle}°")
    if analysis.restarts:
        lines.append(f"{count(len(analysis.restarts), 'restart')} of the tag during the trip")
    lines.append(custody_line(analysis.custody))
    return (*lines, *analysis.findings)


def future_lines(analysis: Analysis, made_at_ms: int) -> tuple[str, ...]:
    """A line when readings are surely later than *made_at_ms* (Unix time of this computer)."""
    known = [sample.moment.utc for sample in analysis.samples if sample.moment.utc is not None]
    last_ms = max((utc.lo_ms for utc in known), default=made_at_ms)
    if last_ms <= made_at_ms:
        return ()
    made, last = (utc_text(at, with_seconds=False) for at in (made_at_ms, last_ms))
    return (
        f"Readings are later than this report: the last one is of {last}, the report of {made}; "
        "the clock of this computer or of the tag was wrong or simulated",
    )


def custody_line(custody: tuple[CustodyStep, ...]) -> str:
    """The chain of custody in one sentence."""
    if not custody:
        return "No handover is recorded: custody during the trip is not proved"
    odd = [step for step in custody if step.verdict != _AGREED]
    unknown = [step for step in custody if not step.key_known]
    total = count(len(custody), "handover")
    if not odd and not unknown:
        return f"{total}, each signed by giver and receiver and in agreement"
    parts = []
    if odd:
        parts.append(f"{len(odd)} not in order ({odd[0].verdict})")
    if unknown:
        parts.append(f"{len(unknown)} with {KEY_UNKNOWN}")
    return f"{total}, of which {' and '.join(parts)}"
