# SPDX-License-Identifier: MIT
"""Virtual time as the supervisor keeps it: an offset to the host's clock, and orders to the tag.

present = host time + offset. A tag that leaps stands somewhere before the present and is on
its way there (firmware_side/turnable_clock.py). The offset is the sum of all advances; it
is in RUN/vtime before the tag hears of it, so it is never lost.
"""

import contextlib
import os
import struct
import time

from boards.virtual.supervisor_run_dir import RunDir

_ORDER_FORMAT = "<qB"
# A life that starts so much before the present leaps there; less is the way of processes.
_LEAP_MIN_US = 1_000_000


class VirtualTime:
    """Offset, orders, and where the tag stands."""

    def __init__(self, run: RunDir):
        self._run = run
        self.offset_us = int(run.vtime.read_text()) if run.vtime.exists() else 0
        # Both ends: a fifo without reader would refuse the order, without writer end it.
        self._fifo = os.open(run.clock, os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        os.close(self._fifo)

    def present_us(self) -> int:
        return time.time_ns() // 1000 + self.offset_us

    def now_us(self) -> int:
        """Where the tag stands, Unix microseconds."""
        return self._run.leap_progress_us() or self.present_us()

    def advance(self, duration_us: int) -> None:
        """Moves the present; the tag hears of it with `order`."""
        self.offset_us += duration_us
        new = self._run.vtime.with_suffix(".new")
        new.write_text(f"{self.offset_us}\n")
        new.replace(self._run.vtime)

    def order(self, *, at_once: bool) -> None:
        """Tells the tag where the present is. *at_once*: nothing runs there that had timers."""
        if at_once:
            self._run.end_leap()
        # Full: 7,000 orders wait unread, and the next life gets the offset in any case.
        with contextlib.suppress(BlockingIOError):
            os.write(self._fifo, struct.pack(_ORDER_FORMAT, self.offset_us, at_once))

    def start_life(self, start_us: int) -> int:
        """Forgets unread orders. Returns where the new life leaps from, 0 for not at all."""
        try:
            while os.read(self._fifo, 65536):
                pass
        except BlockingIOError:
            pass
        is_behind = self.present_us() - start_us >= _LEAP_MIN_US
        return start_us if self._run.leap_progress_us() or is_behind else 0
