# SPDX-License-Identifier: MIT
"""Locks of single tickets after wrong proofs (rule T10 of docs/access-protocol.md).

Only who passed the door can be counted here, so a stranger locks nobody out. A row is
kept in RAM and, while the flash budget lasts, in the state store: after a reboot the wait
starts again, so power cycling only lengthens it.
"""

from micropython import const

from sealwire.protocol import (
    FAILURES_BEFORE_LOCK,
    LOCK_ROWS_MAX,
    LOCK_WAIT_FIRST_S,
    LOCK_WAIT_MAX_S,
    LOCK_WRITES_BURST,
)

from ..store import statestore

_COUNT_MAX = const(10)  # the wait has reached its maximum before
_ROW_SIZE = const(5)  # u32 ticket number, u8 failures
_REFILL_S = const(2_700)  # one more flash write allowed: 32 a day


class TicketLocks:
    """Failures of up to eight tickets; the least guilty row makes room for a new one."""

    def __init__(self, state, uptime):
        self._state = state
        self._uptime = uptime
        self._rows = {}  # ticket number: [failures, uptime in s of the last one]
        # D7: half full after a boot, so that power cycling does not refill it.
        self._writes_left = LOCK_WRITES_BURST // 2
        self._refilled_s = self._now_s()

    def load(self) -> None:
        """Takes up what was persisted; every wait starts again now."""
        content = self._state.get(statestore.LOCKS) or b""
        now_s = self._now_s()
        for offset in range(0, len(content) - _ROW_SIZE + 1, _ROW_SIZE):
            tno = int.from_bytes(content[offset : offset + 4], "big")
            self._rows[tno] = [content[offset + 4], now_s]

    def wait_s(self, tno: int) -> int:
        """Seconds until ticket *tno* may try again; 0: now."""
        row = self._rows.get(tno)
        if row is None or row[0] < FAILURES_BEFORE_LOCK:
            return 0
        wait_s = min(LOCK_WAIT_MAX_S, LOCK_WAIT_FIRST_S << (row[0] - FAILURES_BEFORE_LOCK))
        return max(0, wait_s - (self._now_s() - row[1]))

    def note_failure(self, tno: int) -> bool:
        """Counts a wrong proof or MAC. Returns True if it has just locked the ticket.

        Durable when this returns, as long as the budget of flash writes lasts; the row in
        RAM holds in any case.
        """
        row = self._rows.setdefault(tno, [0, 0])
        row[0] = min(row[0] + 1, _COUNT_MAX)
        row[1] = self._now_s()
        if len(self._rows) > LOCK_ROWS_MAX:
            self._drop_least_guilty(tno)
        return self._persist() and row[0] == FAILURES_BEFORE_LOCK

    def forget(self, tno: int) -> None:
        """A good proof clears the ticket's failures."""
        if self._rows.pop(tno, None) is not None:
            self._persist()

    def _drop_least_guilty(self, but_not_tno):
        others = [tno for tno in self._rows if tno != but_not_tno]
        self._rows.pop(min(others, key=lambda tno: self._rows[tno][0]))

    def _persist(self) -> bool:
        now_s = self._now_s()
        refill = (now_s - self._refilled_s) // _REFILL_S
        if refill:
            self._refilled_s += refill * _REFILL_S
            self._writes_left = min(LOCK_WRITES_BURST, self._writes_left + refill)
        if self._writes_left == 0:
            return False
        self._writes_left -= 1
        rows = [tno.to_bytes(4, "big") + bytes((row[0],)) for tno, row in self._rows.items()]
        self._state.put(statestore.LOCKS, b"".join(rows))
        return True

    def _now_s(self) -> int:
        return self._uptime.now_ms() // 1000
