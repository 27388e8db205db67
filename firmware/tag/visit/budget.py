# SPDX-License-Identifier: MIT
"""What visitors may cause in bytes of log (rule D4). Signatures are not rationed yet.

Bytes are asked for before a command and paid after it, when it was carried out: so a bad
signature never eats the custody budget (D7). Integers only; nothing is on flash.
"""

from micropython import const

_DAY_MS = const(86_400_000)
TICKET_BURST_SIZE = const(4_096)
TICKET_DAY_SIZE = const(4_096)
ALL_BURST_SIZE = const(16_384)
ALL_DAY_SIZE = const(24_576)
TICKET_ROWS_MAX = const(8)


class Bucket:
    """Tokens up to *burst*, *day* of them earned each day; starts half full (D7)."""

    def __init__(self, burst: int, day: int, uptime):
        self._burst = burst
        self._day = day
        self._uptime = uptime
        self._count = burst // 2
        self._refilled_ms = uptime.now_ms()

    def has(self, count: int) -> bool:
        """Whether *count* tokens are there now."""
        earned = (self._uptime.now_ms() - self._refilled_ms) * self._day // _DAY_MS
        if earned:
            # Only whole tokens move the hand: asking often loses none.
            self._refilled_ms += earned * _DAY_MS // self._day
            self._count = min(self._burst, self._count + earned)
        return self._count >= count

    def pay(self, count: int) -> None:
        """Takes *count* tokens; what a bound did not foresee leaves a debt."""
        self.has(count)
        self._count -= count

    def take(self, count: int = 1) -> bool:
        """Pays if it can."""
        if not self.has(count):
            return False
        self._count -= count
        return True

    @property
    def count(self) -> int:
        """Tokens there now; negative: a debt."""
        self.has(0)
        return self._count


class ByteBudget:
    """Log bytes: of each ticket, and of all together. One per boot.

    Rows for TICKET_ROWS_MAX tickets; a new one takes the place of the fullest row, and starts
    half full as every row does: so rotating tickets gains nothing beyond the common bucket.
    """

    def __init__(self, uptime):
        self._uptime = uptime
        self._all = Bucket(ALL_BURST_SIZE, ALL_DAY_SIZE, uptime)
        self._rows = {}  # ticket number: Bucket

    def has(self, tno: int, size: int) -> bool:
        """Whether ticket *tno* may cause *size* bytes now."""
        return self._all.has(size) and self._row(tno).has(size)

    def pay(self, tno: int, size: int) -> None:
        """Books *size* bytes that ticket *tno* has caused."""
        self._all.pay(size)
        self._row(tno).pay(size)

    def _row(self, tno):
        row = self._rows.get(tno)
        if row is None:
            if len(self._rows) >= TICKET_ROWS_MAX:
                self._rows.pop(max(self._rows, key=lambda one: self._rows[one].count))
            row = self._rows[tno] = Bucket(TICKET_BURST_SIZE, TICKET_DAY_SIZE, self._uptime)
        return row
