# SPDX-License-Identifier: MIT
"""Shock, tilt and lid events: when they are noted, and with what."""

from types import SimpleNamespace

import pytest

from boards.virtual.firmware_side.chips import lid as lid_chip
from boards.virtual.firmware_side.chips.lis2dh12 import make
from tests.fakes import micropython_on_cpython
from tests.fakes.sensor_bench import I2CBus, Pin, Uptime, World

micropython_on_cpython.install()
from sealwire import labels
from tag.drivers.lid import Lid
from tag.drivers.lis2dh12 import LIS2DH12, SHOCK_READ_MS
from tag.sensing.motion import LidWatch, Motion, ShockMerger, TiltWatch, tilt_deg

TILTED = (940, 0, 342)  # 70 degrees
PROFILE = SimpleNamespace(shock_mg=6000, tilt_deg=45, tilt_hold_s=300)


class Notes:
    """Collects what note_event() gets."""

    def __init__(self) -> None:
        self.events: list[tuple[int, object]] = []

    def __call__(self, code: int, content: object) -> None:
        self.events.append((code, content))


@pytest.mark.parametrize(
    ("mg", "angle_deg"),
    [
        ((0, 0, 1000), 0),
        (TILTED, 70),
        ((1000, 0, 0), 90),
        ((0, -1000, 0), 90),
        ((0, 0, -1000), 180),
        ((0, 0, 9000), -1),
        ((100, 0, 200), -1),
    ],
)
def test_the_angle_from_upright(mg: tuple[int, int, int], angle_deg: int) -> None:
    assert tilt_deg(mg) == angle_deg


def test_the_first_shock_is_noted_at_once_and_more_are_merged_at_the_minutes_end() -> None:
    notes = Notes()
    shocks = ShockMerger(notes)
    shocks.add(1000, 8000, 2)
    assert notes.events == [(labels.EVENT_SHOCK, [8000, 2, 1])]
    shocks.add(2000, 7000, 0)
    shocks.add(3000, 9000, 1)
    shocks.look(60_999)
    assert len(notes.events) == 1
    assert shocks.wait_ms(60_000, 30_000) == 1000
    shocks.look(61_000)
    assert notes.events[1:] == [(labels.EVENT_SHOCK, [9000, 1, 2])]
    shocks.add(200_000, 6500, 2)
    assert notes.events[2:] == [(labels.EVENT_SHOCK, [6500, 2, 1])]


def test_a_shock_after_a_minute_nobody_looked_at_closes_it_first() -> None:
    notes = Notes()
    shocks = ShockMerger(notes)
    for now_ms, peak_mg in ((0, 8000), (10, 7000), (90_000, 6500)):
        shocks.add(now_ms, peak_mg, 2)
    assert [content for _, content in notes.events] == [[8000, 2, 1], [7000, 2, 1], [6500, 2, 1]]


def test_a_tilt_starts_after_the_hold_time_and_ends_with_its_greatest_angle() -> None:
    notes = Notes()
    tilt = TiltWatch(notes, 45, 300_000)
    for second, angle_deg in ((0, 10), (60, 70), (200, 80), (359, 70)):
        tilt.look(second * 1000, angle_deg)
    assert notes.events == []
    tilt.look(360_000, 70)
    assert notes.events == [(labels.EVENT_TILT_START, [70])]
    # Five degrees below the limit is not yet back.
    tilt.look(1_000_000, 42)
    assert len(notes.events) == 1
    tilt.look(1_860_000, 3)
    assert notes.events[1:] == [(labels.EVENT_TILT_END, [80, 1_800_000])]


def test_a_tilt_shorter_than_the_hold_time_leaves_no_event() -> None:
    notes = Notes()
    tilt = TiltWatch(notes, 45, 300_000)
    for second, angle_deg in ((0, 70), (299, 70), (300, 10), (301, 70), (599, 70)):
        tilt.look(second * 1000, angle_deg)
    assert notes.events == []


