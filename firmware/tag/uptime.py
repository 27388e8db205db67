# SPDX-License-Identifier: MIT
"""Milliseconds since this boot, as one number that never wraps.

`time.ticks_ms` wraps (after 12.4 days on an ESP32), so differences are added up here.
KNOWN LIMIT: somebody must ask at least once in six days; the sampler does so each interval.
"""


class Uptime:
    """The monotonic clock of this boot; starts at 0 when it is built."""

    def __init__(self, ticks_ms, ticks_diff):
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._last = ticks_ms()
        self._total_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since this object was built."""
        now = self._ticks_ms()
        self._total_ms += self._ticks_diff(now, self._last)
        self._last = now
        return self._total_ms
