# SPDX-License-Identifier: MIT
"""The default scenario through fake chips and drivers, on the virtual board's own wiring.

Time leaps from look to look; prints the events and what the payload probe read.
"""

import json
import sys

import virtual_wiring
from scenario import Environment

from sealwire import labels
from tag.drivers.lid import Lid
from tag.drivers.lis2dh12 import LIS2DH12, SHOCK_READ_MS
from tag.drivers.max31865 import MAX31865
from tag.sensing.motion import LidWatch, Motion

LOOK_MS = 60_000


class Now:
    at_ms = 0

    def now_ms(self):
        return self.at_ms

    def sleep_ms(self, duration_ms):
        self.at_ms += duration_ms


class SPI:
    def write(self, out):
        virtual_wiring.spi_transfer("spi1", bytes(out))

    def write_readinto(self, out, buffer):
        buffer[:] = virtual_wiring.spi_transfer("spi1", bytes(out))


class I2C:
    def readfrom_mem_into(self, address, register, buffer):
        buffer[:] = virtual_wiring.i2c_chip("i2c0", address).read(register, len(buffer))

    def writeto_mem(self, address, register, content):
        virtual_wiring.i2c_chip("i2c0", address).write(register, bytes(content))


class Profile:
    shock_mg = 6000
    tilt_deg = 45
    tilt_hold_s = 300


board_path, scenario_path = sys.argv[1:3]
with open(board_path) as f:
    board = json.load(f)
now = Now()
environment = Environment(scenario_path, now.now_ms, 0)
virtual_wiring.attach(board, environment)
Pin = virtual_wiring.Pin
specs = [spec for spec in board["sensors"] if spec["chip"] == "max31865"]
probes = [MAX31865(SPI(), Pin(spec["cs"], Pin.OUT, value=1), spec, now.sleep_ms) for spec in specs]


def note(code, content):
    print("event", now.at_ms // 1000, code, content)


def fail(text):
    print("fault", text)


motion = Motion(LIS2DH12(I2C(), 24, Pin(34, Pin.IN)), now, note, fail)
motion.use(Profile)
lid = LidWatch(Lid(Pin(25, Pin.IN, Pin.PULL_UP), 1), now, note)
counts = [0, 0, 0, 0]  # samples, faults open, above -150 C, outside -192..-125 C
ambient = []
end_ms = 5 * 86_400_000
look_ms = 0
while now.at_ms < end_ms:
    change_ms = environment.next_change_ms()
    if change_ms is not None and change_ms <= look_ms:
        now.at_ms = max(now.at_ms, change_ms)
        environment.tick(now.at_ms)
        now.sleep_ms(SHOCK_READ_MS)
    else:
        now.at_ms = max(now.at_ms, look_ms)
        look_ms += LOOK_MS
        value, _ = probes[0].read()
        counts[0] += 1
        counts[1] += value == labels.FAULT_BASE + labels.FAULT_OPEN
        counts[2] += -15_000 < value < labels.FAULT_BASE
        counts[3] += value < labels.FAULT_BASE and not -19_200 < value < -12_500
        ambient.append(probes[1].read()[0])
    motion.look()
    lid.look()
print("counts", *counts)
print("ambient", min(ambient), max(ambient))
