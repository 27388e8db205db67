# SPDX-License-Identifier: MIT
"""The watches' run() loops under asyncio, in real time: an edge is an event within 250 ms."""

import asyncio
import time

from chips import lid as lid_chip
from chips import lis2dh12 as chip
from sensor_bench import I2CBus, Pin, Uptime, World

from sealwire import labels
from tag.drivers.lid import Lid
from tag.drivers.lis2dh12 import LIS2DH12
from tag.sensing.motion import LidWatch, Motion


class RealWorld(World):
    """Time goes by itself."""

    at_ms = property(lambda self: time.ticks_ms(), lambda self, value: None)


class Profile:
    shock_mg = 6000
    tilt_deg = 45
    tilt_hold_s = 0


async def until(events, count):
    for _ in range(50):
        if len(events) >= count:
            return
        await asyncio.sleep_ms(5)
    raise AssertionError("no event %d: %s" % (count, events))


async def main():
    world = RealWorld()
    events = []

    def note(code, content):
        events.append((code, content))

    shock_pin, lid_pin = Pin(0), Pin(0)
    accelerometer = chip.make({"address": 24, "int1": 34}, world, lambda id: shock_pin)
    contact = lid_chip.make({"pin": 25, "open_level": 1}, world, lambda id: lid_pin)
    world.chips += [accelerometer, contact]
    uptime = Uptime(world)
    motion = Motion(LIS2DH12(I2CBus(accelerometer), 24, shock_pin), uptime, note, print)
    lid = LidWatch(Lid(lid_pin, 1), uptime, note)
    tasks = [asyncio.create_task(motion.run()), asyncio.create_task(lid.run())]
    await asyncio.sleep_ms(60)
    # A profile that comes while the watch waits for its next look is in force at once.
    motion.use(Profile)
    await asyncio.sleep_ms(120)
    world.lid_open = True
    world.tick()
    await until(events, 1)
    world.lid_open = False
    world.tick()
    await until(events, 2)
    # A bounce that is over before the contact rests leaves no event.
    lid_pin.drive(1)
    await asyncio.sleep_ms(5)
    lid_pin.drive(0)
    await asyncio.sleep_ms(100)
    assert len(events) == 2, events
    world.knock(12_000)
    # Read too early, the peak would still be ahead.
    await asyncio.sleep_ms(20)
    assert len(events) == 2, events
    await until(events, 3)
    assert [code for code, _ in events] == [
        labels.EVENT_LID_OPEN,
        labels.EVENT_LID_CLOSED,
        labels.EVENT_SHOCK,
    ]
    assert abs(events[2][1][0] - 12_000) <= 24, events
    for task in tasks:
        task.cancel()


asyncio.run(main())
print("ok")
