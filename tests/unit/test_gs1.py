# SPDX-License-Identifier: MIT
"""GS1 keys: check digits, shapes, canonical addresses."""

import pytest

from sealtrail.custody import gs1
from sealtrail.errors import UsageError


@pytest.mark.parametrize(
    ("body", "digit"),
    [("10614141234567890", "8"), ("061414112345", "2"), ("952000100042", "3"), ("0", "0")],
)
def test_known_check_digits(body: str, digit: str) -> None:
    assert gs1.check_digit(body) == digit


def test_every_single_wrong_digit_is_found() -> None:
    good = "9520001100017"
    assert gs1.has_valid_check_digit(good)
    for place in range(len(good)):
        for digit in "0123456789":
            changed = good[:place] + digit + good[place + 1 :]
            assert gs1.has_valid_check_digit(changed) == (changed == good)


def test_the_addresses_are_the_canonical_ones() -> None:
    assert gs1.grai("9520001000423", "SHP000731").endswith("/8003/09520001000423SHP000731")
    assert gs1.giai("9520001", "ST-0041").endswith("/8004/9520001ST-0041")
    assert gs1.sgtin("09520001123450", "T-7").endswith("/01/09520001123450/21/T-7")
    assert gs1.place("9520001100017", "DOCK2").endswith("/414/9520001100017/254/DOCK2")
    assert gs1.party("9520001100017").endswith("/417/9520001100017")
    assert gs1.document("9520001000775", "S1").endswith("/253/9520001000775S1")


@pytest.mark.parametrize(
    "make",
    [
        lambda: gs1.grai("9520001000424", "X"),
        lambda: gs1.grai("952000100042", "X"),
        lambda: gs1.grai("9520001000423", ""),
        lambda: gs1.grai("9520001000423", "S" * 17),
        lambda: gs1.sgtin("09520001123450", "a b"),
        lambda: gs1.giai("95x", "A"),
        lambda: gs1.party("٩٥٢٠٠٠١١٠٠٠١٧"),
        lambda: gs1.place("9520001100017", "Ä"),
    ],
)
def test_wrong_keys_are_usage_errors(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()


def test_serials_that_a_path_cannot_carry_are_escaped_and_still_clean() -> None:
    uri = gs1.sgtin("09520001123450", 'A/B%"?')
    assert uri.endswith("/21/A%2FB%25%22%3F")
    assert gs1.fault_of(uri) == ""


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("https://id.gs1.org/414/9520001100018", "check digit"),
        ("https://id.gs1.org/414/9520001100017?x=1", "query"),
        ("https://id.gs1.org/9999/1", "not a key"),
        ("https://example.org/414/9520001100017", "not under"),
    ],
)
def test_faults_of_addresses_are_named(uri: str, part: str) -> None:
    assert part in gs1.fault_of(uri)
