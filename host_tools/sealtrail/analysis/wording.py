# SPDX-License-Identifier: MIT
"""Numbers as text for people: temperatures, times, durations, rules. Pure.

One place, so that screen, PDF and messages say the same figure in the same way. Times are
always UTC and say so; an interval wider than a second is shown with its width.
"""

from datetime import UTC, datetime, timedelta

from sealtrail.analysis.results import Moment, Rule, RuleKind
from sealtrail.model import ProbeFault, TagCertificate, UtcInterval

MINUS = "−"
KEY_UNKNOWN = "custody key unknown"  # as in docs/record-format.md
FAULTS = {
    ProbeFault.OPEN: "probe open",
    ProbeFault.SHORT: "probe short-circuited",
    ProbeFault.OVER_RANGE: "above the sensor's range",
    ProbeFault.UNDER_RANGE: "below the sensor's range",
    ProbeFault.NO_ANSWER: "sensor did not answer",
    ProbeFault.SUPPLY: "sensor supply fault",
    ProbeFault.NOT_READ: "not read",
}
_VIRTUAL = "virtual"
_HEX_SHOWN = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def temperature(temp_centi_c: float | None) -> str:
    """ "−150.00 °C", with a true minus sign; a dash for none."""
    if temp_centi_c is None:
        return "–"
    return f"{temp_centi_c / 100:.2f} °C".replace("-", MINUS)


def utc_text(unix_ms: int, with_seconds: bool = True) -> str:
    """ "2026-11-16 08:00:05 UTC". Out of range of the calendar: the number itself."""
    try:
        at = _EPOCH + timedelta(milliseconds=unix_ms)
    except OverflowError:
        return f"{unix_ms} ms since 1970 UTC"
    return at.strftime("%Y-%m-%d %H:%M:%S UTC" if with_seconds else "%Y-%m-%d %H:%M UTC")


def interval_text(utc: UtcInterval | None) -> str:
    """The time and how well it is known."""
    if utc is None:
        return "time not known"
    if utc.hi_ms is None:
        return f"not before {utc_text(utc.lo_ms)}"
    half_ms = (utc.hi_ms - utc.lo_ms + 1) // 2
    if half_ms <= 1_000:
        return utc_text(utc.mid_ms)
    return f"{utc_text(utc.mid_ms)} ± {duration(half_ms)}"


def moment_text(moment: Moment) -> str:
    """Time of a moment; without a clock, its boot and uptime."""
    if moment.utc is None:
        return f"{duration(moment.up_ms)} after start {moment.boot} of the tag"
    return interval_text(moment.utc)


def short_text(moment: Moment) -> str:
    """Time of a moment to the minute, without its uncertainty: for the summary on top."""
    if moment.utc is None or moment.utc.hi_ms is None:
        return moment_text(moment)
    return utc_text(moment.utc.mid_ms, with_seconds=False)


def duration(length_ms: int | None) -> str:
    """ "2 d 3 h", "1 h 05 min", "12 min 30 s", "8 s": the two largest units."""
    if length_ms is None:
        return "length not known"
    seconds = (abs(length_ms) + 500) // 1000
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest:02} s" if rest else f"{minutes} min"
    return f"{rest} s"


def offset_text(tz_min: int) -> str:
    """ "+01:00" of minutes east of UTC."""
    sign = "-" if tz_min < 0 else "+"
    return f"{sign}{abs(tz_min) // 60:02}:{abs(tz_min) % 60:02}"


def local_text(unix_s: int, tz_min: int) -> str:
    """ "2026-11-16 09:00 +01:00": a claimed local time with its offset."""
    try:
        at = _EPOCH + timedelta(seconds=unix_s, minutes=tz_min)
    except OverflowError:
        return f"{unix_s} s since 1970 UTC"
    return f"{at.strftime('%Y-%m-%d %H:%M')} {offset_text(tz_min)}"


def count(number: int, one: str, many: str = "") -> str:
    """ "1 opening", "3 openings"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short_hex(digits: str) -> str:
    """The first 16 hex digits with an ellipsis: how a key or digest is named in passing."""
    return digits[:_HEX_SHOWN] + ("…" if len(digits) >= _HEX_SHOWN else "")


def is_virtual(certificate: TagCertificate) -> bool:
    """Whether the tag is software that plays a tag: what it signs is no real shipment."""
    return certificate.hardware.strip().lower().startswith(_VIRTUAL)


def rule_text(rule: Rule) -> str:
    """A rule as one sentence a lay reader understands."""
    side = "above" if rule.kind.is_upper else "below"
    limit = temperature(rule.limit_centi_c)
    if rule.kind in (RuleKind.ABOVE_AT_ONCE, RuleKind.BELOW_AT_ONCE):
        text = f"never {side} {limit}"
    elif rule.kind.is_cumulative:
        text = f"not {side} {limit} for {duration(rule.duration_s * 1000)} or more in total"
    else:
        text = f"not {side} {limit} for {duration(rule.duration_s * 1000)} or more without a break"
    return f"Probe {rule.probe}: {text}"


def limit_text(rule: Rule) -> str:
    """ "above −150.00 °C": what the excursion table says was broken."""
    return f"{'above' if rule.kind.is_upper else 'below'} {temperature(rule.limit_centi_c)}"


def broken_text(rule: Rule) -> str:
    """ "Probe 0 above −150.00 °C (rule 2, 10 min unbroken)": one line of the excursions."""
    if rule.kind in (RuleKind.ABOVE_AT_ONCE, RuleKind.BELOW_AT_ONCE):
        how = "at once"
    else:
        kind = "in total" if rule.kind.is_cumulative else "unbroken"
        how = f"{duration(rule.duration_s * 1000)} {kind}"
    return f"Probe {rule.probe} {limit_text(rule)} (rule {rule.rule_id}, {how})"
