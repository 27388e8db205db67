# SPDX-License-Identifier: MIT
"""The tag's USB UART: a pty for the host on one side, plain pipes to MicroPython on the other.

No pty towards MicroPython: no echo, no line discipline, binary clean. The pipe to its
stdin outlives soft resets, as a UART's buffer does, and is emptied at a hard one. ctrl-C
becomes SIGINT while code runs that can take it, and is a byte like any other otherwise
(mpremote's raw paste and `mount` need both). Input is held until boot is over: MicroPython
would take a ctrl-C during boot for a plain byte, and mpremote would wait 10 s.
"""

import asyncio
import os
import pty
import tty
from pathlib import Path
from typing import BinaryIO

from boards.virtual.supervisor_chip import ChipProcess
from boards.virtual.supervisor_outlet import Outlet
from boards.virtual.supervisor_repl import FRIENDLY, RAW, ReplFollower

_CTRL_A = b"\x01"
_CTRL_C = b"\x03"
_SOFT_REBOOT = b"MPY: soft reboot\r\n"
_READ_SIZE = 4096
_HELD_MAX = 1 << 16  # input that comes during boot


class Console:
    """Bytes between host and tag, and what they tell about the tag."""

    def __init__(self, link: Path, log: BinaryIO | None = None):
        self._overrun_size = 0
        self._log = log
        self._chip: ChipProcess | None = None
        self._repl = ReplFollower(FRIENDLY)
        self._held = b""
        # The slave end stays open here: no hang-up between two clients.
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.stdin_fd, self._to_chip = os.pipe()
        os.set_blocking(self._to_chip, False)
        link.symlink_to(os.ttyname(self._slave))
        self._outlet = Outlet(self._master, self._hold)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._master, self._from_host)

    def close(self) -> None:
        self._loop.remove_reader(self._master)
        self._outlet.close()
        for fd in (self._master, self._slave, self.stdin_fd, self._to_chip):
            os.close(fd)

    # ---- lives

    @property
    def mode(self) -> str:
        return self._repl.mode

    @property
    def is_up(self) -> bool:
        return self._chip is not None and self._repl.is_up

    @property
    def dropped_size(self) -> int:
        """Bytes lost in either direction."""
        return self._overrun_size + self._outlet.dropped_size

    def is_idle(self) -> bool:
        """True when the tag waits at its prompt and runs nothing."""
        chip = self._chip
        return chip is not None and self._repl.is_at_prompt and not chip.runs_code()

    def start_life(self, *, is_soft: bool) -> None:
        """To be called before the process starts: what a reset does to the UART."""
        mode = self._repl.mode if is_soft else FRIENDLY
        self._repl = ReplFollower(mode)
        if is_soft:
            self._to_host(_SOFT_REBOOT)
        else:
            self._empty_input()
        if mode == RAW:
            self._to_tag(_CTRL_A)

    def connect(self, chip: ChipProcess) -> None:
        self._chip = chip

    def end_life(self) -> None:
        """A life that ended while booting shows what it had said."""
        self._to_host(self._repl.last_words())
        self._chip = None

    def say(self, line: str) -> None:
        """A line from the supervisor itself."""
        self._to_host(f"\r\nvirtual board: {line}\r\n".encode())

    def _empty_input(self) -> None:
        self._held = b""
        os.set_blocking(self.stdin_fd, False)
        try:
            while os.read(self.stdin_fd, _HELD_MAX):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(self.stdin_fd, True)

    # ---- host to tag

    def _from_host(self) -> None:
        try:
            self._feed(os.read(self._master, _READ_SIZE))
        except (BlockingIOError, OSError):
            return

    def _feed(self, chunk: bytes) -> None:
        if not self.is_up:
            self._held = (self._held + chunk)[-_HELD_MAX:]
            return
        plain, *after_ctrl_c = chunk.split(_CTRL_C)
        self._to_tag(plain)
        for plain in after_ctrl_c:
            chip = self._chip
            if chip is not None and chip.runs_code():
                chip.interrupt()
            else:
                self._to_tag(_CTRL_C)
            self._to_tag(plain)

    def _to_tag(self, content: bytes) -> None:
        try:
            sent = os.write(self._to_chip, content) if content else 0
        except BlockingIOError:
            sent = 0
        # A full buffer loses bytes, as a UART overrun does.
        self._overrun_size += len(content) - sent

    # ---- tag to host

    def receive(self, chunk: bytes) -> None:
        """Takes what the process printed."""
        was_up = self._repl.is_up
        self._to_host(self._repl.feed(chunk))
        if self._repl.is_up and not was_up:
            held, self._held = self._held, b""
            self._feed(held)

    def _to_host(self, content: bytes) -> None:
        if not content:
            return
        if self._log is not None:
            self._log.write(content)
        self._outlet.put(content)

    def _hold(self, is_held: bool) -> None:
        if self._chip is not None:
            self._chip.hold_output(is_held)
