# SPDX-License-Identifier: MIT
"""What the chart shows: every peak, no line over a gap, round ticks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.analysis.analyse import analyse
from sealtrail.report.chart import Chart, charts, decimate, number_ticks, time_ticks
from tests.fakes.evidence_samples import DAY_MS, HOUR_MS, QUIET, START_MS, Story, shipment


def chart_of(story: Story) -> Chart:
    return charts(analyse(shipment(story)))[0]


@given(st.lists(st.floats(-200, 200), min_size=1, max_size=300), st.integers(1, 40))
def test_decimation_keeps_ends_and_extremes_and_bounds_the_number(
    values: list[float], columns: int
) -> None:
    line = [(float(n), value) for n, value in enumerate(values)]
    kept = decimate(line, (0.0, float(len(values))), columns)
    assert set(kept) <= set(line)
    assert [x for x, _ in kept] == sorted(x for x, _ in kept)
    assert {min(values), max(values)} == {min(y for _, y in kept), max(y for _, y in kept)}
    assert (kept[0], kept[-1]) == (line[0], line[-1])
    assert len(kept) <= 2 * (columns + 1) + 2


def test_the_line_breaks_at_the_power_cut_and_at_the_probe_fault() -> None:
    chart = chart_of(Story())
    assert len(chart.lines) == 3
    spans = [(line[0][0], line[-1][0]) for line in chart.lines]
    for start, end in chart.gaps:
        assert not any(low < (start + end) / 2 < high for low, high in spans)


def test_limits_near_the_readings_are_on_the_chart_and_overlapping_excursions_share_a_label() -> (
    None
):
    chart = chart_of(Story())
    assert [limit.label for limit in chart.limits] == ["not above −150 °C", "not above −130 °C"]
    assert [label for _, _, label in chart.excursions] == ["E1, E2"]
    assert chart.y_range[0] < -190 and chart.y_range[1] > -126.85


def test_the_first_chart_has_lanes_for_what_happened_to_the_shipper() -> None:
    first, second = charts(analyse(shipment()))
    assert {lane.name: len(lane.marks) for lane in first.lanes} == {
        "Power off": 1,
        "Lid open": 1,
        "Shock": 2,
        "Tilt": 1,
        "Handover": 2,
    }
    assert second.lanes == ()


@given(st.floats(-200, 150), st.floats(0.5, 400))
def test_number_ticks_are_few_round_and_inside(low: float, reach: float) -> None:
    ticks = number_ticks((low, low + reach))
    assert 2 <= len(ticks) <= 9
    assert all(low - 1e-6 <= tick.at <= low + reach + 1e-6 for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)


@given(st.integers(0, 2**41), st.integers(60_000, 10**12))
def test_time_ticks_are_at_most_eleven_and_inside(low: int, reach: int) -> None:
    ticks = time_ticks((low, low + reach), is_utc=True)
    assert len(ticks) <= 11
    assert all(low <= tick.at <= low + reach for tick in ticks)


def test_the_date_stands_at_the_first_tick_and_at_each_new_day() -> None:
    ticks = time_ticks((START_MS, START_MS + 2 * DAY_MS), is_utc=True)
    assert ticks[0].below == "16 Nov"
    assert [tick.below for tick in ticks if tick.label == "00:00"] == ["17 Nov", "18 Nov"]


def test_without_a_clock_the_axis_counts_hours() -> None:
    chart = chart_of(replace(QUIET, with_clock=False))
    assert "calendar time not known" in chart.x_title
    assert chart.x_ticks[0].label == "12 h"
    assert time_ticks((0, HOUR_MS), is_utc=False)[1].label == "10 min"


@pytest.mark.parametrize("probe_count", [0, 1])
def test_evidence_with_few_readings_gives_charts_or_none(probe_count: int) -> None:
    evidence = shipment(replace(QUIET, with_alarms=False))
    found = charts(analyse(replace(evidence, readings=evidence.readings[:probe_count])))
    assert len(found) == probe_count
