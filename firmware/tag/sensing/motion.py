# SPDX-License-Identifier: MIT
"""Shock, tilt and lid events from accelerometer and lid switch.

    shock   interrupt -> SHOCK at once; more within a minute are one further SHOCK at its end
    tilt    angle > tilt_deg for tilt_hold_s -> TILT_START ... back for one look -> TILT_END
    lid     edge, 50 ms of rest -> LID_OPEN, LID_CLOSED

`note_event(code, content)` gets every event; the watches decide nothing else. The synchronous
steps take the time as an argument, the run() loops only wait, each wait bounded.
"""

import asyncio
import math

from micropython import const

from sealwire import labels

from ..drivers.lid import DEBOUNCE_MS
from ..drivers.lis2dh12 import SHOCK_READ_MS

_MERGE_MS = const(60_000)
_TILT_BACK_DEG = const(5)  # a box that rests on the limit must not flicker
_LOOK_MS_MAX = const(60_000)
_LOOK_MS_MIN = const(1_000)
# At rest the sum is 1 g; a box being carried is neither tilted nor upright.
_REST_MIN_MG = const(700)
_REST_MAX_MG = const(1300)
_UPRIGHT_MG = (0, 0, 1000)


def tilt_deg(mg: tuple) -> int:
    """The angle between the z axis and up, 0..180, or -1 when the tag is not at rest."""
    x, y, z = mg
    across = math.sqrt(x * x + y * y)
    length = math.sqrt(x * x + y * y + z * z)
    if not _REST_MIN_MG <= length <= _REST_MAX_MG:
        return -1
    return int(math.atan2(across, z) * 180 / math.pi + 0.5)


class ShockMerger:
    """At most two SHOCK events a minute, however often it knocks."""

    def __init__(self, note_event):
        self._note_event = note_event
        self._until_ms = None  # end of the minute that the first shock opened
        self._peak_mg = 0
        self._axis = 0
        self._count = 0

    def add(self, now_ms: int, peak_mg: int, axis: int) -> None:
        """Takes one shock: notes it at once, or keeps it for the end of the minute."""
        self.look(now_ms)
        if self._until_ms is None:
            self._until_ms = now_ms + _MERGE_MS
            self._note_event(labels.EVENT_SHOCK, [peak_mg, axis, 1])
            return
        self._count += 1
        if peak_mg > self._peak_mg:
            self._peak_mg, self._axis = peak_mg, axis

    def look(self, now_ms: int) -> None:
        """Notes what a minute that is over has gathered."""
        if self._until_ms is None or now_ms < self._until_ms:
            return
        self._until_ms = None
        if self._count:
            self._note_event(labels.EVENT_SHOCK, [self._peak_mg, self._axis, self._count])
        self._peak_mg = self._axis = self._count = 0

    def wait_ms(self, now_ms: int, longest_ms: int) -> int:
        """How long nothing needs to be looked at, at most *longest_ms*."""
        if self._until_ms is None:
            return longest_ms
        return max(1, min(longest_ms, self._until_ms - now_ms))


class TiltWatch:
    """TILT_START once the limit has been exceeded for the hold time, TILT_END when it is over."""

    def __init__(self, note_event, limit_deg: int, hold_ms: int):
        self._note_event = note_event
        self._limit_deg = limit_deg
        self._hold_ms = hold_ms
        self._since_ms = None  # first look above the limit
        self._most_deg = 0
        self.is_tilted = False

    def look(self, now_ms: int, angle_deg: int) -> None:
        """Takes the angle of this instant."""
        limit_deg = self._limit_deg - (_TILT_BACK_DEG if self.is_tilted else 0)
        if angle_deg > limit_deg:
            self._lean(now_ms, angle_deg)
        else:
            self.close(now_ms)

    def close(self, now_ms: int) -> None:
        """Ends a tilt: upright again, or the profile is no longer in force."""
        if self.is_tilted:
            duration_ms = now_ms - self._since_ms
            self._note_event(labels.EVENT_TILT_END, [self._most_deg, duration_ms])
        self._since_ms = None
        self.is_tilted = False

    def _lean(self, now_ms, angle_deg):
        if self._since_ms is None:
            self._since_ms, self._most_deg = now_ms, angle_deg
        self._most_deg = max(self._most_deg, angle_deg)
        if not self.is_tilted and now_ms - self._since_ms >= self._hold_ms:
            self.is_tilted = True
            self._note_event(labels.EVENT_TILT_START, [angle_deg])


