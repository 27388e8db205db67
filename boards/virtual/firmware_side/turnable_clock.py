# SPDX-License-Identifier: MIT
"""The virtual board's clock: `time` and `select` replacements that an order can turn forward.

Virtual time is host time plus an offset, and an order raises the offset. From then on the
clock *leaps*: it stands still while code runs, and jumps to the next timer, scenario change
or watchdog instant whenever the code would wait, until it has caught up with the present
(host time + offset). Then it runs with the host again. So every timer fires at its exact
instant, and the offset is always the sum of all advances.

    real  --- order --->  leaping  --- caught up --->  real

Both objects are put into sys.modules before asyncio is first imported. asyncio takes its
ticks from `time` and waits in `select.poll().ipoll`, so nothing in asyncio is patched.
Progress is in RUN/leap after every leap: a power cut leaves it for the next life.

KNOWN LIMIT: ticks are never behind the host's, because the C TaskQueue stamps runnable
tasks with host ticks; so they don't start at 0, nor do they wrap at 2**30 as on an ESP32.
"""

import io
import struct

import uselect
import utime

_host_us = utime.ticks_us
_host_sleep_us = utime.sleep_us

# Keeps ticks ahead of the host's while leaping code is slower than its own timers: 19 h.
_TICKS_AHEAD_US = 1 << 36
# A Python-level stream (asyncio.ThreadSafeFlag) is asked again at least this often. Only
# code that this same loop runs can set one, so this is a safety net.
_STREAM_POLL_MS = 50
# Blocking sleeps look for radio interrupts this often.
_HOOK_POLL_MS = 2
_WAIT_MAX_MS = 3_600_000
_ORDER_FORMAT = "<qB"
_PROGRESS_FORMAT = "<Bq"
_STREAM_IOCTL_POLL = 3

hooks = []  # called while blocking sleeps wait: the radio's interrupts
leaping = False
rtc_zero_us = 0  # virtual time at which the RTC would have read 1970; machine.RTC sets it

_at_us = 0  # virtual time while leaping
_present_minus_host_us = 0  # present = host ticks + this
_ticks_minus_virtual_us = 0
_offset_us = 0
_environment = None
_watchdog_us = None
_report = None
_progress = None
_progress_entry = bytearray(struct.calcsize(_PROGRESS_FORMAT))
_orders = None
_order = bytearray(struct.calcsize(_ORDER_FORMAT))
_order_poll = uselect.poll()


def start(run_dir: str, offset_us: int, at_us: int, report) -> None:
    """Starts the clock of this life.

    *at_us*: where leaping goes on from (Unix microseconds), 0 to run with the host.
    *report* takes one line for the supervisor.
    """
    global _present_minus_host_us, _ticks_minus_virtual_us, _offset_us, _at_us, leaping
    global _report, _progress, _orders
    wall_minus_host_us = utime.time_ns() // 1000 - _host_us()
    _present_minus_host_us = wall_minus_host_us + offset_us
    _ticks_minus_virtual_us = _TICKS_AHEAD_US - wall_minus_host_us
    _offset_us = offset_us
    _report = report
    _orders = open(run_dir + "/clock", "rb")
    _order_poll.register(_orders, uselect.POLLIN)
    _progress = open(run_dir + "/leap", "r+b")
    leaping = at_us != 0
    _at_us = at_us
    _save_progress()


def set_environment(environment) -> None:
    """*environment* has `next_change_ms()` and `tick(now_ms)`, at virtual Unix time."""
    global _environment
    _environment = environment


def set_watchdog(deadline_us) -> None:
    """The virtual time at which the watchdog bites; None stops it."""
    global _watchdog_us
    _watchdog_us = deadline_us


def now_us() -> int:
    """Virtual Unix time in microseconds: the world's time, not what the tag's RTC knows."""
    return _at_us if leaping else _host_us() + _present_minus_host_us


def now_ms() -> int:
    """Virtual Unix time in milliseconds."""
    return now_us() // 1000


def _save_progress():
    # A cut before this line repeats the last leap, one after it does not: both are exact.
    struct.pack_into(_PROGRESS_FORMAT, _progress_entry, 0, leaping, _at_us)
    _progress.seek(0)
    _progress.write(_progress_entry)


def _take_orders():
    """Follows every order that has come. Orders name the whole offset: repeats do no harm."""
    while _order_poll.poll(0):
        _orders.readinto(_order)
        offset_us, is_at_once = struct.unpack(_ORDER_FORMAT, _order)
        _follow(offset_us, is_at_once)


