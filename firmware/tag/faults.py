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
RECORDER = const(6)

_TEXT_SIZE_MAX = const(48)  # bytes, as sealwire.events says
_COUNT_SIZE = const(8)
# One report an hour for one code: a fault that stays must not fill the flash.
_REPEAT_MS = const(3_600_000)


class Faults:
    """Collects faults. *sink* is called with (code, text) for those worth an event."""

    def __init__(self, uptime, write_line=print):
        self._uptime = uptime
        self._write_line = write_line
        self._last_ms = {}
        self.counts = {}
        self.sink = None

    def note(self, code: int, text: str) -> None:
        """Counts the fault and reports it, at most once an hour for each code."""
        self.counts[code] = self.counts.get(code, 0) + 1
        now_ms = self._uptime.now_ms()
        last_ms = self._last_ms.get(code)
        if last_ms is not None and now_ms - last_ms < _REPEAT_MS:
            return
        self._last_ms[code] = now_ms
        kept = text.encode()[: _TEXT_SIZE_MAX - _COUNT_SIZE]
        text = "%s (%d)" % (_ascii(kept), min(self.counts[code], 99_999))
        self._write_line("sealtrail: fault", code, text)
        if self.sink:
            self.sink(code, text)

    @property
    def is_any(self) -> bool:
        """Whether any fault was noted since this boot."""
        return len(self.counts) > 0


def _ascii(content: bytes) -> str:
    """Printable ASCII only: a cut in the middle of a character must not break the text."""
    return "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in content])
