# SPDX-License-Identifier: MIT
"""Builds the tag from its parts and runs its tasks. The only module that knows them all.

    sampler ─┐                                  ┌─ gatt (radio) ── sessions
    motion  ─┼─> recorder ─> journal, records <─┘
    lid     ─┘      └─ signer

A task that fails is a fault and is started again; none can stop another, and none can stop
the log. What a visitor may do never changes what the sensors record (rule D1).
"""

import asyncio
import os
import time

from micropython import const

from sealwire import cbor, labels, profile

from . import faults, led, version
from .board import open_board
from .clock import Clock
from .dock import decommission
from .faults import Faults
from .keys.entropy import Entropy
from .keys.keyepoch import KeyEpoch, certified_key
from .keys.keyroll import KeyRoll, open_signer
from .keys.keystore import open_key_store
from .recording.recorder import Recorder
from .recording.sampler import Sampler
from .recording.sealbudget import SealBudget
from .recording.trip import Trip
from .store import statestore
from .store.storage import Storage
from .uptime import Uptime
from .visit.pendingoffer import PendingOffer

_CAUSE_POWER_ON = const(1)
_RESTART_MS_MIN = const(1000)
_RESTART_MS_MAX = const(60_000)
_BATTERY_LOOK_MS = const(3_600_000)
_BATTERY_NONE_MV = const(1000)  # below: fed by USB, without a battery to spare
_KEY_LOOK_MS = const(60_000)


def open_parts() -> tuple:
    """Builds (board, storage, clock, entropy): what the dock needs too.

    Writes nothing new, but for the erasure that a decommissioned tag still owes.
    """
    board = open_board()
    rtc = board.rtc()
    storage = Storage(board.partition("keys"), board.partition("log"), rtc)
    storage.open()
    clock = Clock(Uptime(time.ticks_ms, time.ticks_diff), board.drift_ppm, rtc)
    stored = storage.state.get(statestore.CLOCK)
    if stored:
        clock.restore(int.from_bytes(stored, "big"))
    entropy = Entropy(os.urandom, board.unique_id)
    if decommission.is_ended(storage.records):
        # A cut may have come between the farewell and the end of the erasure.
        decommission.complete(storage, open_key_store(board, storage, entropy))
    return board, storage, clock, entropy


