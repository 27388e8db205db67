# SPDX-License-Identifier: MIT
"""How often physical events may seal at once: 10, then one per 10 minutes (rule D5).

What has no budget left waits in the journal, as safe, for the next seal: somebody who
shakes the box all day must not fill its flash with signatures.
"""

from micropython import const

_BURST = const(10)
_REFILL_MS = const(600_000)


class SealBudget:
    """A token bucket; starts half full, so that power cycling does not refill it (D7)."""

    def __init__(self, uptime):
        self._uptime = uptime
        self._count = _BURST // 2
        self._refilled_ms = uptime.now_ms()

    def take(self) -> bool:
        """Whether one more event may seal now."""
        earned = (self._uptime.now_ms() - self._refilled_ms) // _REFILL_MS
        if earned:
            self._count = min(_BURST, self._count + earned)
            self._refilled_ms += earned * _REFILL_MS
        if self._count == 0:
            return False
        self._count -= 1
        return True
