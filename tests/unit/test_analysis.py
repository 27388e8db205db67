# SPDX-License-Identifier: MIT
"""What a trip's records mean: figures, gaps, events, verdict."""

from dataclasses import replace

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.analysis.axis import TimeAxis
from sealtrail.analysis.gaps import gap_threshold_ms
from sealtrail.analysis.results import GapKind, Verdict
from sealtrail.errors import UsageError
from sealtrail.model import Completeness, Event, ProbeFault, Reading, UtcInterval
from tests.fakes.evidence_samples import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    QUIET,
    START_MS,
    Story,
    profile_bytes,
    shipment,
)


def test_a_quiet_trip_that_is_proved_complete_is_within_limits() -> None:
    found = analyse(shipment(QUIET))
    assert found.verdict is Verdict.WITHIN_LIMITS
    assert (found.reasons, found.gaps, found.excursions) == ((), (), ())


def test_the_bad_trip_tells_every_excursion_gap_opening_shock_tilt_and_restart() -> None:
    found = analyse(shipment())
    assert found.verdict is Verdict.EXCURSION
    assert [(e.rule.rule_id, e.extreme_centi_c) for e in found.excursions] == [
        (1, -12_685),
        (2, -12_685),
    ]
    assert [(g.kind, g.probe, g.duration_ms) for g in found.gaps] == [
        (GapKind.PROBE_FAULT, 0, 25 * MINUTE_MS),
        (GapKind.POWER_OFF, None, 125 * MINUTE_MS),
    ]
    assert [lid.open_ms for lid in found.lids] == [35 * MINUTE_MS]
    assert [(s.peak_mg, s.axis, s.count) for s in found.shocks] == [(9_400, 2, 3), (4_100, 0, 1)]
    assert [(t.angle_max_deg, t.duration_ms) for t in found.tilts] == [(74, 41 * MINUTE_MS)]
    assert [r.at.boot for r in found.restarts] == [8]


def test_an_excursion_runs_from_the_first_reading_outside_to_the_first_one_back_inside() -> None:
    item = analyse(shipment()).excursions[0]
    opened_ms = START_MS + 2 * DAY_MS + 6 * HOUR_MS + 30 * MINUTE_MS
    assert item.start.axis_ms == opened_ms
    assert item.alarm.axis_ms == opened_ms + 10 * MINUTE_MS
    assert item.end.axis_ms == opened_ms + item.duration_ms == opened_ms + 50 * MINUTE_MS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_ended": False}, "no end in this evidence"),
        ({"completeness": Completeness.UNPROVED}, "Not proved to be all"),
        ({"completeness": Completeness.STALE}, "older state"),
        ({"with_probe_fault": True}, "probe fault, 25 min"),
        ({"with_power_cut": True}, "power off, 2 h 05 min"),
    ],
)
def test_whatever_is_open_makes_a_quiet_trip_undecided(
    change: dict[str, object], reason: str
) -> None:
    found = analyse(shipment(replace(QUIET, **change)))  # type: ignore[arg-type]
    assert found.verdict is Verdict.UNDECIDED
    assert any(reason in text for text in found.reasons), found.reasons


def test_a_fault_of_a_probe_without_rules_decides_nothing() -> None:
    rules = ((1, 1, 0, 4_000, 0, 200),)
    found = analyse(shipment(replace(QUIET, with_probe_fault=True, rules=rules)))
    assert found.verdict is Verdict.WITHIN_LIMITS
    assert [gap.kind for gap in found.gaps] == [GapKind.PROBE_FAULT]


def test_evidence_without_a_trip_is_shown_but_never_judged() -> None:
    found = analyse(replace(shipment(QUIET), trips=()))
    assert found.verdict is Verdict.UNDECIDED
    assert found.probes[0].valid_count > 1_000
    assert "no trip" in found.reasons[0]


