# SPDX-License-Identifier: MIT
"""The virtual board's clock, which an order can turn forward.

Virtual time is host time plus an offset, and an order raises the offset. From then on the
clock *leaps*: it stands still while code runs, and jumps to the next timer, scenario change
or watchdog instant whenever the code would wait, until it has caught up with the present
(host time + offset). Then it runs with the host again. So every timer fires at its exact
instant, and the offset is always the sum of all advances.

    real  --- order --->  leaping  --- caught up --->  real

turnable_modules.py makes the modules time and select of it. Progress is in RUN/leap after
every leap: a power cut leaves it for the next life.

KNOWN LIMIT: ticks are never behind the host's, because the C TaskQueue stamps runnable
tasks with host ticks; so they don't start at 0, nor do they wrap at 2**30 as on an ESP32.
"""

import struct

import uselect
import utime

_host_us = utime.ticks_us

# Keeps ticks ahead of the host's while leaping code is slower than its own timers: 19 h.
_TICKS_AHEAD_US = 1 << 36
_ORDER_FORMAT = "<qB"
_PROGRESS_FORMAT = "<Bq"

hooks = []  # called while blocking sleeps wait: the radio's interrupts
leaping = False
rtc_zero_us = 0  # virtual time at which the RTC would have read 1970; machine.RTC sets it
ticks_minus_virtual_us = 0
orders = None  # the fifo; order_poll tells when there is something in it
order_poll = uselect.poll()

_at_us = 0  # virtual time while leaping
_present_minus_host_us = 0  # present = host ticks + this
_offset_us = 0
_environment = None
_change_us = None  # the environment's next change, asked for after each tick only
_watchdog_us = None
_report = None
_progress = None
_progress_entry = bytearray(struct.calcsize(_PROGRESS_FORMAT))
_order = bytearray(struct.calcsize(_ORDER_FORMAT))


def start(run_dir: str, offset_us: int, at_us: int, report) -> None:
    """Starts the clock of this life.

    *at_us*: where leaping goes on from (Unix microseconds), 0 to run with the host.
    *report* takes one line for the supervisor.
    """
    global _present_minus_host_us, ticks_minus_virtual_us, _offset_us, _at_us, leaping
    global _report, _progress, orders
    wall_minus_host_us = utime.time_ns() // 1000 - _host_us()
    _present_minus_host_us = wall_minus_host_us + offset_us
    ticks_minus_virtual_us = _TICKS_AHEAD_US - wall_minus_host_us
    _offset_us = offset_us
    _report = report
    orders = open(run_dir + "/clock", "rb")
    order_poll.register(orders, uselect.POLLIN)
    _progress = open(run_dir + "/leap", "r+b")
    leaping = at_us != 0
    _at_us = at_us
    _save_progress()


def set_environment(environment) -> None:
    """*environment* has `next_change_ms()` and `tick(now_ms)`, at virtual Unix time."""
    global _environment
    _environment = environment
    _look_ahead()


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


def take_orders() -> None:
    """Follows every order that has come. Orders name the whole offset: repeats do no harm."""
    while order_poll.poll(0):
        orders.readinto(_order)
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


def _look_ahead():
    global _change_us
    change_ms = None if _environment is None else _environment.next_change_ms()
    _change_us = None if change_ms is None else change_ms * 1000


def _meet_change():
    """Lets the scenario act if it is due; returns its next instant in microseconds, or None."""
    global _change_us
    now = now_us()
    if _change_us is not None and _change_us <= now:
        _environment.tick(now // 1000)
        _look_ahead()
        # An environment that does not move on must not stop the clock.
        if _change_us is not None and _change_us <= now:
            _change_us = None
    return _change_us


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


def leap(deadline_us) -> None:
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


def wait_ms(deadline_us, cap_ms: int) -> int:
    """How long a real wait may last before something has to be looked at."""
    nearest = _nearest(deadline_us, _meet_change())
    _check_watchdog()
    if nearest is None:
        return cap_ms
    return max(0, min(cap_ms, (nearest - now_us() + 999) // 1000))
