# SPDX-License-Identifier: MIT
"""sealtrail.evidence.timeline: the true time is always inside, and never pretended narrower."""

import random

from sealtrail.evidence.timeline import Bound, Timeline
from sealtrail.model import UtcInterval

T0 = 1_795_000_000_000
DAY_MS = 86_400_000


def settled(*bounds: tuple[int, Bound], spans: tuple[tuple[int, int], ...] = ()) -> Timeline:
    timeline = Timeline()
    for boot, bound in bounds:
        timeline.add_bound(boot, bound)
        timeline.add_span(boot, bound.up_ms)
    for boot, up_ms in spans:
        timeline.add_span(boot, up_ms)
    timeline.settle()
    return timeline


def test_a_bound_moves_with_uptime_and_widens_by_500_ppm_on_both_sides():
    timeline = settled((1, Bound(1000, T0, T0 + 10)))
    assert timeline.at(1, 1000) == UtcInterval(T0, T0 + 10)
    day_later = UtcInterval(T0 + DAY_MS - 43_200, T0 + 10 + DAY_MS + 43_200)
    assert timeline.at(1, 1000 + DAY_MS) == day_later
    assert timeline.at(1, 0) == UtcInterval(T0 - 1000 - 1, T0 + 10 - 1000 + 1)


def test_two_bounds_of_one_boot_are_intersected():
    timeline = settled((1, Bound(0, T0, T0 + 9000)), (1, Bound(1000, T0 + 4000, T0 + 20_000)))
    assert timeline.at(1, 0) == UtcInterval(T0 + 2999, T0 + 9000)


def test_without_an_upper_bound_none_is_invented():
    timeline = settled((1, Bound(0, T0, None)))
    assert timeline.at(1, 5000) == UtcInterval(T0 + 5000 - 3, None)


def test_a_boot_without_a_clock_lies_between_its_neighbours():
    timeline = settled(
        (1, Bound(0, T0, T0 + 100)),
        (3, Bound(0, T0 + DAY_MS, T0 + DAY_MS + 100)),
        spans=((2, 0), (2, 60_000)),
    )
    assert timeline.at(2, 0) == UtcInterval(T0, T0 + DAY_MS + 100 - 60_000 + 30)


def test_a_boot_with_a_lower_bound_only_gets_the_upper_one_of_the_next_boot():
    timeline = settled((1, Bound(500, T0, None)), (2, Bound(0, T0 + 5000, T0 + 6000)))
    assert timeline.at(1, 500) == UtcInterval(T0, T0 + 6000)


def test_nothing_known_is_nothing_said():
    timeline = settled(spans=((1, 0),))
    assert timeline.at(1, 0) is None
    assert timeline.at(9, 0) is None


def test_bounds_that_differ_beyond_drift_are_shown_whole_and_noted():
    timeline = settled((1, Bound(0, T0, T0 + 10)), (1, Bound(1000, T0 + 9000, T0 + 9010)))
    shown = timeline.at(1, 0)
    assert shown is not None and shown.hi_ms is not None and shown.lo_ms < shown.hi_ms
    assert timeline.has_contradiction


def test_the_true_time_is_inside_over_random_lives():
    source = random.Random(3)
    for _ in range(200):
        timeline, truth, now_ms = Timeline(), [], T0
        for boot in range(1, source.randint(2, 5)):
            now_ms += source.randint(0, DAY_MS)
            rate_ppm, begin_ms = source.randint(-499, 499), now_ms
            up_ms = 0
            for _ in range(source.randint(1, 8)):
                up_ms += source.randint(0, DAY_MS // 4)
                now_ms = begin_ms + up_ms * (1_000_000 + rate_ppm) // 1_000_000
                truth.append((boot, up_ms, now_ms))
                timeline.add_span(boot, up_ms)
                if source.random() < 0.4:
                    error_ms = source.randint(0, 60_000)
                    hi_ms = now_ms + error_ms if source.random() < 0.6 else None
                    timeline.add_bound(boot, Bound(up_ms, now_ms - error_ms, hi_ms))
        timeline.settle()
        for boot, up_ms, true_ms in truth:
            shown = timeline.at(boot, up_ms)
            if shown is not None:
                assert shown.lo_ms <= true_ms + 1
                assert shown.hi_ms is None or true_ms - 1 <= shown.hi_ms
        assert not timeline.has_contradiction
