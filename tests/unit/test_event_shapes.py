# SPDX-License-Identifier: MIT
"""Shapes of what visitors cause: the tag's table and the verifier's judge alike."""

import pytest

from sealtrail.evidence.event_shapes import _SHAPES, judge_event
from sealtrail.evidence.refusal import Refusal
from sealwire import events, labels

H8, H32 = bytes(8), bytes(32)
GOOD = {
    labels.EVENT_CLOCK_CONTRADICTION: [7],
    labels.EVENT_FLEET_KEY: [H8],
    labels.EVENT_RECEIPT_AHEAD: [7, H32],
    labels.EVENT_RECEIPT_FORK: [7, H32],
    labels.EVENT_CLOCK_RESET: None,
    labels.EVENT_RECEIPT: [7],
    labels.EVENT_REVOCATION: [1, 2, [3, 4]],
    labels.EVENT_COUNTS: [1, 2, 3],
    labels.EVENT_CLAIM: [7, H8, 2, 1, 1_795_000_000, 60],
    labels.EVENT_ALARM_ACK: [7, H8],
    labels.EVENT_TIME_TOKEN: [H8, 7, H8],
}


def _accepts(code: int, data: object) -> bool:
    """What the independent judge says; asserts that the tag's table says the same."""
    try:
        judge_event(code, data, data is not None)
    except Refusal:
        holds = False
    else:
        holds = True
    assert (events.judge(code, data) is None) == holds
    return holds


def test_both_tables_know_the_same_events() -> None:
    assert set(_SHAPES) == set(events.SHAPES)


@pytest.mark.parametrize("code", GOOD)
def test_the_right_shape_is_taken_and_each_change_refused(code: int) -> None:
    good = GOOD[code]
    assert _accepts(code, good)
    if good is None:
        assert not _accepts(code, [])
        return
    assert not _accepts(code, None)
    assert not _accepts(code, [*good, 1]) and not _accepts(code, good[:-1])
    for index, member in enumerate(good):
        wrongs = (-1, "x", b"x") if isinstance(member, int) else (1, "x", b"x")
        for wrong in wrongs:
            assert not _accepts(code, [*good[:index], wrong, *good[index + 1 :]])


@pytest.mark.parametrize("tickets", [[-1], ["x"], [0] * 9, [[1]]])
def test_a_revocation_lists_at_most_eight_numbers(tickets: list[object]) -> None:
    assert not _accepts(labels.EVENT_REVOCATION, [1, 2, tickets])
    assert _accepts(labels.EVENT_REVOCATION, [1, 2, [0] * 8])
