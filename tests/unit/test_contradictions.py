# SPDX-License-Identifier: MIT
"""Events of a tag that contradict an archive or a clock become findings."""

import pytest

from sealtrail.evidence.contradictions import contradictions
from sealtrail.model import Event, UtcInterval

NOW_S = 1_795_000_000


def event(code: int, content: object = None, hi_ms: int | None = NOW_S * 1000 + 500) -> Event:
    utc = UtcInterval(NOW_S * 1000 - 500, hi_ms)
    return Event(code=code, boot=1, up_ms=5, utc=utc, content=content, seq=7, proven=True)


def claim(utc_s: int, err_s: int, hi_ms: int | None = NOW_S * 1000 + 500) -> list[str]:
    return contradictions([event(48, [19, bytes(8), 2, 1, utc_s, err_s], hi_ms)])


@pytest.mark.parametrize(("code", "word"), [(33, "CONTRADICTION"), (35, "AHEAD"), (36, "FORK")])
def test_a_receipt_or_time_that_does_not_fit_is_a_finding(code: int, word: str) -> None:
    (line,) = contradictions([event(2), event(code)])
    assert line.startswith("record 7: ") and word in line


@pytest.mark.parametrize("off_s", [-62, 62])
def test_a_claim_outside_the_clocks_bounds_names_its_ticket(off_s: int) -> None:
    (line,) = claim(NOW_S + off_s, 60)
    assert "ticket 19" in line and "C5" in line


@pytest.mark.parametrize("off_s", [-60, 0, 60])
def test_a_claim_that_may_be_true_is_no_finding(off_s: int) -> None:
    assert claim(NOW_S + off_s, 60) == []


def test_a_claim_is_not_late_where_the_clock_has_no_upper_bound() -> None:
    assert claim(NOW_S + 9999, 0, None) == []


def test_many_are_counted_and_not_listed() -> None:
    found = contradictions([event(36)] * 30)
    assert len(found) == 9 and found[-1] == "22 more of these"
