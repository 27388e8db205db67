# SPDX-License-Identifier: MIT
"""tag.clock: the interval is always true, and only evidence narrows it."""

import random

import pytest

from tag import clock as clock_module
from tag.clock import Clock, ClockContradiction
from tag.uptime import Uptime
from tests.fakes.clockwork import FakeRTC, FakeUptime

T0_MS = 1_795_000_000_000
DAY_MS = 86_400_000


def make(drift_ppm: int = 500) -> tuple[Clock, FakeUptime, FakeRTC]:
    uptime, rtc = FakeUptime(), FakeRTC()
    return Clock(uptime, drift_ppm, rtc), uptime, rtc


def test_a_new_clock_knows_nothing_and_says_so():
    clock, uptime, _ = make()
    uptime.advance(5000)
    assert clock.utc() is None
    assert clock.bounds_ms()[1] is None


def test_time_passing_widens_the_interval_by_the_drift_on_both_sides():
    clock, uptime, _ = make(drift_ppm=500)
    clock.narrow(T0_MS, T0_MS + 1000, clock_module.SRC_SERIAL)
    uptime.advance(DAY_MS)
    assert clock.bounds_ms() == (T0_MS + DAY_MS - 43_200, T0_MS + 1000 + DAY_MS + 43_200)


def test_records_get_whole_seconds_that_only_widen():
    clock, _, _ = make()
    clock.narrow(T0_MS + 999, T0_MS + 1001, clock_module.SRC_SERIAL)
    lo_s, source, width_s = clock.utc()
    assert (lo_s, source, width_s) == (T0_MS // 1000, clock_module.SRC_SERIAL, 2)


def test_two_bounded_statements_intersect():
    clock, _, _ = make()
    clock.narrow(T0_MS, T0_MS + 5000, clock_module.SRC_SERIAL)
    clock.narrow(T0_MS + 3000, T0_MS + 9000, clock_module.SRC_TOKEN)
    assert clock.bounds_ms() == (T0_MS + 3000, T0_MS + 5000)


def test_a_disjoint_statement_changes_nothing():
    clock, _, _ = make()
    clock.narrow(T0_MS, T0_MS + 5000, clock_module.SRC_SERIAL)
    with pytest.raises(ClockContradiction):
        clock.narrow(T0_MS + 6000, T0_MS + 9000, clock_module.SRC_TOKEN)
    assert clock.bounds_ms() == (T0_MS, T0_MS + 5000)


def test_a_lower_bound_never_passes_the_upper_one():
    clock, _, _ = make()
    clock.narrow(T0_MS, T0_MS + 5000, clock_module.SRC_SERIAL)
    assert not clock.raise_lower_bound(T0_MS + 5001, clock_module.SRC_TICKET)
    assert clock.raise_lower_bound(T0_MS + 4000, clock_module.SRC_TICKET)
    assert clock.bounds_ms() == (T0_MS + 4000, T0_MS + 5000)


def test_without_an_upper_bound_a_ticket_moves_the_lower_one_by_thirty_days_at_most():
    clock, _, _ = make()
    clock.restore(T0_MS)
    assert not clock.raise_lower_bound(T0_MS + 31 * DAY_MS, clock_module.SRC_TICKET)
    assert clock.raise_lower_bound(T0_MS + 29 * DAY_MS, clock_module.SRC_TICKET)


def test_a_reset_keeps_the_interval_widened_and_a_power_loss_forgets_the_upper_bound():
    clock, _, rtc = make()
    clock.narrow(T0_MS, T0_MS + 1000, clock_module.SRC_SERIAL)
    rtc.time_ms += 10_000
    again = Clock(FakeUptime(), 500, rtc)
    assert again.resume_from_rtc()
    assert again.bounds_ms() == (T0_MS + 10_000 - 5, T0_MS + 1000 + 10_000 + 5)
    rtc.lose_power()
    dark = Clock(FakeUptime(), 500, rtc)
    assert not dark.resume_from_rtc()
    dark.restore(T0_MS + 7)
    assert dark.bounds_ms() == (T0_MS + 7, None)


@pytest.mark.parametrize("index", range(36))  # the clock's part of the RTC's memory
def test_a_damaged_cache_is_not_believed(index: int):
    clock, _, rtc = make()
    clock.narrow(T0_MS, T0_MS + 1000, clock_module.SRC_SERIAL)
    damaged = bytearray(rtc.content)
    damaged[index] ^= 0x10
    rtc.content = bytes(damaged)
    again = Clock(FakeUptime(), 500, rtc)
    assert not again.resume_from_rtc()
    assert again.bounds_ms() == (0, None)


def test_a_cache_that_the_log_contradicts_is_not_believed():
    clock, _, rtc = make()
    clock.narrow(T0_MS, T0_MS + 1000, clock_module.SRC_SERIAL)
    again = Clock(FakeUptime(), 500, rtc)
    again.restore(T0_MS + DAY_MS)
    assert not again.resume_from_rtc()
    assert again.bounds_ms() == (T0_MS + DAY_MS, None)


def test_the_true_time_is_always_inside_over_random_lives():
    """A drifting crystal within its figure, statements true at their time, random resets."""
    source = random.Random(7)
    for _ in range(300):
        true_ms, rate_ppm = T0_MS, source.randint(-500, 500)
        uptime, rtc = FakeUptime(), FakeRTC()
        clock = Clock(uptime, 500, rtc)
        for _ in range(20):
            ticks_ms = source.randint(0, DAY_MS)
            uptime.advance(ticks_ms)
            rtc.time_ms += ticks_ms
            true_ms += ticks_ms * 1_000_000 // (1_000_000 + rate_ppm)
            act = source.randint(0, 3)
            if act == 0:
                error_ms = source.randint(0, 60_000)
                clock.narrow(true_ms - error_ms, true_ms + error_ms, clock_module.SRC_TOKEN)
            elif act == 1:
                clock.raise_lower_bound(true_ms - source.randint(0, DAY_MS), 4)
            elif act == 2:
                lo_ms = clock.bounds_ms()[0]
                uptime = FakeUptime()
                clock = Clock(uptime, 500, rtc)
                clock.restore(lo_ms)
                clock.resume_from_rtc()
            lo_ms, hi_ms = clock.bounds_ms()
            assert lo_ms <= true_ms
            assert hi_ms is None or true_ms <= hi_ms


def test_uptime_goes_on_when_the_ticks_wrap():
    period = 1 << 30
    ticks = [period - 5]

    def difference(new: int, old: int) -> int:
        return (new - old + period // 2) % period - period // 2

    uptime = Uptime(lambda: ticks[0], difference)
    ticks[0] = 10
    assert uptime.now_ms() == 15
    ticks[0] = 500_000_000
    assert uptime.now_ms() == 15 + 499_999_990