def _bench() -> SimpleNamespace:
    world, notes, faults = World(), Notes(), []
    pin = Pin(0)
    chip = make({"address": 24, "int1": 34}, world, {34: pin}.get)
    world.chips.append(chip)
    bus = I2CBus(chip)
    motion = Motion(LIS2DH12(bus, 24, pin), Uptime(world), notes, faults.append)
    motion.use(PROFILE)
    motion.look()
    world.sleep_ms(1000)
    return SimpleNamespace(
        world=world, notes=notes, faults=faults, bus=bus, chip=chip, motion=motion
    )


def test_a_shock_and_a_tilt_come_from_the_chip_to_the_events() -> None:
    bench = _bench()
    bench.motion.look()
    bench.world.knock(12_000)
    bench.world.sleep_ms(SHOCK_READ_MS)
    bench.motion.look()
    code, (peak_mg, axis, count) = bench.notes.events[0]
    assert (code, axis, count) == (labels.EVENT_SHOCK, 2, 1)
    assert abs(peak_mg - 12_000) <= 24
    bench.world.accel_mg = TILTED
    for _ in range(6):
        bench.world.sleep_ms(75_000)
        bench.motion.look()
    assert bench.notes.events[1:] == [(labels.EVENT_TILT_START, [70])]
    assert bench.motion.is_tilted


def test_a_box_that_is_being_carried_neither_ends_a_tilt_nor_starts_one() -> None:
    bench = _bench()
    bench.world.accel_mg = TILTED
    for _ in range(6):
        bench.world.sleep_ms(75_000)
        bench.motion.look()
    bench.world.accel_mg = (0, 0, 1900)
    bench.world.sleep_ms(75_000)
    bench.motion.look()
    assert [code for code, _ in bench.notes.events] == [labels.EVENT_TILT_START]


def test_a_chip_that_falls_silent_is_a_fault_and_is_armed_again() -> None:
    bench = _bench()
    bench.bus.chip = None
    bench.motion.look()
    assert len(bench.faults) == 1
    # It comes back in its power-on state, without a threshold.
    bench.bus.chip = bench.chip
    bench.chip._registers[0x20:0x38] = bytes(0x18)
    bench.motion.look()
    bench.world.sleep_ms(1000)
    bench.world.knock(12_000)
    bench.world.sleep_ms(SHOCK_READ_MS)
    bench.motion.look()
    assert [code for code, _ in bench.notes.events] == [labels.EVENT_SHOCK]


def test_a_new_profile_ends_the_tilt_of_the_old_one_and_zero_switches_off() -> None:
    bench = _bench()
    bench.world.accel_mg = TILTED
    for _ in range(6):
        bench.world.sleep_ms(75_000)
        bench.motion.look()
    bench.motion.use(SimpleNamespace(shock_mg=0, tilt_deg=0, tilt_hold_s=0))
    assert [code for code, _ in bench.notes.events] == [
        labels.EVENT_TILT_START,
        labels.EVENT_TILT_END,
    ]
    bench.motion.look()
    bench.world.knock(12_000)
    bench.world.sleep_ms(1_000_000)
    bench.motion.look()
    assert len(bench.notes.events) == 2


def test_the_lid_is_noted_when_it_opens_and_with_how_long_when_it_closes() -> None:
    world, notes, pin = World(), Notes(), Pin(0)
    contact = lid_chip.make({"pin": 25, "open_level": 1}, world, {25: pin}.get)
    watch = LidWatch(Lid(pin, 1), Uptime(world), notes)
    edges = []
    Lid(pin, 1).watch(edges.append)
    watch.look()
    world.lid_open = True
    contact.tick(0)
    watch.look()
    world.sleep_ms(240_000)
    watch.look()
    world.lid_open = False
    contact.tick(0)
    watch.look()
    assert notes.events == [(labels.EVENT_LID_OPEN, None), (labels.EVENT_LID_CLOSED, [240_000])]
    assert len(edges) == 2
