# SPDX-License-Identifier: MIT
"""Alarm engine: what the vectors (tests/vectors/alarm) do not say."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwire import alarm, labels, profile

MINUTE_MS = 60_000
FAULT = labels.FAULT_BASE + labels.FAULT_OPEN


def _engine(*rules, spent_ms=None):
    return alarm.AlarmEngine(profile.build("x", 60, list(rules)), spent_ms)


def test_the_engine_says_whether_it_is_in_alarm():
    engine = _engine((1, 0, labels.RULE_ABOVE, 800, 0, 0))
    assert not engine.is_alarm
    engine.sample(0, [900])
    assert engine.is_alarm
    engine.sample(MINUTE_MS, [700])
    assert not engine.is_alarm


def test_a_spent_budget_survives_a_reboot():
    rule = (4, 0, labels.RULE_ABOVE_TOTAL, 800, 180, 0)
    first = _engine(rule)
    first.sample(0, [900])
    first.sample(MINUTE_MS, [900])
    first.sample(2 * MINUTE_MS, [700])
    assert first.spent_ms == [2 * MINUTE_MS]
    second = _engine(rule, spent_ms=first.spent_ms)
    assert second.sample(1_000, [900]) == []
    events = second.sample(1_000 + MINUTE_MS, [700])
    assert events == [(labels.EVENT_ALARM_START, [4, 0, 900])]


def test_a_budget_spent_before_a_reboot_alarms_with_the_next_excursion_not_before():
    engine = _engine((4, 0, labels.RULE_ABOVE_TOTAL, 800, 180, 0), spent_ms=[180_000])
    assert engine.sample(0, [700]) == []
    assert engine.sample(MINUTE_MS, [900]) == [(labels.EVENT_ALARM_START, [4, 0, 900])]


def test_nothing_happens_twice_at_the_end_of_a_trip():
    engine = _engine((1, 0, labels.RULE_ABOVE, 800, 0, 0), (2, 0, labels.RULE_BELOW, 200, 0, 0))
    engine.sample(0, [900])
    assert len(engine.end_trip(MINUTE_MS)) == 1
    assert engine.end_trip(MINUTE_MS) == []
    assert not engine.is_alarm


@pytest.mark.parametrize("is_out", [True, False], ids=["out", "back"])
def test_a_spent_budget_is_closed_once_at_the_end_of_a_trip(is_out):
    """The tag ends a trip's alarms, then puts the next profile in force, which ends them too."""
    engine = _engine((3, 0, labels.RULE_ABOVE_TOTAL, 800, 60, 0))
    engine.sample(0, [900])
    assert [code for code, _ in engine.sample(MINUTE_MS, [900])] == [labels.EVENT_ALARM_START]
    if not is_out:
        engine.sample(2 * MINUTE_MS, [700])
    ended = [code for code, _ in engine.end_trip(3 * MINUTE_MS)]
    assert ended == [labels.EVENT_ALARM_END]
    assert engine.end_trip(3 * MINUTE_MS) == []
    assert not engine.is_alarm


def test_a_budget_that_runs_out_at_the_very_end_is_an_alarm_and_its_end():
    engine = _engine((3, 0, labels.RULE_ABOVE_TOTAL, 800, 60, 0))
    engine.sample(0, [900])
    ended = [code for code, _ in engine.end_trip(MINUTE_MS)]
    assert ended == [labels.EVENT_ALARM_START, labels.EVENT_ALARM_END]


def test_lists_of_events_are_not_shared_between_samples():
    engine = _engine((1, 0, labels.RULE_ABOVE, 800, 0, 0))
    first = engine.sample(0, [900])
    second = engine.sample(MINUTE_MS, [700])
    assert [code for code, _ in first] == [labels.EVENT_ALARM_START]
    assert [code for code, _ in second] == [labels.EVENT_ALARM_END]


@pytest.mark.parametrize("duration_s", [60, 61, 119, 120])
def test_a_consecutive_rule_waits_for_its_whole_duration(duration_s):
    engine = _engine((1, 0, labels.RULE_ABOVE_FOR, 800, duration_s, 0))
    started = [index for index in range(4) if engine.sample(index * MINUTE_MS, [900])]
    assert started == [-(-duration_s // 60)]


# A second, slower reading of the same rules: the whole series at once, no state.

VALUES = st.sampled_from([600, 749, 750, 760, 800, 801, 900, FAULT])
SERIES = st.lists(st.tuples(st.integers(1, 200), VALUES), max_size=40)


def _excursions_at_once(series, limit, hysteresis, duration_ms):
    """[(start_ms, end_ms or None, extreme, reason)] of an "above" rule, kinds 0 and 2."""
    found = []
    began = worst = lost = None
    for up_ms, value in series:
        if value >= labels.FAULT_BASE:
            lost = up_ms if lost is None else lost
        if began is not None and lost is not None and up_ms - lost > duration_ms:
            found.append((began, lost, worst, labels.END_PROBE_LOST))
            began = None
        if value >= labels.FAULT_BASE:
            continue
        lost = None
        if began is None and value > limit:
            began, worst = up_ms, value
        elif began is not None and value <= limit - hysteresis:
            found.append((began, up_ms, worst, labels.END_BACK_IN_LIMITS))
            began = None
        if began is not None:
            worst = max(worst, value)
    return found


@settings(max_examples=300, deadline=None)
@given(SERIES, st.sampled_from([0, 1, 90]))
def test_alarms_are_the_excursions_that_lasted(gaps, duration_s):
    series, up_ms = [], 0
    for gap_s, value in gaps:
        up_ms += gap_s * 1000
        series.append((up_ms, value))
    kind = labels.RULE_ABOVE_FOR if duration_s else labels.RULE_ABOVE
    engine = _engine((1, 0, kind, 800, duration_s, 50))
    ended = []
    for at_ms, value in series:
        for code, data in engine.sample(at_ms, [value]):
            if code == labels.EVENT_ALARM_END:
                ended.append((data[2], data[3], data[4]))
    expected = []
    for began, end, worst, reason in _excursions_at_once(series, 800, 50, duration_s * 1000):
        inside = [at for at, v in series if began <= at < end and v < labels.FAULT_BASE]
        if inside and inside[-1] - began >= duration_s * 1000:
            expected.append((worst, end - began, reason))
    assert ended == expected


@settings(max_examples=200, deadline=None)
@given(SERIES)
def test_a_cumulative_rule_counts_every_second_beyond_the_limit_once(gaps):
    series, up_ms = [], 0
    for gap_s, value in gaps:
        up_ms += gap_s * 1000
        series.append((up_ms, value))
    engine = _engine((1, 0, labels.RULE_ABOVE_TOTAL, 800, 1, 0))
    for at_ms, value in series:
        engine.sample(at_ms, [value])
    engine.end_trip(up_ms + 5_000)
    series.append((up_ms + 5_000, FAULT))
    total = sum(
        after - at for (at, value), (after, _) in pairwise(series) if 800 < value < FAULT - 1
    )
    assert engine.spent_ms == [total]