class App:
    """One enrolled tag, built and ready to run."""

    def __init__(self, board, storage, clock, entropy):
        self.board = board
        self.storage = storage
        self.clock = clock
        self.entropy = entropy
        self.uptime = clock.uptime
        self._faults = Faults(self.uptime)
        self.note_fault = self._faults.note
        self._budget = SealBudget(self.uptime)
        if decommission.is_ended(storage.records):
            raise NotEnrolled("decommissioned")
        decommission.take_back(storage)
        storage.records.overwrites = storage.state.get(statestore.FULL_POLICY) == b"\x01"
        certificate = storage.state.get(statestore.CERTIFICATE)
        self.keys = open_key_store(board, storage, entropy)
        epoch = KeyEpoch(storage.state, storage.records, certified_key(certificate))
        signer, self._key_fault = open_signer(self.keys, epoch, storage.records)
        self.recorder = Recorder(
            storage.journal,
            storage.records,
            signer,
            clock,
            self.uptime,
            self.note_fault,
            certificate,
            storage.state,
        )
        self.recorder.on_space_change = self._show_led
        self.key_roll = KeyRoll(
            self.keys, epoch, self.recorder, clock, self.uptime, self.note_fault
        )
        self.trip = Trip(storage.state, self.recorder)
        self.sampler = Sampler(
            board.probes(),
            self.recorder,
            self.uptime,
            self.note_fault,
            self._alarm_changed,
            self._keep_spent,
        )
        self._led = led.Led(board.set_led)
        self._motion = self._open_motion()
        self._lid = self._open_lid()

    def _open_motion(self):
        from .sensing.motion import Motion

        try:
            chip = self.board.accelerometer()
        except OSError as e:
            self.note_fault(faults.SENSOR, "accelerometer errno %s" % e.args[0])
            return None
        if chip is None:
            return None

        def on_fault(text):
            self.note_fault(faults.SENSOR, text)

        return Motion(chip, self.uptime, self._physical_event, on_fault)

    def _open_lid(self):
        from .sensing.motion import LidWatch

        lid = self.board.lid()
        return None if lid is None else LidWatch(lid, self.uptime, self._physical_event)

    # ---- what an advert may show

    @property
    def is_lid_open(self) -> bool:
        """The lid as last seen."""
        return self._lid is not None and self._lid.is_open

    @property
    def is_tilted(self) -> bool:
        """Whether a tilt beyond the profile's limit goes on."""
        return self._motion is not None and self._motion.is_tilted

    @property
    def has_problem(self) -> bool:
        """An alarm, readings being refused, or a fault of the device since this boot."""
        return self.sampler.is_alarmed or self.recorder.is_refusing or self._faults.is_any

    # ---- life

    def begin(self) -> None:
        """From power-on until entries are taken: recover, arm. Writes as little as possible."""
        cause = self.board.reset_cause()
        if cause != _CAUSE_POWER_ON:
            self.clock.resume_from_rtc()
        self.recorder.begin(cause, version.VERSION)
        self._faults.sink = self._fault_event
        self.trip.before_end = self.sampler.close_alarms
        self.trip.on_change = self._trip_changed
        self.trip.resume()
        PendingOffer(self.storage.state, self.recorder).resume()
        self._use_profile(self._kept_spent())
        if self.key_roll.is_lost:
            self.note_fault(faults.SIGNER, "key lost: " + self._key_fault)
        self.key_roll.note_waste()
        self.key_roll.resume(self.trip)
        self._show_led()

    def _trip_changed(self):
        self._use_profile()
        if self.trip.is_open:
            self.key_roll.roll()

    def _use_profile(self, spent_ms=None):
        encoded = self.trip.profile or self.storage.state.get(statestore.PROFILE)
        rules = profile.parse(encoded)
        if spent_ms and len(spent_ms) != len(rules.rules):
            spent_ms = None
        self.sampler.use(rules, spent_ms)
        if self._motion:
            self._motion.use(rules)

    async def run(self) -> None:
        """Runs every task until the board is reset."""
        self.begin()
        tasks = [
            self._keep("sampler", self.sampler.run),
            self._keep("battery", self._watch_battery),
            self._keep("keys", self._watch_keys, faults.SIGNER),
            self._keep("led", self._led.run),
        ]
        if self._motion:
            tasks.append(self._keep("motion", self._motion.run))
        if self._lid:
            tasks.append(self._keep("lid", self._lid.run))
        tasks.append(self._keep("radio", self._run_radio, faults.RADIO))
        print("sealtrail", version.VERSION, "boot", self.recorder.boot)
        await asyncio.gather(*tasks)

    async def _keep(self, name, run, code=faults.SENSOR):
        """Runs a task for ever: its failure is noted, and it starts again, ever less often."""
        wait_ms = _RESTART_MS_MIN
        while True:
            try:
                await run()
            except (Exception, asyncio.CancelledError) as e:
                # Nobody cancels these tasks: a stray cancel from the radio's library must not
                # end the log with it (rule D1).
                self.note_fault(code, "%s %r" % (name, e))
            await asyncio.sleep_ms(wait_ms)
            wait_ms = min(2 * wait_ms, _RESTART_MS_MAX)

    async def _run_radio(self):
        # Built in its own task: a tag whose radio does not start still logs (rule D1).
        from .visit import radio

        await self._wait_for_battery()
        if not self.recorder.open_boot():
            raise OSError(5)  # nonces hold the boot number: it must be durable before them
        await radio.build(self).run()

    async def _wait_for_battery(self):
        """A flat battery feeds the log alone: a radio's current would end in a boot loop."""
        is_told = False
        while self.board.battery_mv() > _BATTERY_NONE_MV and self.board.battery_percent() == 0:
            if not is_told:
                print("sealtrail: battery flat, radio off")
            is_told = True
            await asyncio.sleep_ms(_BATTERY_LOOK_MS)

    async def _watch_battery(self):
        while True:
            battery_mv = self.board.battery_mv()
            if battery_mv < self.board.battery_low_mv:
                self.recorder.note_event(labels.EVENT_BATTERY_LOW, [battery_mv])
            await asyncio.sleep_ms(_BATTERY_LOOK_MS)

    async def _watch_keys(self):
        while True:
            await asyncio.sleep_ms(_KEY_LOOK_MS)
            self.key_roll.roll_if_due(self.trip)

    # ---- what the parts report

    def _physical_event(self, code, content):
        self.recorder.note_event(code, content, seal=self._budget.take())

    def _fault_event(self, code, text):
        self.recorder.note_event(labels.EVENT_DEVICE_FAULT, [code, text])

    def _keep_spent(self, spent_ms):
        # A cut before this: the newest excursion is counted again from zero after the boot.
        content = cbor.encode([self.trip.number, spent_ms])
        self.storage.state.put(statestore.ALARM_SPENT, content)

    def _kept_spent(self):
        """What cumulative rules of the open trip had counted before this boot."""
        content = self.storage.state.get(statestore.ALARM_SPENT)
        if content is None or not self.trip.is_open:
            return None
        number, spent_ms = cbor.decode(content)
        return spent_ms if number == self.trip.number else None

    def _alarm_changed(self, is_alarm):
        self._show_led(is_alarm)

    def _show_led(self, is_alarm=None):
        recorder = self.recorder
        self._led.show(
            led.pattern_of(
                self.sampler.is_alarmed if is_alarm is None else is_alarm,
                self.key_roll.is_lost,
                recorder.is_refusing,
                recorder.space.is_filling,
            )
        )


class NotEnrolled(Exception):
    """This tag has no key or no certificate: `sealtrail provision` it first."""


async def main() -> None:
    """Runs the tag. Raises NotEnrolled on a tag that was never provisioned."""
    board, storage, clock, entropy = open_parts()
    if storage.state.get(statestore.CERTIFICATE) is None:
        raise NotEnrolled("no certificate")
    await App(board, storage, clock, entropy).run()
