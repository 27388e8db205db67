# SPDX-License-Identifier: MIT
"""Alarms recomputed on the host: the tag's engine, the tag's own alarms beside it."""

from dataclasses import replace

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.analysis.results import Excursion, ExcursionEnd, Verdict
from sealtrail.model import Event, ProbeFault, Reading, VerifiedEvidence
from sealwire import labels
from tests.fakes.evidence_samples import MINUTE_MS, QUIET, shipment, with_tag_alarms

HIGH_AT_ONCE = (1, 0, 0, 800, 0, 50)
HIGH_FOR_10_MIN = (2, 0, 2, 800, 600, 50)
HIGH_10_MIN_IN_ALL = (3, 0, 4, 800, 600, 50)
LOW_AT_ONCE = (4, 0, 1, 200, 0, 50)


def trip(
    rule: tuple[int, ...],
    values: list[int | None],
    step_ms: int = MINUTE_MS,
    restart_at: int | None = None,
    is_ended: bool = True,
) -> VerifiedEvidence:
    """A trip of one probe with these values; None is an open probe."""
    story = replace(QUIET, rules=(rule,), interval_s=60, days=0.1, with_alarms=False)
    evidence = shipment(story)
    start = evidence.trips[0].start
    readings = []
    for index, value in enumerate(values):
        boot, up_ms = start.boot, start.up_ms + index * step_ms
        if restart_at is not None and index >= restart_at:
            boot, up_ms = start.boot + 1, 1_000 + (index - restart_at) * step_ms
        fault = ProbeFault.OPEN if value is None else None
        readings.append(Reading(0, boot, up_ms, None, value, fault, 3))
    last = readings[-1]
    end = Event(labels.EVENT_TRIP_END, last.boot, last.up_ms + step_ms, None, [4], 99)
    trips = (replace(evidence.trips[0], end=end if is_ended else None),)
    events = (start, end) if is_ended else (start,)
    return replace(evidence, readings=tuple(readings), events=events, trips=trips, custody=())


def only(evidence: VerifiedEvidence) -> Excursion:
    (found,) = analyse(evidence).excursions
    return found


def test_at_once_breaks_at_the_first_reading_beyond_the_limit_and_not_on_it() -> None:
    assert analyse(trip(HIGH_AT_ONCE, [800, 800, 800])).excursions == ()
    found = only(trip(HIGH_AT_ONCE, [700, 801, 750, 700]))
    assert (found.extreme_centi_c, found.duration_ms) == (801, MINUTE_MS)


def test_an_excursion_ends_only_when_back_by_the_hysteresis() -> None:
    found = only(trip(HIGH_AT_ONCE, [700, 900, 790, 760, 750, 700]))
    assert found.duration_ms == 3 * MINUTE_MS
    assert found.ended is ExcursionEnd.BACK_IN_LIMITS


def test_a_rule_with_a_time_fires_only_after_that_time_without_a_break() -> None:
    assert analyse(trip(HIGH_FOR_10_MIN, [700] + [900] * 10 + [700])).excursions == ()
    found = only(trip(HIGH_FOR_10_MIN, [700] + [900] * 12 + [700]))
    assert found.alarm.up_ms - found.start.up_ms == 10 * MINUTE_MS
    assert found.duration_ms == 12 * MINUTE_MS


def test_a_cumulative_rule_adds_up_short_breaks() -> None:
    values = ([900] * 4 + [700]) * 3
    found = only(trip(HIGH_10_MIN_IN_ALL, [700, *values]))
    assert found.duration_ms == 12 * MINUTE_MS
    assert found.ended is ExcursionEnd.BACK_IN_LIMITS


def test_a_cumulative_rule_adds_up_over_a_restart() -> None:
    values = [700] + [900] * 8 + [700] + [900] * 8 + [700]
    assert analyse(trip(HIGH_10_MIN_IN_ALL, values, restart_at=9)).verdict is Verdict.EXCURSION


def test_too_cold_is_an_excursion_with_the_lowest_reading_as_its_extreme() -> None:
    assert only(trip(LOW_AT_ONCE, [300, 150, 120, 180, 300])).extreme_centi_c == 120


def test_an_excursion_open_at_a_power_cut_ends_at_the_last_reading_and_says_so() -> None:
    found = analyse(trip(HIGH_AT_ONCE, [700, 900, 910, 920, 700], restart_at=3)).excursions
    assert [(e.ended, e.extreme_centi_c) for e in found] == [
        (ExcursionEnd.POWER_LOST, 910),
        (ExcursionEnd.BACK_IN_LIMITS, 920),
    ]


