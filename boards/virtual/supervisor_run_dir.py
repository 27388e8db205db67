# SPDX-License-Identifier: MIT
"""The run directory of one virtual board: everything about it that outlives its processes.

    tty       link to the pty: what mpremote connects to     flash     image of the NOR chip
    ctl       unix socket: orders and status                 counters  flash operations done
    tell      fifo, tag -> supervisor                        cut       power-cut order
    clock     fifo, clock orders -> tag                      leap      progress of a leap
    vtime     offset of virtual time, microseconds           rtc       the RTC's memory
    scenario_start  virtual time of time_s = 0, ms           lock      held while it runs

One supervisor at a time: `lock` is locked with flock, which ends with the process that
holds it, so a directory left by a killed supervisor is simply taken over.
"""

import fcntl
import os
import struct
from array import array
from pathlib import Path
from typing import Any

from boards.virtual import BoardError

_SOCKET_PATH_MAX = 107  # sun_path of Linux, unix(7)
_CUT_FORMAT = "<iii"
_PROGRESS_FORMAT = "<Bq"
# Columns of `counters`, as firmware_side/nor_chip.py writes them.
_COUNTERS = ("reads", "read_bytes", "programs", "program_bytes", "erases", "violations")


class RunDir:
    """Paths and small files of a board. `open` takes the directory, `close` gives it back."""

    def __init__(self, path: Path):
        self.path = path.resolve()
        self.tty, self.ctl = self.path / "tty", self.path / "ctl"
        self.tell, self.clock = self.path / "tell", self.path / "clock"
        self.vtime, self.rtc = self.path / "vtime", self.path / "rtc"
        self._lock_fd = -1
        self._has_lock = False
        self._cut_serial = 0

    def open(self, region_count: int) -> None:
        """Raises BoardError if another supervisor has it, or if the path cannot be used."""
        if len(os.fsencode(self.ctl)) > _SOCKET_PATH_MAX:
            raise BoardError(f"{self.ctl}: too long for a unix socket; use a shorter --run")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
            self._make_files(region_count)
        except BoardError:
            self.close()
            raise
        except OSError as e:
            self.close()
            raise BoardError(f"cannot use {self.path} as run directory: {e}") from e

    def _lock(self) -> None:
        self._lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock_fd, 20).decode().strip()
            raise BoardError(f"{self.path}: process {holder} already runs a board here") from None
        self._has_lock = True
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, f"{os.getpid()}\n".encode(), 0)

    def _make_files(self, region_count: int) -> None:
        for stale in (self.tty, self.ctl, self.tell, self.clock):
            stale.unlink(missing_ok=True)
        os.mkfifo(self.tell, 0o600)
        os.mkfifo(self.clock, 0o600)
        size = (region_count * len(_COUNTERS) + 2) * 8
        counters = self.path / "counters"
        if not counters.exists() or counters.stat().st_size != size:
            counters.write_bytes(bytes(size))
        leap = self.path / "leap"
        (self.path / "cut").write_bytes(bytes(struct.calcsize(_CUT_FORMAT)))
        self._cut_serial = array("Q", counters.read_bytes())[-2]
        self.order_no_cut()
        if not leap.exists():
            leap.write_bytes(struct.pack(_PROGRESS_FORMAT, 0, 0))

    def close(self) -> None:
        """Removes what only a running board has; the flash and its time stay."""
        if self._lock_fd < 0:
            return
        if self._has_lock:
            for gone in (self.tty, self.ctl):
                gone.unlink(missing_ok=True)
        os.close(self._lock_fd)
        self._lock_fd, self._has_lock = -1, False

    def order_cut(self, whole: int, torn_size: int) -> None:
        """Power fails *torn_size* bytes into the operation after *whole* complete ones."""
        # A serial that no life has seen: the count starts anew.
        self._cut_serial += 1
        entry = struct.pack(_CUT_FORMAT, self._cut_serial, whole, torn_size)
        with (self.path / "cut").open("r+b") as f:
            f.write(entry)

    def order_no_cut(self) -> None:
        """Takes a cut order back: it has happened, or power was lost in another way."""
        self.order_cut(-1, 0)

    def lose_rtc(self) -> None:
        """Power is gone: the RTC forgets."""
        self.rtc.unlink(missing_ok=True)

    def leap_progress_us(self) -> int:
        """The virtual time at which a leaping tag stands, 0 when it runs with the host."""
        entry = (self.path / "leap").read_bytes()
        if len(entry) < struct.calcsize(_PROGRESS_FORMAT):
            return 0
        is_leaping, at_us = struct.unpack(_PROGRESS_FORMAT, entry)
        return at_us if is_leaping else 0

    def end_leap(self) -> None:
        """Nothing runs on the tag that could leap: it stands in the present."""
        (self.path / "leap").write_bytes(struct.pack(_PROGRESS_FORMAT, 0, 0))

    def scenario_start_ms(self, now_ms: int) -> int:
        """The virtual time of the scenario's zero: *now_ms* at the first power-up ever."""
        path = self.path / "scenario_start"
        if not path.exists():
            path.write_text(f"{now_ms}\n")
        return int(path.read_text())

    def flash_counters(self, regions: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
        """What has been done to each flash region, over all lives of the board."""
        counts = array("Q", (self.path / "counters").read_bytes())
        width = len(_COUNTERS)
        return {
            region["label"]: dict(zip(_COUNTERS, counts[i * width : (i + 1) * width], strict=True))
            for i, region in enumerate(regions)
        }
