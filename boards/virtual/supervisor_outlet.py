# SPDX-License-Identifier: MIT
"""Serial output on its way to the host: nothing is lost to who reads, little kept for nobody.

    flowing --buffer full--> holding --no byte read for so long--> deaf --a byte read--> flowing

While holding, the tag waits in its print, as behind a slow UART. While deaf, the oldest
output is lost, as behind an unplugged one: mpremote reads byte by byte, so a long backlog
would keep it from ever getting a prompt (measured: 0.5 MB takes more than 30 s).
"""

import asyncio
import contextlib
import os
from collections.abc import Callable

_SIZE_MAX = 1 << 14
# mpremote empties the kernel's 64 KB at some 50 KB/s, and only then there is room again.
_DEAF_AFTER_S = 5


class Outlet:
    """Writes to *fd*, non-blocking. *hold(True)* stops what fills it, *hold(False)* lets go."""

    def __init__(self, fd: int, hold: Callable[[bool], None], deaf_after_s: float = _DEAF_AFTER_S):
        self.dropped_size = 0
        self._fd = fd
        self._hold = hold
        self._deaf_after_s = deaf_after_s
        self._loop = asyncio.get_running_loop()
        self._unread = bytearray()
        self._is_writing = False
        self._is_deaf = False
        self._patience: asyncio.TimerHandle | None = None

    def close(self) -> None:
        self._loop.remove_writer(self._fd)
        self._be_patient(False)

    def put(self, content: bytes) -> None:
        """Takes output; it is written now or as soon as the host reads."""
        self._unread += content
        self._write()
        if len(self._unread) > _SIZE_MAX:
            if self._is_deaf:
                self._drop()
            elif self._patience is None:
                self._hold(True)
                self._be_patient(True)

    def _write(self) -> None:
        size = 0
        with contextlib.suppress(BlockingIOError):
            size = os.write(self._fd, self._unread) if self._unread else 0
        if size:
            del self._unread[:size]
            self._is_deaf = False
            self._let_go()
        if bool(self._unread) != self._is_writing:
            self._is_writing = bool(self._unread)
            if self._is_writing:
                self._loop.add_writer(self._fd, self._write)
            else:
                self._loop.remove_writer(self._fd)

    def _let_go(self) -> None:
        if self._patience is None:
            return
        has_room = len(self._unread) <= _SIZE_MAX
        # Each byte read buys time; room enough ends the wait.
        self._be_patient(not has_room)
        if has_room:
            self._hold(False)

    def _be_patient(self, is_holding: bool) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None
        if is_holding:
            self._patience = self._loop.call_later(self._deaf_after_s, self._give_up)

    def _give_up(self) -> None:
        self._patience = None
        self._is_deaf = True
        self._drop()
        self._hold(False)

    def _drop(self) -> None:
        lost_size = max(0, len(self._unread) - _SIZE_MAX)
        del self._unread[:lost_size]
        self.dropped_size += lost_size