def _follow(offset_us, is_at_once):
    global _present_minus_host_us, _offset_us, _at_us, leaping
    now = now_us()
    _present_minus_host_us += offset_us - _offset_us
    _offset_us = offset_us
    if is_at_once:
        _run_with_host()
        _meet_change()
    elif not leaping:
        _at_us = now
        leaping = True
        _save_progress()


def _run_with_host():
    global leaping
    leaping = False
    _save_progress()
    _report("there %d" % _offset_us)


def _meet_change():
    """Lets the scenario act if it is due; returns its next instant in microseconds, or None."""
    if _environment is None:
        return None
    change_ms = _environment.next_change_ms()
    if change_ms is not None and change_ms * 1000 <= now_us():
        _environment.tick(now_ms())
        change_ms = _environment.next_change_ms()
        # An environment that does not move on must not stop the clock.
        if change_ms is not None and change_ms * 1000 <= now_us():
            return None
    return None if change_ms is None else change_ms * 1000


def _check_watchdog():
    if _watchdog_us is not None and now_us() >= _watchdog_us:
        _report("watchdog")


def _nearest(deadline_us, change_us):
    """The earliest of what a wait must stop at; None when nothing is ahead."""
    nearest = deadline_us
    for at_us in (change_us, _watchdog_us):
        if at_us is not None and (nearest is None or at_us < nearest):
            nearest = at_us
    return nearest


def _leap(deadline_us):
    """One leap towards *deadline_us* (None: no timer), never beyond the present."""
    global _at_us
    present_us = _host_us() + _present_minus_host_us
    at_us = _nearest(deadline_us, _meet_change())
    if at_us is None or at_us > present_us:
        at_us = present_us
    if at_us > _at_us:
        _at_us = at_us
        _save_progress()
    _meet_change()
    _check_watchdog()
    if at_us >= present_us:
        _run_with_host()


def _wait_ms(deadline_us, cap_ms):
    """How long a real wait may last before something has to be looked at."""
    nearest = _nearest(deadline_us, _meet_change())
    _check_watchdog()
    if nearest is None:
        return cap_ms
    return max(0, min(cap_ms, (nearest - now_us() + 999) // 1000))


class Time:
    """Stands for the time module. `time()` is the RTC: 2000-01-01 after a loss of power."""

    ticks_diff = staticmethod(utime.ticks_diff)
    ticks_add = staticmethod(utime.ticks_add)
    mktime = staticmethod(utime.mktime)

    @staticmethod
    def ticks_us() -> int:
        return now_us() + _ticks_minus_virtual_us

    @staticmethod
    def ticks_ms() -> int:
        return (now_us() + _ticks_minus_virtual_us) // 1000

    @staticmethod
    def ticks_cpu() -> int:
        return now_us() + _ticks_minus_virtual_us

    @staticmethod
    def time_ns() -> int:
        _take_orders()
        return (now_us() - rtc_zero_us) * 1000

    @staticmethod
    def time() -> int:
        _take_orders()
        return (now_us() - rtc_zero_us) // 1_000_000

    @staticmethod
    def gmtime(seconds=None):
        return utime.gmtime(Time.time() if seconds is None else seconds)

    @staticmethod
    def localtime(seconds=None):
        return Time.gmtime(seconds)

    @staticmethod
    def sleep_us(duration_us: int) -> None:
        deadline_us = now_us() + duration_us
        while True:
            _take_orders()
            for hook in hooks:
                hook()
            left_us = deadline_us - now_us()
            if left_us <= 0:
                return
            if leaping:
                _leap(deadline_us)
            elif left_us < 1000:
                _host_sleep_us(left_us)
            else:
                _order_poll.poll(_wait_ms(deadline_us, _HOOK_POLL_MS if hooks else _WAIT_MAX_MS))

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
        self._descriptors.register(_orders, uselect.POLLIN)
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
        found = [pair for pair in self._descriptors.poll(wait_ms) if pair[0] is not _orders]
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
        deadline_us = None if timeout_ms < 0 else now_us() + timeout_ms * 1000
        while not found and (deadline_us is None or now_us() < deadline_us):
            _take_orders()
            if leaping:
                _leap(deadline_us)
                found = self._ready(0)
            else:
                cap_ms = _STREAM_POLL_MS if self._streams else _WAIT_MAX_MS
                wait_ms = _wait_ms(deadline_us, cap_ms)
                # A pin interrupt in there may just have set a flag: then don't wait.
                found = self._ready(0) or self._ready(wait_ms)
        return found

    ipoll = poll


class Select:
    """Stands for the select module."""

    poll = Poll
    POLLIN, POLLOUT = uselect.POLLIN, uselect.POLLOUT
    POLLERR, POLLHUP = uselect.POLLERR, uselect.POLLHUP
