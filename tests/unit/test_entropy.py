# SPDX-License-Identifier: MIT
"""The start-up health test of the random source: SP 800-90B 4.4.1 and 4.4.2."""

import os
from fractions import Fraction
from math import ceil, comb

import pytest

from tests.fakes import micropython_on_cpython

micropython_on_cpython.install()
from tag.keys.entropy import Entropy, EntropyError, health_fault

COUNTING = bytes(range(256)) * 4


def test_cutoffs_are_those_the_standard_gives_for_four_bits_a_byte() -> None:
    assert 1 + ceil(30 / 4) == 9
    p, total, k = Fraction(1, 16), Fraction(0), -1
    while 1 - total > Fraction(1, 2**30):
        k += 1
        total += comb(512, k) * p**k * (1 - p) ** (512 - k)
    assert 1 + k == 71


def test_a_good_source_passes() -> None:
    assert health_fault(os.urandom(1024)) == ""
    assert health_fault(COUNTING) == ""


@pytest.mark.parametrize("at", [0, 500, 508, 1015])
def test_nine_equal_bytes_in_a_row_fail_and_eight_do_not(at: int) -> None:
    for count, fault in ((8, ""), (9, "repetition")):
        # 0xA5 does not occur beside the run: the counting bytes are moved away from it.
        sample = bytearray(byte ^ 1 if byte == 0xA5 else byte for byte in COUNTING)
        sample[at : at + count] = b"\xa5" * count
        assert health_fault(bytes(sample)) == fault


@pytest.mark.parametrize("window", [0, 512])
def test_a_byte_seen_71_times_in_its_window_fails_and_70_do_not(window: int) -> None:
    for count, fault in ((70, ""), (71, "proportion")):
        sample = bytearray(byte or 1 for byte in COUNTING)
        for i in range(count):
            sample[window + 7 * i] = 0
        assert health_fault(bytes(sample)) == fault


def test_a_short_sample_fails() -> None:
    assert health_fault(bytes(10)) == "short"


def test_a_failed_source_is_refused_but_does_not_stop_the_tag() -> None:
    entropy = Entropy(bytes)
    assert entropy.fault == "repetition"
    with pytest.raises(EntropyError):
        entropy.random(8)
    with pytest.raises(EntropyError):
        entropy.seed(b"host")


def test_a_healthy_source_gives_what_it_has() -> None:
    assert Entropy(lambda size: COUNTING[:size]).random(3) == b"\0\1\2"


def test_the_source_is_tested_anew_before_each_seed() -> None:
    radio = {"is_on": True}

    def source(size: int) -> bytes:
        return os.urandom(size) if radio["is_on"] else bytes(size)

    entropy = Entropy(source)
    assert entropy.fault == ""
    radio["is_on"] = False
    with pytest.raises(EntropyError, match="repetition"):
        entropy.seed(b"host")
    with pytest.raises(EntropyError):
        entropy.random(8)
    radio["is_on"] = True
    assert entropy.test() == "" and len(entropy.random(8)) == 8
