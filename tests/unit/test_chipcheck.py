# SPDX-License-Identifier: MIT
"""The self-test of a tag with a secure element: what it shows, and what it refuses."""

from boards.virtual.firmware_side.chips import atecc608b_curve
from tag.keys import chipcheck
from tests.fakes.chip_bench import ChipBench


def result(bench: ChipBench) -> tuple[bool, str]:
    try:
        return True, chipcheck.check(bench.driver)
    except ValueError as e:
        return False, str(e)


def test_a_sound_chip_passes():
    assert result(ChipBench()) == (True, "RFC 6979 A.2.5")


def test_an_unlocked_chip_fails():
    assert result(ChipBench(is_blank=True)) == (False, "secure element not locked")


def test_a_silent_chip_fails_with_one_line():
    bench = ChipBench()
    bench.chip.is_off = True
    assert result(bench) == (False, "secure element silent, errno 19")


def test_a_chip_that_says_yes_to_everything_fails(monkeypatch):
    monkeypatch.setattr(atecc608b_curve, "verify", lambda *args: True)
    assert result(ChipBench()) == (False, "wrong verdict for RFC 6979 A.2.5")


def test_a_chip_that_says_no_to_everything_fails(monkeypatch):
    monkeypatch.setattr(atecc608b_curve, "verify", lambda *args: False)
    assert result(ChipBench()) == (False, "wrong verdict for RFC 6979 A.2.5")
