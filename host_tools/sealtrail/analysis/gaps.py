# SPDX-License-Identifier: MIT
"""Spans of a trip that can't be judged: no power, no room, no valid reading, no signature.

A span runs from the last good reading to the next good one, because that is all that is
known. A spacing counts as a gap above 1.5 times the profile's interval (and 5 s more than
it): one reading late by a few seconds is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from sealtrail.analysis.results import Gap, GapKind, Moment, Sample
from sealtrail.model import ProbeFault, Reading

_SLACK_MS = 5_000


def gap_threshold_ms(interval_ms: int) -> int:
    """Spacing in ms above which readings are missing."""
    return max(interval_ms * 3 // 2, interval_ms + _SLACK_MS)


def find_gaps(
    samples: Sequence[Sample], start: Moment, end: Moment | None, interval_ms: int
) -> tuple[Gap, ...]:
    """All gaps from *start* to *end* (None: the trip is open, so the last sample ends it)."""
    stops = [start, *(sample.moment for sample in samples)]
    if end is not None:
        stops.append(end)
    threshold_ms = gap_threshold_ms(interval_ms)
    gaps = [
        gap
        for earlier, later in pairwise(stops)
        if (gap := _gap_between(earlier, later, threshold_ms)) is not None
    ]
    for probe in sorted({probe for sample in samples for probe in sample.readings}):
        gaps += _probe_gaps(samples, probe)
    return tuple(sorted(gaps, key=lambda gap: (gap.start.boot, gap.start.up_ms, gap.probe or 0)))


def name_refusals(
    gaps: Sequence[Gap], refusals: Sequence[tuple[Moment, int]]
) -> tuple[tuple[Gap, ...], int]:
    """(gaps, refused entries that lie in none of them).

    A span without readings in which a full log refused some is one of those. *refusals*: when
    the log said so, and how many more than when it said so before.
    """
    named: list[Gap] = []
    left = list(refusals)
    for gap in gaps:
        own = [one for one in left if gap.probe is None and _is_within(one[0], gap)]
        left = [one for one in left if one not in own]
        count = sum(more for _, more in own)
        named.append(replace(gap, kind=GapKind.REFUSED, refused_count=count) if count else gap)
    return tuple(named), sum(more for _, more in left)


def _is_within(moment: Moment, gap: Gap) -> bool:
    place = (moment.boot, moment.up_ms)
    # The log says that it takes readings again just after the first that it took was made.
    return (gap.start.boot, gap.start.up_ms) <= place <= (gap.end.boot, gap.end.up_ms + _SLACK_MS)


def _gap_between(earlier: Moment, later: Moment, threshold_ms: int) -> Gap | None:
    if earlier.boot == later.boot:
        spacing_ms = later.up_ms - earlier.up_ms
        if spacing_ms <= threshold_ms:
            return None
        return Gap(GapKind.MISSED, None, earlier, later, spacing_ms)
    if earlier.utc is None or later.utc is None:
        # Without a clock on both sides a restart may hide any length of time.
        return Gap(GapKind.POWER_OFF, None, earlier, later, None)
    spacing_ms = max(0, later.axis_ms - earlier.axis_ms)
    if spacing_ms <= threshold_ms:
        return None
    return Gap(GapKind.POWER_OFF, None, earlier, later, spacing_ms)


def _probe_gaps(samples: Sequence[Sample], probe: int) -> list[Gap]:
    faults = _runs(samples, probe, lambda reading: reading.fault is not None)
    unsigned = _runs(samples, probe, lambda reading: not reading.proven)
    return [
        Gap(GapKind.PROBE_FAULT, probe, first, last, _length_ms(first, last), fault)
        for first, last, fault in faults
    ] + [
        Gap(GapKind.UNPROVEN, probe, first, last, _length_ms(first, last))
        for first, last, _ in unsigned
    ]


def _runs(
    samples: Sequence[Sample], probe: int, is_bad: Callable[[Reading], bool]
) -> list[tuple[Moment, Moment, ProbeFault | None]]:
    """(from, to, first fault) of each run of bad readings, bounded by the good ones around it."""
    runs: list[tuple[Moment, Moment, ProbeFault | None]] = []
    before: Moment | None = None
    begun: tuple[Moment, ProbeFault | None] | None = None
    last: Moment | None = None
    for sample in samples:
        reading = sample.readings.get(probe)
        if reading is None:
            continue
        last = sample.moment
        if is_bad(reading):
            if begun is None:
                begun = (before or sample.moment, reading.fault)
        else:
            if begun is not None:
                runs.append((begun[0], sample.moment, begun[1]))
                begun = None
            before = sample.moment
    if begun is not None and last is not None:
        runs.append((begun[0], last, begun[1]))
    return runs


def _length_ms(first: Moment, last: Moment) -> int | None:
    if first.boot == last.boot:
        return last.up_ms - first.up_ms
    if first.utc is None or last.utc is None:
        return None
    return max(0, last.axis_ms - first.axis_ms)
