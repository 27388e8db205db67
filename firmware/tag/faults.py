# SPDX-License-Identifier: MIT
"""Faults of the device itself: counted, shown on the serial line, put into the chain.

A fault never stops the log; what cannot even be logged is still counted and printed.
"""

from micropython import const

# DEVICE_FAULT codes; record-format.md, "Events".
RADIO = const(1)
STORAGE = const(2)
SENSOR = const(3)
SIGNER = const(4)
SESSION = const(5)

_TEXT_SIZE_MAX = const(48)
# One entry a minute for one code: a sensor that fails at 10 Hz must not fill the flash.
_REPEAT_MS = const(60_000)


class Faults:
    """Collects faults. *sink* is called with (code, text) for those worth an event."""

    def __init__(self, uptime, write_line=print):
        self._uptime = uptime
        self._write_line = write_line
        self._last_ms = {}
        self.counts = {}
        self.sink = None

    def note(self, code: int, text: str) -> None:
        """Counts the fault and reports it, at most once a minute for each code."""
        self.counts[code] = self.counts.get(code, 0) + 1
        now_ms = self._uptime.now_ms()
        last_ms = self._last_ms.get(code)
        if last_ms is not None and now_ms - last_ms < _REPEAT_MS:
            return
        self._last_ms[code] = now_ms
        self._write_line("fault", code, text)
        if self.sink:
            self.sink(code, text[:_TEXT_SIZE_MAX])
