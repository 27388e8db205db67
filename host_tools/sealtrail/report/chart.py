# SPDX-License-Identifier: MIT
"""What a temperature chart shows, in degrees and ms: lines, limits, spans, ticks. Pure.

Readings are reduced to the least and greatest per column, so no peak is lost whatever the
number of readings. Lines break at gaps: nothing is drawn where nothing was measured.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sealtrail.analysis.gaps import gap_threshold_ms
from sealtrail.analysis.results import Analysis, Moment, Rule
from sealtrail.analysis.wording import temperature
from sealwire.labels import EVENT_ACCEPT

COLUMNS = 600
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_STEPS_MS = (
    *(m * _MINUTE_MS for m in (1, 5, 10, 15, 30)),
    *(h * _HOUR_MS for h in (1, 2, 3, 6, 12)),
    *(d * _DAY_MS for d in (1, 2, 5, 10, 30, 90, 365, 3650)),
)
_TICKS_MAX = 11
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Point = tuple[float, float]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """One place on an axis. *below* is the second line: the date, at each change of it."""

    at: float
    label: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit line. *is_upper*: the forbidden side is above it."""

    temp_c: float
    label: str
    is_upper: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of marks under the chart: (from, to) each; equal ends are a single mark."""

    name: str
    marks: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. x is ms on the analysis axis, y degrees C."""

    title: str
    x_title: str
    x_range: Span
    y_range: Span
    lines: tuple[tuple[Point, ...], ...]
    limits: tuple[Limit, ...]
    excursions: tuple[tuple[float, float, str], ...]
    gaps: tuple[Span, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...] = ()


def charts(analysis: Analysis) -> tuple[Chart, ...]:
    """One chart per probe that has readings; probes with rules first, lanes under the first."""
    with_readings = [stats for stats in analysis.probes if stats.reading_count]
    ordered = sorted(with_readings, key=lambda stats: (not stats.has_rules, stats.probe))
    return tuple(
        _chart(analysis, stats.probe, is_first=index == 0) for index, stats in enumerate(ordered)
    )


def _chart(analysis: Analysis, probe: int, is_first: bool) -> Chart:
    lines = _lines(analysis, probe)
    rules = [r for r in analysis.profile.rules if r.probe == probe] if analysis.profile else []
    x_range = _x_range(analysis)
    y_range = _y_range([y for line in lines for _, y in line], rules)
    excursions = [e for e in analysis.excursions if e.rule.probe == probe]
    return Chart(
        title=f"Probe {probe}: temperature, °C",
        x_title=_x_title(analysis, x_range),
        x_range=x_range,
        y_range=y_range,
        lines=tuple(decimate(line, x_range, COLUMNS) for line in lines),
        limits=tuple(_limits(rules, y_range)),
        excursions=_joined((e.start.axis_ms, e.end.axis_ms, f"E{e.number}") for e in excursions),
        gaps=tuple(
            (gap.start.axis_ms, gap.end.axis_ms)
            for gap in analysis.gaps
            if gap.probe in (None, probe)
        ),
        x_ticks=time_ticks(x_range, analysis.has_utc_axis),
        y_ticks=number_ticks(y_range),
        lanes=_lanes(analysis, x_range) if is_first else (),
    )


def _joined(spans: Iterable[tuple[float, float, str]]) -> tuple[tuple[float, float, str], ...]:
    """Excursions that overlap share one shade and one label."""
    joined: list[tuple[float, float, str]] = []
    for start, end, label in sorted(spans):
        if joined and start <= joined[-1][1]:
            before = joined[-1]
            joined[-1] = (before[0], max(end, before[1]), f"{before[2]}, {label}")
        else:
            joined.append((start, end, label))
    return tuple(joined)


def _lines(analysis: Analysis, probe: int) -> list[list[Point]]:
    """The probe's readings, broken where samples are missing or the probe was at fault."""
    interval_ms = analysis.profile.interval_s * 1000 if analysis.profile else None
    threshold_ms = gap_threshold_ms(interval_ms) if interval_ms else _HOUR_MS
    lines: list[list[Point]] = [[]]
    before: Moment | None = None
    for sample in analysis.samples:
        if probe not in sample.readings:
            continue
        temp_centi_c = sample.temp_centi_c(probe)
        here = sample.moment
        is_new = before is not None and (
            here.boot != before.boot or here.up_ms - before.up_ms > threshold_ms
        )
        if (temp_centi_c is None or is_new) and lines[-1]:
            lines.append([])
        if temp_centi_c is not None:
            lines[-1].append((float(here.axis_ms), temp_centi_c / 100))
        before = here
    return [line for line in lines if line]


def decimate(line: Sequence[Point], x_range: Span, columns: int) -> tuple[Point, ...]:
    """At most two points per column: the least and the greatest, in order of time."""
    if len(line) <= 2:
        return tuple(line)
    width = (x_range[1] - x_range[0]) / columns or 1.0
    kept: list[Point] = [line[0]]
    column, least, greatest = int((line[0][0] - x_range[0]) / width), line[0], line[0]
    for point in line:
        here = int((point[0] - x_range[0]) / width)
        if here != column:
            kept += sorted({least, greatest})
            column, least, greatest = here, point, point
        if point[1] < least[1]:
            least = point
        if point[1] > greatest[1]:
            greatest = point
    kept += sorted({least, greatest})
    kept.append(line[-1])
    return tuple(
        point for index, point in enumerate(kept) if index == 0 or point != kept[index - 1]
    )


