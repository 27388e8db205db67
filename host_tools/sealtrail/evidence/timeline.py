# SPDX-License-Identifier: MIT
"""When things happened: UTC intervals from everything that bounds a boot's clock (section 12).

Each bound says: at this uptime of this boot, UTC lay in [lo, hi]. Moved to another uptime
of the same boot it widens by the drift on both sides; all of them are intersected. A boot
that has none, or no upper one, is bounded by its neighbours: time does not go back.
"""

import bisect
from dataclasses import dataclass, field

from sealtrail.model import UtcInterval

DRIFT_PPM = 500
_FAR_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Bound:
    """At *up_ms* UTC lay between *lo_ms* and *hi_ms* (None: unknown)."""

    up_ms: int
    lo_ms: int
    hi_ms: int | None


@dataclass(slots=True)
class _Boot:
    bounds: list[Bound] = field(default_factory=list)
    first_up_ms: int = _FAR_MS
    last_up_ms: int = 0
    ups: list[int] = field(default_factory=list)
    # Tightest values from the left and from the right at each bound's uptime.
    lo_left: list[int] = field(default_factory=list)
    lo_right: list[int] = field(default_factory=list)
    hi_left: list[int] = field(default_factory=list)
    hi_right: list[int] = field(default_factory=list)
    floor_ms: int | None = None  # UTC at first_up_ms is not below
    ceiling_ms: int | None = None  # UTC at last_up_ms is not above


class Timeline:
    """Answers `at(boot, up_ms)`. Give it all bounds and spans first, then `settle` it."""

    def __init__(self) -> None:
        self._boots: dict[int, _Boot] = {}
        self.has_contradiction = False

    def add_bound(self, boot: int, bound: Bound) -> None:
        """Something that knew the time at *bound.up_ms* of *boot*."""
        self._boots.setdefault(boot, _Boot()).bounds.append(bound)

    def add_span(self, boot: int, up_ms: int) -> None:
        """Something happened at *up_ms* of *boot*; that bounds the boots beside it."""
        one = self._boots.setdefault(boot, _Boot())
        one.first_up_ms = min(one.first_up_ms, up_ms)
        one.last_up_ms = max(one.last_up_ms, up_ms)

    def settle(self) -> None:
        """Prepares the answers: linear in the number of bounds, but for one sort."""
        for one in self._boots.values():
            one.bounds.sort(key=lambda bound: bound.up_ms)
            one.ups = [bound.up_ms for bound in one.bounds]
            _sweep(one)
        self._lay_neighbours()

    def at(self, boot: int, up_ms: int) -> UtcInterval | None:
        """The interval of UTC at *up_ms* of *boot*; None where nothing is known at all."""
        one = self._boots.get(boot)
        if one is None:
            return None
        lo_ms, hi_ms = _own(one, up_ms)
        if one.floor_ms is not None:
            lo_ms = max(lo_ms, one.floor_ms + _least(up_ms - one.first_up_ms))
        if one.ceiling_ms is not None:
            hi_ms = min(hi_ms, one.ceiling_ms - _least(one.last_up_ms - up_ms))
        if lo_ms <= -_FAR_MS:
            return None
        if hi_ms >= _FAR_MS:
            return UtcInterval(lo_ms, None)
        if hi_ms < lo_ms:
            # Bounds that drift beyond 500 ppm: show both ends, and say so.
            self.has_contradiction = True
            return UtcInterval(hi_ms, lo_ms)
        return UtcInterval(lo_ms, hi_ms)

    def _lay_neighbours(self) -> None:
        numbers = sorted(n for n, one in self._boots.items() if one.first_up_ms < _FAR_MS)
        floor_ms: int | None = None
        for number in numbers:
            one = self._boots[number]
            one.floor_ms = floor_ms
            end = self.at(number, one.last_up_ms)
            floor_ms = floor_ms if end is None else end.lo_ms
        ceiling_ms: int | None = None
        for number in reversed(numbers):
            one = self._boots[number]
            one.ceiling_ms = ceiling_ms
            begin = self.at(number, one.first_up_ms)
            if begin is not None and begin.hi_ms is not None:
                ceiling_ms = begin.hi_ms


def _sweep(one: _Boot) -> None:
    """Running best bounds: a bound is worth the less the further away it is."""
    lo_ms, hi_ms, last_up_ms = -_FAR_MS, _FAR_MS, 0
    for bound in one.bounds:
        passed_ms = bound.up_ms - last_up_ms
        lo_ms = max(bound.lo_ms, _later_lo(lo_ms, passed_ms))
        hi_ms = min(_known(bound.hi_ms), _later_hi(hi_ms, passed_ms))
        one.lo_left.append(lo_ms)
        one.hi_left.append(hi_ms)
        last_up_ms = bound.up_ms
    lo_ms, hi_ms = -_FAR_MS, _FAR_MS
    for bound in reversed(one.bounds):
        passed_ms = last_up_ms - bound.up_ms
        lo_ms = max(bound.lo_ms, _earlier_lo(lo_ms, passed_ms))
        hi_ms = min(_known(bound.hi_ms), _earlier_hi(hi_ms, passed_ms))
        one.lo_right.append(lo_ms)
        one.hi_right.append(hi_ms)
        last_up_ms = bound.up_ms
    one.lo_right.reverse()
    one.hi_right.reverse()


def _own(one: _Boot, up_ms: int) -> tuple[int, int]:
    lo_ms, hi_ms = -_FAR_MS, _FAR_MS
    index = bisect.bisect_right(one.ups, up_ms)
    if index > 0:
        passed_ms = up_ms - one.ups[index - 1]
        lo_ms = _later_lo(one.lo_left[index - 1], passed_ms)
        hi_ms = _later_hi(one.hi_left[index - 1], passed_ms)
    if index < len(one.ups):
        passed_ms = one.ups[index] - up_ms
        lo_ms = max(lo_ms, _earlier_lo(one.lo_right[index], passed_ms))
        hi_ms = min(hi_ms, _earlier_hi(one.hi_right[index], passed_ms))
    return lo_ms, hi_ms


def _known(hi_ms: int | None) -> int:
    return _FAR_MS if hi_ms is None else hi_ms


def _slack(passed_ms: int) -> int:
    return -(-passed_ms * DRIFT_PPM // 1_000_000)


def _least(passed_ms: int) -> int:
    return passed_ms - _slack(passed_ms)


def _later_lo(lo_ms: int, passed_ms: int) -> int:
    return lo_ms if lo_ms <= -_FAR_MS else lo_ms + passed_ms - _slack(passed_ms)


def _later_hi(hi_ms: int, passed_ms: int) -> int:
    return hi_ms if hi_ms >= _FAR_MS else hi_ms + passed_ms + _slack(passed_ms)


def _earlier_lo(lo_ms: int, passed_ms: int) -> int:
    return lo_ms if lo_ms <= -_FAR_MS else lo_ms - passed_ms - _slack(passed_ms)


def _earlier_hi(hi_ms: int, passed_ms: int) -> int:
    return hi_ms if hi_ms >= _FAR_MS else hi_ms - passed_ms + _slack(passed_ms)