def test_an_unknown_trip_number_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="trip 9") as refusal:
        analyse(shipment(QUIET), trip_number=9)
    assert "4" in refusal.value.hint


def test_a_trip_that_never_ended_stops_where_the_next_one_starts() -> None:
    evidence = shipment(replace(QUIET, with_alarms=False))
    start = replace(evidence.trips[0].start, up_ms=90_000 + DAY_MS, content={1: 5})
    first = replace(evidence.trips[0], end=None)
    second = replace(evidence.trips[0], number=5, start=start)
    both = replace(evidence, trips=(first, second))
    assert analyse(both, 4).probes[0].reading_count == 288
    assert analyse(both).probes[0].reading_count == 4 * 288


def test_readings_outside_the_trip_count_for_nothing() -> None:
    evidence = shipment(QUIET)
    hot = Reading(0, 7, 1_000, None, 2_500, None, 2)
    late = Reading(0, 7, 90_000 + 6 * DAY_MS, None, 2_500, None, 200)
    found = analyse(replace(evidence, readings=(hot, *evidence.readings, late)))
    assert found.verdict is Verdict.WITHIN_LIMITS
    assert found.probes[0].max_centi_c is not None and found.probes[0].max_centi_c < -15_000


def test_an_unsigned_reading_is_kept_but_is_a_gap_and_in_no_figure() -> None:
    evidence = shipment(QUIET)
    readings = list(evidence.readings)
    readings[40] = replace(readings[40], proven=False, temp_centi_c=-16_000)
    found = analyse(replace(evidence, readings=tuple(readings)))
    assert found.verdict is Verdict.UNDECIDED
    assert [gap.kind for gap in found.gaps] == [GapKind.UNPROVEN]
    assert found.probes[0].valid_count == found.probes[0].reading_count - 1
    assert found.probes[0].max_centi_c != -16_000


def test_missing_samples_are_found_and_one_late_reading_is_not() -> None:
    evidence = shipment(QUIET)
    kept = [r for r in evidence.readings if not 90_000 + HOUR_MS <= r.up_ms < 90_000 + 2 * HOUR_MS]
    found = analyse(replace(evidence, readings=tuple(kept)))
    assert [(g.kind, g.duration_ms) for g in found.gaps] == [
        (GapKind.MISSED, HOUR_MS + 5 * MINUTE_MS)
    ]
    assert gap_threshold_ms(300_000) == 450_000
    assert gap_threshold_ms(2_000) == 7_000


def test_time_missing_at_the_start_or_before_the_end_is_a_gap() -> None:
    evidence = shipment(QUIET)
    first_ms, last_ms = 90_000 + 3 * HOUR_MS, 90_000 + 4 * DAY_MS
    kept = tuple(r for r in evidence.readings if first_ms <= r.up_ms <= last_ms)
    gaps = analyse(replace(evidence, readings=kept)).gaps
    assert [gap.duration_ms for gap in gaps] == [3 * HOUR_MS, DAY_MS]


def test_the_mean_is_weighted_by_time_not_by_the_number_of_readings() -> None:
    rules = ((1, 0, 0, 3_000, 0, 0),)
    evidence = replace(shipment(replace(QUIET, rules=rules, with_alarms=False)), events=())
    trip = evidence.trips[0]
    # One hour at 0 C in steps of 10 s, then two hours at 9 C in steps of 5 min.
    places = [(n * 10_000, 0) for n in range(360)]
    places += [(HOUR_MS + n * 300_000, 900) for n in range(24)]
    readings = tuple(
        Reading(0, 7, trip.start.up_ms + at, None, value, None, 3) for at, value in places
    )
    found = analyse(replace(evidence, readings=readings))
    assert found.probes[0].mean_centi_c == pytest.approx(600.0)


def test_a_power_cut_without_clock_on_both_sides_has_no_length() -> None:
    found = analyse(shipment(replace(QUIET, with_power_cut=True, with_clock=False)))
    assert [(gap.kind, gap.duration_ms) for gap in found.gaps] == [(GapKind.POWER_OFF, None)]
    assert not found.has_utc_axis
    assert found.clock.unknown_count == found.clock.reading_count


