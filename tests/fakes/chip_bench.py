# SPDX-License-Identifier: MIT
"""A fake ATECC608B on a bus of its own, with a clock that only sleeping moves."""

import random

from boards.virtual.firmware_side.chips import atecc608b, atecc608b_memory
from tests.fakes import micropython_on_cpython

micropython_on_cpython.install()
from tag.drivers.atecc608 import ATECC608

ADDRESS = 53
BLANK_ADDRESS = 96
_LOW_US_100_KHZ = 80


class Bus:
    """machine.I2C at 100 kHz with one chip; `low_us` is how long a zero byte holds SDA low."""

    def __init__(self, chip: atecc608b.Atecc608b) -> None:
        self.chip = chip
        self.low_us = _LOW_US_100_KHZ

    def writeto(self, address: int, content: bytes) -> None:
        if address == 0:
            self.chip.wake_pulse(self.low_us)
        if address != self.chip.address:
            raise OSError(19)
        self.chip.receive(bytes(content))

    def readfrom_into(self, address: int, buffer: bytearray) -> None:
        if address != self.chip.address:
            raise OSError(19)
        buffer[:] = self.chip.transmit(len(buffer))


class ChipBench:
    """Chip, bus and driver. `power_up` makes a new life of the same memory."""

    def __init__(self, seed: int = 1, is_blank: bool = False) -> None:
        # Its own generator, not the chip's: two benches of one seed do the same.
        self._random = random.Random(seed)
        serial = self.random_bytes(6)
        self.image = (
            atecc608b_memory.blank(serial)
            if is_blank
            else atecc608b_memory.locked(serial, self.random_bytes)
        )
        self.at_ms = 1_000
        self.slept_ms = 0
        self.power_up()

    def random_bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def power_up(self) -> None:
        memory = atecc608b_memory.Memory(self.image)
        self.chip = atecc608b.Atecc608b(memory, lambda: self.at_ms, self.random_bytes)
        self.bus = Bus(self.chip)
        self.driver = ATECC608(self.bus, self.chip.address, self.sleep_ms)

    def sleep_ms(self, duration_ms: int) -> None:
        self.at_ms += duration_ms
        self.slept_ms += duration_ms
