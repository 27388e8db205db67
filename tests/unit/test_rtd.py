# SPDX-License-Identifier: MIT
"""Resistance to temperature by integers, against the float64 equation and published values."""

import math
import random

import pytest

from boards.virtual.firmware_side.chips.max31865 import resistance_ohm
from tests.fakes import micropython_on_cpython

micropython_on_cpython.install()
from tag.sensing import rtd

# Pt1000 ohm, from the standard's equation (facts: market and rules, 4.2).
PUBLISHED = [(-196, 202.465), (-150, 397.232), (-130, 480.048), (-80, 683.254), (0, 1000.0)]


@pytest.mark.parametrize(("temp_c", "ohm"), PUBLISHED)
def test_published_values_come_out_within_a_hundredth(temp_c: float, ohm: float) -> None:
    centi_c = rtd.centi_c_of_ratio(round(ohm * 10**9))
    assert abs(centi_c - 100 * temp_c) <= 1


def test_every_hundredth_from_minus_200_to_200_comes_back() -> None:
    for centi_c in range(-20_000, 20_001):
        ratio = round(resistance_ohm(centi_c / 100, 1.0) * 10**12)
        assert rtd.centi_c_of_ratio(ratio) == centi_c


def test_the_whole_range_of_the_chip_converges() -> None:
    for code in range(0, 32_768, 97):
        centi_c = rtd.centi_c_of_code(code, 100, 430)
        ohm = code * 430 / 32_768
        if -25_000 < centi_c < 85_000:
            assert abs(resistance_ohm(centi_c / 100) - ohm) < 0.003


@pytest.mark.parametrize("reference_ohm", [400, 430])
def test_codes_of_a_pt100_are_read_within_their_own_step(reference_ohm: int) -> None:
    rng = random.Random(5)
    for _ in range(2000):
        temp_c = rng.uniform(-200, 200)
        exact = resistance_ohm(temp_c) / reference_ohm * 32_768
        centi_c = rtd.centi_c_of_code(round(exact), 100, reference_ohm)
        # Half a code is up to 0.02 C; the arithmetic itself adds less than 0.01 C.
        half_code_c = 0.5 * reference_ohm / 32_768 / 0.36
        assert abs(centi_c / 100 - temp_c) < half_code_c + 0.01


def test_without_the_c_term_minus_150_would_read_as_minus_150_86() -> None:
    # The reason why the term is there: solve the quadratic alone for the resistance at -150 C.
    a, b = 3.9083e-3, -5.775e-7
    ratio = resistance_ohm(-150.0, 1.0)
    without_c = (-a + math.sqrt(a * a - 4 * b * (1 - ratio))) / (2 * b)
    assert round(without_c, 2) == -150.86
    assert rtd.centi_c_of_ratio(round(ratio * 10**12)) == -15_000
