# SPDX-License-Identifier: MIT
"""The gateway's logic without radio: schedule, rounds, metrics."""

import asyncio

import pytest

from sealtrail.errors import LinkError
from sealtrail.gateway.metrics import Metrics
from sealtrail.gateway.round import Visited, run_round
from sealtrail.gateway.schedule import Pace, Schedule, backoff_s

PACE = Pace(every_s=900, first_s=10, longest_s=100)
A, B, C = b"a", b"b", b"c"


@pytest.mark.parametrize(
    ("failures", "jitter", "pause_s"),
    [(1, 0, 5), (1, 1, 10), (2, 1, 20), (3, 0.5, 30), (4, 1, 80), (5, 1, 100), (99, 0, 50)],
)
def test_the_pause_doubles_to_its_longest_and_half_of_it_is_chance(failures, jitter, pause_s):
    assert backoff_s(PACE, failures, jitter) == pause_s


def test_a_tag_is_due_when_first_heard_and_again_after_its_time():
    schedule = Schedule(PACE)
    assert schedule.due([A], 0) == [A]
    schedule.note_good(A, 0)
    assert schedule.due([A], 899) == []
    assert schedule.due([A], 900) == [A]


def test_a_tag_that_fails_waits_longer_and_a_good_visit_forgets_it():
    schedule = Schedule(PACE)
    assert [schedule.note_failed(A, 0, 1) for _ in range(3)] == [10, 20, 40]
    assert schedule.due([A], 39) == [] and schedule.due([A], 40) == [A]
    schedule.note_good(A, 40)
    assert schedule.failure_count(A) == 0
    assert schedule.note_failed(A, 940, 1) == 10


def test_sound_tags_go_before_those_that_fail_and_new_ones_before_known_ones():
    schedule = Schedule(PACE)
    schedule.note_failed(A, 0, 0)
    schedule.note_good(B, 0)
    assert schedule.due([A, B, C], 2000) == [C, B, A]


async def _slow(tid: bytes) -> Visited:
    await asyncio.sleep(60 if tid == A else 0)
    if tid == B:
        raise LinkError("lost")
    return Visited(tid, 3)


async def test_a_tag_that_hangs_and_one_that_fails_delay_no_other():
    order: list[bytes] = []
    tids = [A, B, C, *(bytes((n,)) for n in range(8))]
    ended = await run_round(tids, _slow, 2, 0.3, lambda one: order.append(one.tid))
    assert order[-1] == A  # all others came and went on the second link
    assert [one.is_good for one in ended] == [False, False, *[True] * 9]
    assert ended[0].is_hung and isinstance(ended[1].problem, LinkError)


async def test_no_more_links_are_open_than_are_allowed():
    is_open = most = 0

    async def visit(tid: bytes) -> Visited:
        nonlocal is_open, most
        is_open += 1
        most = max(most, is_open)
        await asyncio.sleep(0.001)
        is_open -= 1
        return Visited(tid)

    await run_round([bytes((n,)) for n in range(20)], visit, 3, 5, lambda one: None)
    assert most == 3


def test_metrics_are_prometheus_text_on_loopback():
    metrics = Metrics()
    metrics.visits.labels("good").inc()
    metrics.last_good_s.labels("ST-0001").set(5)
    text = metrics.text()
    assert 'sealtrail_visits_total{result="good"} 1.0' in text
    assert 'sealtrail_tag_synced_timestamp_seconds{tag="ST-0001"} 5.0' in text
