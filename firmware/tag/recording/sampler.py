# SPDX-License-Identifier: MIT
"""When to read which probe, and what a reading means for the alarm rules.

One sample is all probes at one instant, on a grid of the profile's interval. A sample
that could not be taken is a GAP event, a probe that fails is a coded reading and an event:
nothing is dropped silently.
"""

import asyncio

from micropython import const

from sealwire import alarm, labels

from .. import faults

# How late a sample may be and still stand on the grid; the record format's tolerance.
_LATE_MS_MAX = const(1000)
# Longest sleep in one piece, so that a new profile or an hour-old block is seen in time.
_NAP_MS_MAX = const(60_000)
_GAP_LATE = const(1)


class Sampler:
    """Reads *probes* (objects with `read() -> (value, raw)`) by the profile in force."""

    def __init__(self, probes, recorder, uptime, note_fault, on_alarm=None, keep_spent=None):
        self._probes = probes
        self._recorder = recorder
        self._uptime = uptime
        self._note_fault = note_fault
        self._on_alarm = on_alarm
        self._keep_spent = keep_spent
        self._spent_ms = []
        self._values = [0] * len(probes)
        self._fault_since_ms = [None] * len(probes)
        self._profile = None
        self._engine = None
        self._due_ms = 0
        self.last_values = None  # the newest sample, for the depot's broadcast
        self.is_alarmed = False

    def use(self, profile, spent_ms=None) -> None:
        """Puts a profile in force from now on; alarms of the one before are closed.

        *spent_ms*: what cumulative rules had counted when this trip's last boot ended, so
        that a reboot gives no budget back.
        """
        self.close_alarms()
        self._profile = profile
        self._engine = alarm.AlarmEngine(profile, spent_ms)
        self._spent_ms = self._engine.spent_ms
        self._due_ms = self._uptime.now_ms()

    def close_alarms(self) -> None:
        """Ends what is in alarm because the trip (or the profile) ends."""
        if self._engine:
            self._keep_alarms(self._engine.end_trip(self._uptime.now_ms()))
        self.is_alarmed = False

    async def run(self):
        """Samples for ever. Cancelling it stops the log, so only a shutdown does."""
        while True:
            wait_ms = self._due_ms - self._uptime.now_ms()
            if wait_ms > 0:
                await asyncio.sleep_ms(min(wait_ms, _NAP_MS_MAX))
                self._recorder.seal_if_due()
                continue
            self._skip_missed(-wait_ms)
            self.sample_once()
            self._due_ms += self._interval_ms()
            await asyncio.sleep_ms(0)

    def sample_once(self) -> None:
        """Reads every probe now and keeps the sample."""
        up_ms = self._uptime.now_ms()
        for index in range(len(self._probes)):
            self._values[index] = self._read(index, up_ms)
        self._recorder.sample(up_ms, self._values)
        self.last_values = self._values
        if self._engine:
            self._keep_alarms(self._engine.sample(up_ms, self._values))
            self._note_spent()

    def _note_spent(self):
        """Tells when a cumulative rule has counted more: once for each excursion that ended."""
        spent_ms = self._engine.spent_ms
        if spent_ms != self._spent_ms:
            self._spent_ms = spent_ms
            if self._keep_spent:
                self._keep_spent(spent_ms)

    def _interval_ms(self) -> int:
        profile = self._profile
        if self.is_alarmed and profile.burst_interval_s:
            return profile.burst_interval_s * 1000
        return profile.interval_s * 1000

    def _skip_missed(self, late_ms):
        """Says how many instants went by, and moves the grid past them."""
        interval_ms = self._interval_ms()
        missed_count = late_ms // interval_ms
        if late_ms > _LATE_MS_MAX:
            # Off the grid: the next sample starts a new run at its own instant.
            self._due_ms += late_ms
            if missed_count:
                self._recorder.note_event(labels.EVENT_GAP, [missed_count, _GAP_LATE])

    def _read(self, index, up_ms):
        try:
            value, raw = self._probes[index].read()
        except OSError as e:
            self._note_fault(faults.SENSOR, "probe %d errno %s" % (index, e.args[0]))
            value, raw = labels.FAULT_BASE + labels.FAULT_NO_ANSWER, 0
        self._note_probe(index, up_ms, value, raw)
        return value

    def _note_probe(self, index, up_ms, value, raw):
        """Events at the edges: the raw register is kept once, where the fault begins."""
        is_fault = value >= labels.FAULT_BASE
        since_ms = self._fault_since_ms[index]
        if is_fault and since_ms is None:
            self._fault_since_ms[index] = up_ms
            code = value - labels.FAULT_BASE
            self._recorder.note_event(labels.EVENT_PROBE_FAULT, [index, code, raw])
        elif not is_fault and since_ms is not None:
            self._fault_since_ms[index] = None
            self._recorder.note_event(labels.EVENT_PROBE_OK, [index, up_ms - since_ms])

    def _keep_alarms(self, changes):
        for code, content in changes:
            # An alarm seals at once: it must be provable even if the tag dies next.
            self._recorder.note_event(code, content, seal=True)
        if changes:
            self.is_alarmed = self._engine.is_alarm
            if self._on_alarm:
                self._on_alarm(self.is_alarmed)
