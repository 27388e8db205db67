# SPDX-License-Identifier: MIT
"""The modules time and select over the turnable clock.

They are put into sys.modules before asyncio is first imported. asyncio takes its ticks from
`time` and waits in `select.poll().ipoll`, so nothing in asyncio is patched.
"""

import io

import turnable_clock as clock
import uselect
import utime

# A Python-level stream (asyncio.ThreadSafeFlag) is asked again at least this often. Only
# code that this same loop runs can set one, so this is a safety net.
_STREAM_POLL_MS = 50
# NimBLE of the unix port runs where MicroPython runs scheduled calls, once a millisecond, and
# nothing wakes a wait in C for it.
_NATIVE_RADIO_POLL_MS = 1
# Blocking sleeps look for radio interrupts this often.
_HOOK_POLL_MS = 2
_WAIT_MAX_MS = 3_600_000
_STREAM_IOCTL_POLL = 3

_wait_cap_ms = None  # None: by what is waited for


def serve_native_radio() -> None:
    """Keeps every wait, of asyncio and of blocking sleeps, short enough for a native radio."""
    global _wait_cap_ms
    _wait_cap_ms = _NATIVE_RADIO_POLL_MS


class Time:
    """Stands for the time module. `time()` is the RTC: 2000-01-01 after a loss of power."""

    ticks_diff = staticmethod(utime.ticks_diff)
    ticks_add = staticmethod(utime.ticks_add)
    mktime = staticmethod(utime.mktime)

    @staticmethod
    def ticks_us() -> int:
        return clock.now_us() + clock.ticks_minus_virtual_us

    @staticmethod
    def ticks_ms() -> int:
        return (clock.now_us() + clock.ticks_minus_virtual_us) // 1000

    @staticmethod
    def ticks_cpu() -> int:
        return clock.now_us() + clock.ticks_minus_virtual_us

    @staticmethod
    def time_ns() -> int:
        clock.take_orders()
        return (clock.now_us() - clock.rtc_zero_us) * 1000

    @staticmethod
    def time() -> int:
        clock.take_orders()
        return (clock.now_us() - clock.rtc_zero_us) // 1_000_000

    @staticmethod
    def gmtime(seconds=None):
        return utime.gmtime(Time.time() if seconds is None else seconds)

    @staticmethod
    def localtime(seconds=None):
        return Time.gmtime(seconds)

    @staticmethod
    def sleep_us(duration_us: int) -> None:
        deadline_us = clock.now_us() + duration_us
        while True:
            clock.take_orders()
            for hook in clock.hooks:
                hook()
            left_us = deadline_us - clock.now_us()
            if left_us <= 0:
                return
            if clock.leaping:
                clock.leap(deadline_us)
            elif left_us < 1000:
                utime.sleep_us(left_us)
            else:
                cap_ms = _wait_cap_ms or (_HOOK_POLL_MS if clock.hooks else _WAIT_MAX_MS)
                clock.order_poll.poll(clock.wait_ms(deadline_us, cap_ms))

    @staticmethod
    def sleep_ms(duration_ms: int) -> None:
        Time.sleep_us(duration_ms * 1000)

    @staticmethod
    def sleep(duration_s) -> None:
        Time.sleep_us(int(duration_s * 1_000_000))


class Poll:
    """select.poll that knows orders, leaps, and Python-level streams.

    With a Python stream registered, C polls in steps of 1 ms and takes 1 ms even for a zero
    timeout (measured: 1 ms for every await with aioble). So those are asked here, and C
    waits on descriptors alone.
    """

    def __init__(self):
        self._descriptors = uselect.poll()
        self._descriptors.register(clock.orders, uselect.POLLIN)
        self._streams = {}

    def register(self, stream, events=uselect.POLLIN | uselect.POLLOUT) -> None:
        if isinstance(stream, io.IOBase):
            self._streams[id(stream)] = [stream, events]
        else:
            self._descriptors.register(stream, events)

    def modify(self, stream, events) -> None:
        if id(stream) in self._streams:
            self._streams[id(stream)][1] = events
        else:
            self._descriptors.modify(stream, events)

    def unregister(self, stream) -> None:
        if self._streams.pop(id(stream), None) is None:
            self._descriptors.unregister(stream)

    def _ready(self, wait_ms):
        found = [pair for pair in self._descriptors.poll(wait_ms) if pair[0] is not clock.orders]
        for stream, events in self._streams.values():
            flags = stream.ioctl(_STREAM_IOCTL_POLL, events)
            if flags:
                found.append((stream, flags))
        return found

    def poll(self, timeout_ms=-1, flags=0):
        """Returns what is ready as a list; waits for *timeout_ms*, -1 without end."""
        found = self._ready(0)
        if found or timeout_ms == 0:
            return found
        deadline_us = None if timeout_ms < 0 else clock.now_us() + timeout_ms * 1000
        while not found and (deadline_us is None or clock.now_us() < deadline_us):
            clock.take_orders()
            if clock.leaping:
                clock.leap(deadline_us)
                found = self._ready(0)
            else:
                cap_ms = _wait_cap_ms or (_STREAM_POLL_MS if self._streams else _WAIT_MAX_MS)
                wait_ms = clock.wait_ms(deadline_us, cap_ms)
                # A pin interrupt in there may just have set a flag: then don't wait.
                found = self._ready(0) or self._ready(wait_ms)
        return found

    ipoll = poll


class Select:
    """Stands for the select module."""

    poll = Poll
    POLLIN, POLLOUT = uselect.POLLIN, uselect.POLLOUT
    POLLERR, POLLHUP = uselect.POLLERR, uselect.POLLHUP
