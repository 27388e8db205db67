# SPDX-License-Identifier: MIT
"""Mean kinetic temperature after USP <1079.2>, and its refusal where it means nothing."""

from dataclasses import replace

import pytest

from sealtrail.analysis import mkt
from sealtrail.analysis.analyse import analyse
from sealtrail.errors import UsageError
from tests.fakes.evidence_samples import HOUR_MS, QUIET, shipment

# Computed from the formula with dH/R = 10,000 K, to four places.
VECTORS = [
    ([(5.0, 1)], 5.0),
    ([(2.0, 1), (8.0, 1)], 5.5364),
    ([(20.0, 1), (25.0, 1), (30.0, 1)], 25.8582),
    ([(5.0, 23), (15.0, 1)], 5.7635),
    ([(22.0, 29), (40.0, 1)], 23.5996),
    ([(24.0, 718), (40.0, 2)], 24.1117),
]


@pytest.mark.parametrize(("weighted", "expected_c"), VECTORS)
def test_the_known_answers_hold_within_a_thousandth(
    weighted: list[tuple[float, float]], expected_c: float
) -> None:
    assert mkt.mean_kinetic_c(weighted) == pytest.approx(expected_c, abs=0.001)


def test_cryogenic_temperatures_do_not_underflow() -> None:
    assert mkt.mean_kinetic_c([(-196.0, 1), (-196.0, 5)]) == pytest.approx(-196.0, abs=1e-9)


def test_nothing_to_average_is_refused() -> None:
    with pytest.raises(UsageError):
        mkt.mean_kinetic_c([(5.0, 0)])


def test_a_window_is_hotter_than_the_whole_when_the_heat_came_at_once() -> None:
    points = [(n * HOUR_MS, 5.0 if n < 100 else 15.0, float(HOUR_MS)) for n in range(110)]
    whole = mkt.mean_kinetic_c([(temp, weight) for _, temp, weight in points])
    # The hottest 24 h: fourteen hours at 5 C, then the ten at 15 C.
    hottest = mkt.mean_kinetic_c([(5.0, 14), (15.0, 10)])
    assert mkt.worst_window_c(points, 24 * HOUR_MS) == pytest.approx(hottest, abs=1e-9)
    assert hottest > whole
    assert mkt.worst_window_c(points, 1_000 * HOUR_MS) == pytest.approx(whole, abs=1e-9)


def test_a_cold_chain_profile_gets_its_figure_with_a_24_hour_window() -> None:
    rules = ((1, 0, 2, 800, 1800, 50), (2, 0, 3, 200, 1800, 50))
    story = replace(QUIET, rules=rules, base_centi_c=480, days=1.5)
    (item,) = analyse(shipment(story)).kinetic
    assert item.refusal == "" and item.window_ms == 24 * HOUR_MS
    assert item.trip_c is not None and 4.5 < item.trip_c < 8.0


def test_a_cryogenic_profile_is_refused_for_every_probe_with_the_reason() -> None:
    kinetic = analyse(shipment(QUIET)).kinetic
    assert [item.trip_c for item in kinetic] == [None, None]
    assert all("outside USP <1079.2>" in item.refusal for item in kinetic)
