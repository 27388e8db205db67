# SPDX-License-Identifier: MIT
"""Which tag is visited next, and how long one that failed waits. No clock, no chance of its own.

Back-off: FIRST, 2 FIRST, 4 FIRST ... up to the longest, of which the last half is jitter, so
that gateways beside each other do not knock together. A good visit resets it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_DOUBLINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """*every_s*: between good visits. *first_s*, *longest_s*: pauses behind failures."""

    every_s: float = 900.0
    first_s: float = 10.0
    longest_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class _Row:
    due_s: float
    failure_count: int


_NEVER = _Row(float("-inf"), 0)


class Schedule:
    """When each tag is due; times are seconds of one monotonic clock."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._rows: dict[bytes, _Row] = {}

    def note_good(self, tid: bytes, now_s: float) -> None:
        """All of the tag's evidence is here."""
        self._rows[tid] = _Row(now_s + self._pace.every_s, 0)

    def note_failed(self, tid: bytes, now_s: float, jitter: float) -> float:
        """The visit failed; *jitter* in [0, 1). Returns the pause in s."""
        count = self._rows.get(tid, _NEVER).failure_count + 1
        pause_s = backoff_s(self._pace, count, jitter)
        self._rows[tid] = _Row(now_s + pause_s, count)
        return pause_s

    def failure_count(self, tid: bytes) -> int:
        """Failures in a row."""
        return self._rows.get(tid, _NEVER).failure_count

    def due(self, heard: Iterable[bytes], now_s: float) -> list[bytes]:
        """The tags to visit now: sound ones first, then by how long they have been due."""
        rows = [(self._rows.get(tid, _NEVER), tid) for tid in heard]
        ripe = [(row.failure_count, row.due_s, tid) for row, tid in rows if row.due_s <= now_s]
        return [tid for _, _, tid in sorted(ripe)]


def backoff_s(pace: Pace, failure_count: int, jitter: float) -> float:
    """The pause behind the *failure_count*-th failure in a row (from 1)."""
    doublings = min(failure_count - 1, _DOUBLINGS_MAX)
    whole_s = min(pace.longest_s, pace.first_s * 2.0**doublings)
    return whole_s * (0.5 + 0.5 * jitter)