def _x_range(analysis: Analysis) -> Span:
    places = [sample.moment.axis_ms for sample in analysis.samples]
    places += [at.axis_ms for at in (analysis.start, analysis.end) if at is not None]
    low, high = min(places), max(places)
    return float(low), float(max(high, low + _MINUTE_MS))


def _x_title(analysis: Analysis, x_range: Span) -> str:
    if not analysis.has_utc_axis:
        return "Time since the first entry (calendar time not known)"
    first, last = (_calendar(at).year for at in x_range)
    return f"Time, UTC, {first}" if first == last else f"Time, UTC, {first} to {last}"


def _y_range(temps_c: Sequence[float], rules: Sequence[Rule]) -> Span:
    """Room for all readings, and for limits that lie near them."""
    low, high = (min(temps_c), max(temps_c)) if temps_c else (0.0, 1.0)
    reach = max(high - low, 10.0)
    for rule in rules:
        limit_c = rule.limit_centi_c / 100
        if low - 2 * reach <= limit_c <= high + 4 * reach:
            low, high = min(low, limit_c), max(high, limit_c)
    margin = max((high - low) * 0.07, 0.5)
    return low - margin, high + margin


def _limits(rules: Sequence[Rule], y_range: Span) -> Iterable[Limit]:
    seen: set[tuple[int, bool]] = set()
    for rule in sorted(rules, key=lambda rule: rule.limit_centi_c):
        key = (rule.limit_centi_c, rule.kind.is_upper)
        limit_c = rule.limit_centi_c / 100
        if key not in seen and y_range[0] <= limit_c <= y_range[1]:
            seen.add(key)
            side = "not above" if rule.kind.is_upper else "not below"
            text = temperature(rule.limit_centi_c).replace(".00", "")
            yield Limit(limit_c, f"{side} {text}", rule.kind.is_upper)


def number_ticks(y_range: Span) -> tuple[Tick, ...]:
    """Round numbers, four to eight of them."""
    reach = y_range[1] - y_range[0]
    power = 10 ** math.floor(math.log10(reach / 5))
    step = next(power * m for m in (1, 2, 5, 10) if reach / (power * m) <= 7)
    first = math.ceil(y_range[0] / step)
    last = math.floor(y_range[1] / step)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return tuple(
        Tick(n * step, f"{n * step:.{places}f}".replace("-", "−")) for n in range(first, last + 1)
    )


def time_ticks(x_range: Span, is_utc: bool) -> tuple[Tick, ...]:
    """At most 11 round times; the date stands below the first and at every new day."""
    reach = x_range[1] - x_range[0]
    step = next((s for s in _STEPS_MS if reach / s <= _TICKS_MAX - 1), _STEPS_MS[-1])
    first, last = math.ceil(x_range[0] / step), math.floor(x_range[1] / step)
    ticks, day = [], ""
    for number in range(first, last + 1):
        at = number * step
        if not is_utc:
            ticks.append(Tick(at, _elapsed(at, step)))
            continue
        calendar = _calendar(at)
        date = f"{calendar.day} {_MONTHS[calendar.month - 1]}"
        label = f"{calendar:%H:%M}" if step < _DAY_MS else date
        below = date if step < _DAY_MS and date != day else ""
        ticks.append(Tick(at, label, below))
        day = date
    return tuple(ticks)


def _elapsed(at_ms: float, step_ms: float) -> str:
    if step_ms >= _DAY_MS:
        return f"{at_ms / _DAY_MS:.0f} d"
    if step_ms >= _HOUR_MS:
        return f"{at_ms / _HOUR_MS:.0f} h"
    return f"{at_ms / _MINUTE_MS:.0f} min"


def _calendar(at_ms: float) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return _EPOCH


def _lanes(analysis: Analysis, x_range: Span) -> tuple[Lane, ...]:
    """Marks that share the chart's time axis; empty lanes stay, as they too say something."""

    def until(start: Moment, end: Moment | None) -> Span:
        return (start.axis_ms, end.axis_ms if end is not None else start.axis_ms)

    restarts = {item.at.boot: item.at for item in analysis.restarts}
    power = [
        until(gap.start, gap.end) for gap in analysis.gaps if gap.kind.value == "power off"
    ] or [until(at, None) for at in restarts.values()]
    handovers = [until(at, None) for at, event in analysis.events if event.code == EVENT_ACCEPT]
    lanes = (
        Lane("Power off", tuple(power)),
        Lane("Lid open", tuple(until(lid.start, lid.end) for lid in analysis.lids)),
        Lane("Shock", tuple(until(shock.at, None) for shock in analysis.shocks)),
        Lane("Tilt", tuple(until(tilt.start, tilt.end) for tilt in analysis.tilts)),
        Lane("Handover", tuple(handovers)),
    )
    low, high = x_range
    return tuple(
        Lane(lane.name, tuple((max(a, low), min(b, high)) for a, b in lane.marks if a <= high))
        for lane in lanes
    )