def test_a_boot_without_clock_is_placed_between_its_neighbours_and_said_so() -> None:
    evidence = shipment(replace(QUIET, with_power_cut=True))
    blind = tuple(replace(r, utc=None) if r.boot == 8 else r for r in evidence.readings)
    events = tuple(replace(e, utc=None) if e.boot == 8 else e for e in evidence.events)
    trip = replace(evidence.trips[0], end=events[-1])
    found = analyse(replace(evidence, readings=blind, events=events, trips=(trip,)))
    axis = [sample.moment.axis_ms for sample in found.samples]
    assert axis == sorted(axis)
    assert any("no time after start 8" in text for text in found.findings)


def test_the_axis_places_a_boot_before_the_first_known_one_too() -> None:
    known = Event(1, 3, 5_000, UtcInterval(100_000, 101_000), None, 0)
    early = Event(1, 2, 40_000, None, None, 0)
    axis = TimeAxis([early, known])
    assert axis.moment(early).axis_ms == axis.moment(known).axis_ms
    assert axis.is_guess(2) and not axis.is_guess(3)


def test_event_content_of_the_wrong_shape_is_counted_and_breaks_nothing() -> None:
    evidence = shipment(QUIET)
    odd = [
        Event(code, 7, 100_000 + code, None, content, 3)
        for code in (1, 2, 3, 4, 5, 6, 7, 8)
        for content in (None, "x", [], ["a", "b", "c", "d", "e"], {1: 2}, [True])
    ]
    found = analyse(replace(evidence, events=(*evidence.events, *odd)))
    assert any("unknown shape" in text for text in found.findings)
    assert len(found.events) == len(evidence.events) - 1 + len(odd)


def test_a_profile_that_is_no_profile_is_a_reason_not_a_crash() -> None:
    evidence = shipment(replace(QUIET, with_alarms=False))
    for encoded in (b"", b"\xa0", b"\xff" * 9, profile_bytes(((1, 0, 9, 0, 0, 0),))):
        trip = replace(evidence.trips[0], profile=encoded)
        found = analyse(replace(evidence, trips=(trip,)))
        assert found.verdict is Verdict.UNDECIDED
        assert "rules can't be read" in found.reasons[0]


def test_a_trip_without_any_reading_is_undecided() -> None:
    found = analyse(replace(shipment(replace(QUIET, with_alarms=False)), readings=()))
    assert found.verdict is Verdict.UNDECIDED
    assert "There is no reading in the trip." in found.reasons


def test_clock_quality_tells_the_widest_interval_and_what_is_unbounded() -> None:
    evidence = shipment(QUIET)
    readings = list(evidence.readings)
    assert readings[10].utc is not None
    readings[10] = replace(readings[10], utc=UtcInterval(readings[10].utc.lo_ms, None))
    clock = analyse(replace(evidence, readings=tuple(readings))).clock
    assert clock.unbounded_count == 1
    assert clock.width_max_ms == 10_134


def test_a_fault_at_the_end_of_the_trip_runs_to_the_last_reading() -> None:
    evidence = shipment(QUIET)
    readings = list(evidence.readings)
    readings[-2] = replace(readings[-2], temp_centi_c=None, fault=ProbeFault.NO_ANSWER)
    gaps = analyse(replace(evidence, readings=tuple(readings))).gaps
    assert [(gap.probe, gap.fault) for gap in gaps] == [(0, ProbeFault.NO_ANSWER)]


def test_custody_of_another_trip_is_left_out(  # steps are told by the record they stand in
) -> None:
    evidence = shipment(Story())
    stray = replace(evidence.custody[0], seq=10_000)
    found = analyse(replace(evidence, custody=(*evidence.custody, stray)))
    assert found.custody == evidence.custody
