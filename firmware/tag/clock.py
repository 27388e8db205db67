# SPDX-License-Identifier: MIT
"""UTC as an interval [lo, hi] that only evidence narrows and only time widens.

Rules C1, C3, C4 and T6 of docs/access-protocol.md. After a loss of power the upper bound
is unknown and the lower bound is the last one recorded; over a reset that keeps the
RTC's memory the interval lives on, widened by the drift of the board's oscillator.
The one module that knows the RTC: its seconds are used as a difference only.
"""

import struct

from micropython import const

from .store import rtcmemory

# Where a bound came from; record-format.md, UTC source.
SRC_NONE = 0
SRC_RTC = 1
SRC_SERIAL = 2
SRC_TOKEN = 3
SRC_TICKET = 4

_DAY_MS = 86_400_000
# C3: an unbound statement moves the lower bound at most this far while hi is unknown.
_LOWER_JUMP_MAX_MS = 30 * _DAY_MS
_CACHE_FORMAT = "<4sBxxxQQQ"
_CACHE_MAGIC = b"STC1"
_NO_UPPER = const(0)


class ClockContradiction(Exception):
    """The statement lies outside what the clock already knows (C4). Nothing was changed."""


class Clock:
    """The tag's knowledge of UTC. *rtc* may be None: then a reset forgets the interval.

    *rtc* has `now_ms()`, which goes on over resets, and `memory()` / `memory(bytes)`,
    which survives resets and is lost with power.
    """

    def __init__(self, uptime, drift_ppm: int, rtc=None):
        self.uptime = uptime
        self._drift_ppm = drift_ppm
        self._rtc = rtc
        self._lo_ms = 0
        self._hi_ms = None
        self._anchor_ms = 0
        self.source = SRC_NONE

    def bounds_ms(self) -> tuple:
        """Returns (lo_ms, hi_ms or None), Unix milliseconds, for this instant."""
        elapsed_ms = self.uptime.now_ms() - self._anchor_ms
        slack_ms = self._slack_ms(elapsed_ms)
        hi_ms = None if self._hi_ms is None else self._hi_ms + elapsed_ms + slack_ms
        return self._lo_ms + elapsed_ms - slack_ms, hi_ms

    def utc(self):
        """Returns (lo_s, source, width_s or None) as records carry it, None before any bound."""
        lo_ms, hi_ms = self.bounds_ms()
        if self.source == SRC_NONE and self._lo_ms == 0:
            return None
        lo_s = lo_ms // 1000
        # lo is floored and the upper end ceiled, so that rounding only widens.
        return lo_s, self.source, None if hi_ms is None else -(-hi_ms // 1000) - lo_s

    def restore(self, lo_ms: int) -> None:
        """Takes up the lower bound that the log recorded before this boot."""
        now_lo_ms, hi_ms = self.bounds_ms()
        if lo_ms > now_lo_ms and (hi_ms is None or lo_ms <= hi_ms):
            self._set(lo_ms, hi_ms)

    def resume_from_rtc(self) -> bool:
        """Takes the interval up again after a reset that kept the RTC's memory.

        Returns False, and changes nothing, when the memory is blank, torn or foreign.
        """
        cache = rtcmemory.load(self._rtc, rtcmemory.CLOCK) if self._rtc else None
        if cache is None:
            return False
        magic, _, lo_ms, hi_ms, then_ms = struct.unpack(_CACHE_FORMAT, cache)
        elapsed_ms = self._rtc.now_ms() - then_ms
        if magic != _CACHE_MAGIC or elapsed_ms < 0:
            return False
        slack_ms = self._slack_ms(elapsed_ms)
        upper_ms = None if hi_ms == _NO_UPPER else hi_ms + elapsed_ms + slack_ms
        recorded_lo_ms = self.bounds_ms()[0]
        if upper_ms is not None and upper_ms < recorded_lo_ms:
            return False  # stale: the log already knows better
        self._set(max(lo_ms + elapsed_ms - slack_ms, recorded_lo_ms), upper_ms)
        self.source = SRC_RTC
        return True

    def narrow(self, lo_ms: int, hi_ms: int, source: int) -> None:
        """Intersects with a bounded statement. Raises ClockContradiction if they are disjoint."""
        old_lo_ms, old_hi_ms = self.bounds_ms()
        if hi_ms < old_lo_ms or (old_hi_ms is not None and lo_ms > old_hi_ms):
            raise ClockContradiction(lo_ms, hi_ms)
        self._set(max(lo_ms, old_lo_ms), hi_ms if old_hi_ms is None else min(hi_ms, old_hi_ms))
        self.source = source
        self._keep()

    def raise_lower_bound(self, lo_ms: int, source: int) -> bool:
        """Moves the lower bound up (C3). Returns False where that is not allowed."""
        old_lo_ms, hi_ms = self.bounds_ms()
        if lo_ms <= old_lo_ms:
            return True
        if hi_ms is not None:
            if lo_ms > hi_ms:
                return False
        elif self._lo_ms and lo_ms > old_lo_ms + _LOWER_JUMP_MAX_MS:
            return False
        self._set(lo_ms, hi_ms)
        if hi_ms is None:
            self.source = source
        self._keep()
        return True

    def _slack_ms(self, elapsed_ms: int) -> int:
        return -(-elapsed_ms * self._drift_ppm // 1_000_000)

    def _set(self, lo_ms, hi_ms):
        self._anchor_ms = self.uptime.now_ms()
        self._lo_ms = lo_ms
        self._hi_ms = hi_ms

    def _keep(self):
        if self._rtc is None:
            return
        lo_ms, hi_ms = self.bounds_ms()
        upper_ms = _NO_UPPER if hi_ms is None else hi_ms
        now_ms = self._rtc.now_ms()
        cache = struct.pack(_CACHE_FORMAT, _CACHE_MAGIC, 1, lo_ms, upper_ms, now_ms)
        rtcmemory.store(self._rtc, rtcmemory.CLOCK, cache)