class Motion:
    """Watches the accelerometer by the profile in force.

    *uptime* has now_ms(); *note_event(code, content)* keeps an event; *on_fault(text)* is told
    when the chip stops answering (the watch goes on and tries again).
    """

    def __init__(self, accelerometer, uptime, note_event, on_fault):
        self._chip = accelerometer
        self._uptime = uptime
        self._note_event = note_event
        self._on_fault = on_fault
        self._shocks = ShockMerger(note_event)
        self._tilt = None
        self._rest_mg = _UPRIGHT_MG
        self._look_ms = _LOOK_MS_MAX
        self._threshold_mg = 0
        self._is_armed = False
        self._edge = None  # made by run(): a flag cannot be made before its loop

    @property
    def is_tilted(self) -> bool:
        """Whether a tilt beyond the limit of the profile goes on."""
        return self._tilt is not None and self._tilt.is_tilted

    def use(self, profile) -> None:
        """Puts shock_mg, tilt_deg and tilt_hold_s of a profile in force; 0 switches off."""
        if self._tilt:
            self._tilt.close(self._uptime.now_ms())
        hold_ms = profile.tilt_hold_s * 1000
        self._tilt = None
        if profile.tilt_deg:
            self._tilt = TiltWatch(self._note_event, profile.tilt_deg, hold_ms)
        # Four looks a hold time: its length is exact to a quarter.
        self._look_ms = max(_LOOK_MS_MIN, min(_LOOK_MS_MAX, hold_ms // 4))
        self._threshold_mg = profile.shock_mg
        self._is_armed = False
        if self._edge:
            self._edge.set()  # arm now, not at the next look

    def look(self) -> None:
        """One look at the chip: shock, then tilt. A silent chip is a fault, not an exception."""
        now_ms = self._uptime.now_ms()
        try:
            if not self._is_armed:
                self._chip.arm(self._threshold_mg)
                self._is_armed = True
            self._look_at_shock(now_ms)
            self._look_at_tilt(now_ms)
        except OSError as e:
            # The chip may have lost its settings with its power: arm it again next time.
            self._is_armed = False
            self._on_fault("accelerometer errno %s" % e.args[0])
        self._shocks.look(now_ms)

    async def run(self):
        """Looks at each interrupt and at each look time, for ever."""
        self._edge = edge = asyncio.ThreadSafeFlag()
        self._chip.watch(lambda pin: edge.set())
        while True:
            if self._chip.has_shock():
                # The peak follows the first sample above the threshold.
                await asyncio.sleep_ms(SHOCK_READ_MS)
            self.look()
            wait_ms = self._shocks.wait_ms(self._uptime.now_ms(), self._look_ms)
            try:
                await asyncio.wait_for_ms(edge.wait(), wait_ms)
            except asyncio.TimeoutError:
                pass

    def _look_at_shock(self, now_ms):
        if self._chip.has_shock():
            shock = self._chip.read_shock(self._rest_mg)
            if shock:
                self._shocks.add(now_ms, shock[0], shock[1])

    def _look_at_tilt(self, now_ms):
        mg = self._chip.read_mg()
        angle_deg = tilt_deg(mg)
        if angle_deg < 0:
            return
        self._rest_mg = mg
        if self._tilt:
            self._tilt.look(now_ms, angle_deg)


class LidWatch:
    """LID_OPEN and LID_CLOSED from a lid switch."""

    def __init__(self, lid, uptime, note_event):
        self._lid = lid
        self._uptime = uptime
        self._note_event = note_event
        self._open_since_ms = None
        self.is_open = False

    def look(self) -> None:
        """Notes the change, if there is one, since the last look."""
        is_open = self._lid.is_open()
        if is_open == self.is_open:
            return
        self.is_open = is_open
        now_ms = self._uptime.now_ms()
        if is_open:
            self._open_since_ms = now_ms
            self._note_event(labels.EVENT_LID_OPEN, None)
        else:
            self._note_event(labels.EVENT_LID_CLOSED, [now_ms - self._open_since_ms])

    async def run(self):
        """Looks at rest after each edge, and once a minute should an edge have been missed."""
        edge = asyncio.ThreadSafeFlag()
        self._lid.watch(lambda pin: edge.set())
        while True:
            self.look()
            try:
                await asyncio.wait_for_ms(edge.wait(), _LOOK_MS_MAX)
                await asyncio.sleep_ms(DEBOUNCE_MS)
            except asyncio.TimeoutError:
                pass