def test_an_excursion_open_at_the_last_reading_of_an_open_trip_is_still_open() -> None:
    found = only(trip(HIGH_AT_ONCE, [700, 900, 910], is_ended=False))
    assert found.ended is ExcursionEnd.STILL_OPEN


def test_an_excursion_whose_probe_is_lost_is_closed_as_probe_lost() -> None:
    found = only(trip(HIGH_AT_ONCE, [700, 900, 910, None, None, None, 700]))
    assert found.ended is ExcursionEnd.PROBE_LOST
    assert found.extreme_centi_c == 910


def test_an_excursion_with_an_unsigned_reading_is_not_proven() -> None:
    evidence = trip(HIGH_AT_ONCE, [700, 900, 910, 700])
    readings = list(evidence.readings)
    readings[2] = replace(readings[2], proven=False)
    assert not only(replace(evidence, readings=tuple(readings))).proven


def test_an_honest_tags_alarms_agree_with_the_recomputed_ones() -> None:
    found = analyse(shipment())
    assert len(found.excursions) == 2
    assert found.findings == ()


def test_an_alarm_the_tag_kept_silent_about_is_a_finding() -> None:
    evidence = with_tag_alarms(trip(HIGH_AT_ONCE, [700, 900, 910, 700]))
    silent = tuple(e for e in evidence.events if e.code != labels.EVENT_ALARM_START)
    found = analyse(replace(evidence, events=silent))
    assert found.verdict is Verdict.EXCURSION
    assert ["alarm start that the tag did not log" in text for text in found.findings] == [True]


def test_an_alarm_that_the_readings_do_not_show_makes_the_trip_undecided() -> None:
    evidence = trip(HIGH_AT_ONCE, [700] * 20)
    start = evidence.trips[0].start
    alarm = Event(labels.EVENT_ALARM_START, start.boot, start.up_ms + 9, None, [1, 0, 900], 3)
    found = analyse(replace(evidence, events=(start, alarm, evidence.events[-1])))
    assert found.verdict is Verdict.UNDECIDED
    assert any("its readings do not show" in text for text in found.findings)


def test_an_alarm_logged_a_little_after_its_sample_is_the_same_alarm() -> None:
    evidence = with_tag_alarms(trip(HIGH_AT_ONCE, [700, 900, 910, 700, 700]))
    shifted = tuple(
        replace(e, up_ms=e.up_ms + 3_000)
        if e.code in (labels.EVENT_ALARM_START, labels.EVENT_ALARM_END)
        else e
        for e in evidence.events
    )
    assert analyse(replace(evidence, events=shifted)).findings == ()


def test_an_alarm_the_tag_closes_just_after_the_trips_end_is_the_same_alarm() -> None:
    evidence = with_tag_alarms(trip(HIGH_AT_ONCE, [700, 900, 910]))
    late = tuple(
        replace(e, up_ms=e.up_ms + 300) if e.code == labels.EVENT_ALARM_END else e
        for e in evidence.events
    )
    assert analyse(replace(evidence, events=late)).findings == ()


@pytest.mark.parametrize("shift_ms", [-900, 900])
def test_a_rules_time_used_up_to_the_second_is_judged_as_the_tag_judged_it(shift_ms: int) -> None:
    # On the tag the tenth minute was full, or not quite; the record rounds it away.
    evidence = trip(HIGH_FOR_10_MIN, [700] + [900] * 11 + [700, 700])
    exact = list(evidence.readings)
    exact[11] = replace(exact[11], up_ms=exact[11].up_ms + shift_ms)
    on_tag = with_tag_alarms(replace(evidence, readings=tuple(exact)))
    found = analyse(replace(on_tag, readings=evidence.readings))
    assert found.findings == ()
    assert len(found.excursions) == (1 if shift_ms > 0 else 0)


@pytest.mark.parametrize("count", [25, 60])
def test_many_differences_are_told_in_bounded_length(count: int) -> None:
    evidence = trip(HIGH_AT_ONCE, [700] * 100)
    start = evidence.trips[0].start
    alarms = tuple(
        Event(labels.EVENT_ALARM_START, start.boot, start.up_ms + n * 60_000, None, [1, 0, n], 3)
        for n in range(count)
    )
    found = analyse(replace(evidence, events=(start, *alarms, evidence.events[-1])))
    assert len(found.findings) == 21
    assert found.findings[-1].startswith(f"{count - 20} more")


def test_a_cumulative_rule_is_one_finding_however_often_the_tag_restarted() -> None:
    """What was outside is counted; the hours after a power cut that were inside are not."""
    found = only(trip(HIGH_10_MIN_IN_ALL, [700, *([900] * 11), *([700] * 200)]))
    assert found.duration_ms == 11 * MINUTE_MS
    assert found.ended is ExcursionEnd.BACK_IN_LIMITS
