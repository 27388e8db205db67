# SPDX-License-Identifier: MIT
"""Follows what MicroPython prints: where its boot is, which REPL mode it is in. No I/O.

    BOOTING --up mark--> OPEN                                  power-on, reset, friendly ctrl-D
    BOOTING --up mark--> QUIET --REPL mark--> BANNER --raw banner--> OPEN      raw ctrl-D

A board keeps raw mode over a soft reset. A new process starts friendly, so the friendly
banner is swallowed until the raw one that the supervisor's ctrl-A brings.
"""

_UP = b"\0vtag-up\0"
_REPL = b"\0vtag-repl\0"
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_FRIENDLY_BANNER = b"\nMicroPython "
_MODE_TAIL = 40  # longer than either banner

_BOOTING, _QUIET, _BANNER, _OPEN = range(4)

FRIENDLY = "friendly"
RAW = "raw"


class ReplFollower:
    """One life's output, from the first byte to the last."""

    def __init__(self, mode: str):
        self.mode = mode
        self.is_at_prompt = False
        self._starts_raw = mode == RAW
        self._state = _BOOTING
        self._held = b""
        self._tail = b""

    @property
    def is_up(self) -> bool:
        """True once boot is over and MicroPython can take input and ctrl-C."""
        return self._state != _BOOTING

    def last_words(self) -> bytes:
        """What was printed by a life that ended while booting."""
        return b"" if self.is_up else self._held

    def feed(self, chunk: bytes) -> bytes:
        """Takes output of the process; returns what the host gets to see of it."""
        self._held += chunk
        out = b""
        if self._state == _BOOTING:
            out += self._take_through(_UP, _QUIET if self._starts_raw else _OPEN)
        if self._state == _QUIET:
            out += self._take_through(_REPL, _BANNER)
        if self._state == _BANNER:
            self._skip_to(_RAW_BANNER)
        if self._state == _OPEN:
            out += self._pass_on()
        return out

    def _take_through(self, mark: bytes, next_state: int) -> bytes:
        before, found, after = self._held.partition(mark)
        if found:
            self._held, self._state = after, next_state
            self.is_at_prompt = mark is _REPL
            return before
        return b""

    def _skip_to(self, banner: bytes) -> None:
        start = self._held.find(banner)
        if start >= 0:
            self._held, self._state = self._held[start:], _OPEN

    def _pass_on(self) -> bytes:
        out, self._held = self._held, b""
        if not self.is_at_prompt:
            before, found, after = out.partition(_REPL)
            self.is_at_prompt = bool(found)
            out = before + after
            if not found:
                kept = _partial_mark_size(out)
                out, self._held = out[: len(out) - kept], out[len(out) - kept :]
        self._follow_mode(out)
        if self.mode == FRIENDLY:
            out = out.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return out

    def _follow_mode(self, out: bytes) -> None:
        seen = self._tail + out
        raw, friendly = seen.rfind(_RAW_BANNER), seen.rfind(_FRIENDLY_BANNER)
        if raw != friendly:
            self.mode = RAW if raw > friendly else FRIENDLY
        self._tail = seen[-_MODE_TAIL:]


def _partial_mark_size(out: bytes) -> int:
    """How many bytes at the end of *out* may be the beginning of the REPL mark."""
    for size in range(min(len(_REPL) - 1, len(out)), 0, -1):
        if out.endswith(_REPL[:size]):
            return size
    return 0
