# SPDX-License-Identifier: MIT
"""machine on the virtual board: the names the firmware uses of an ESP32's machine module."""

import os
from binascii import unhexlify

import kept_memory
import turnable_clock
import turnable_modules
import umachine
import virtual_wiring
from virtual_wiring import Pin

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_ENODEV = 19
_ENOENT = 2
_BATTERY_MV = 4000  # without a scenario
_FULL_SCALE_UV = 3_300_000
_report = None
_reset_cause = PWRON_RESET
_battery_pin = -1
_battery_permille = 1000

soft_reset = umachine.soft_reset
mem8, mem16, mem32 = umachine.mem8, umachine.mem16, umachine.mem32
Signal = umachine.Signal


def start(board: dict, cause: int, report) -> None:
    """*report* takes one line for the supervisor and, for a reset, never returns."""
    global _report, _reset_cause, _battery_pin, _battery_permille
    _report = report
    _reset_cause = cause
    _battery_pin = board["battery"]["adc_pin"]
    _battery_permille = board["battery"]["divider_permille"]


def reset() -> None:
    _report("reset")


def reset_cause() -> int:
    return _reset_cause


def deepsleep(duration_ms: int = 0) -> None:
    """Switches off for *duration_ms* of virtual time; the RTC goes on. Never returns."""
    _report("sleep %d" % duration_ms)


def lightsleep(duration_ms: int = 0) -> None:
    turnable_modules.Time.sleep_ms(duration_ms)


def idle() -> None:
    turnable_modules.Time.sleep_us(1000)


def unique_id() -> bytes:
    return unhexlify(os.getenv("VTAG_MAC") or "c0ffee000002")


def freq(hz=None):
    return None if hz else 160_000_000


def disable_irq() -> int:
    return 0


def enable_irq(state: int) -> None:
    pass


class RTC:
    """Clock and memory that outlive a reset, not a loss of power."""

    def datetime(self, fields=None):
        """(year, month, day, weekday, hour, minute, second, microsecond), or sets it."""
        time = turnable_modules.Time
        if fields is None:
            t = time.gmtime()
            microsecond = time.time_ns() // 1000 % 1_000_000
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], microsecond)
        year, month, day, _, hour, minute, second, microsecond = fields
        seconds = turnable_modules.utime.mktime((year, month, day, hour, minute, second, 0, 0))
        kept_memory.set_us(seconds * 1_000_000 + microsecond)
        return None

    def memory(self, content=None):
        return kept_memory.memory() if content is None else kept_memory.set_memory(content)


class WDT:
    """Resets the board when it is not fed for *timeout* ms of virtual time.

    KNOWN LIMIT: noticed when the code waits; a loop that never waits is never bitten.
    """

    feeds = 0

    def __init__(self, id=0, timeout=5000):
        self._timeout_us = timeout * 1000
        self.feed()

    def feed(self) -> None:
        WDT.feeds += 1
        turnable_clock.set_watchdog(turnable_clock.now_us() + self._timeout_us)


class ADC:
    """The battery's divider on its pin; any other pin reads 0."""

    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = range(4)

    def __init__(self, pin, *, sample_ns=0, atten=ATTN_0DB):
        self._is_battery = Pin(pin) is Pin(_battery_pin)

    def atten(self, atten) -> None:
        pass

    def read_uv(self) -> int:
        if not self._is_battery:
            return 0
        world = virtual_wiring.environment
        return (world.now().battery_mv if world else _BATTERY_MV) * _battery_permille

    def read_u16(self) -> int:
        return min(65535, self.read_uv() * 65535 // _FULL_SCALE_UV)

    def read(self) -> int:
        return self.read_u16() >> 4


class SPI:
    """Full-duplex transfers with the chips whose select line is low."""

    MSB, LSB = 0, 1

    def __init__(self, id=None, baudrate=1_000_000, *, sck=None, **settings):
        clock_pin = None if sck is None else Pin(sck)._id
        self._bus = virtual_wiring.bus_name("spi", id, clock_pin)
        self.init(baudrate, **settings)

    def init(self, baudrate=1_000_000, *, polarity=0, phase=0, **settings) -> None:
        self.baudrate, self.polarity, self.phase = baudrate, polarity, phase

    def deinit(self) -> None:
        pass

    def read(self, size: int, write: int = 0) -> bytes:
        return bytes(virtual_wiring.spi_transfer(self._bus, bytes([write]) * size))

    def readinto(self, buffer, write: int = 0) -> None:
        buffer[:] = virtual_wiring.spi_transfer(self._bus, bytes([write]) * len(buffer))

    def write(self, out) -> None:
        virtual_wiring.spi_transfer(self._bus, bytes(out))

    def write_readinto(self, out, buffer) -> None:
        buffer[:] = virtual_wiring.spi_transfer(self._bus, bytes(out))


class SoftSPI(SPI):
    """The same bus, found by its clock pin."""


class I2C:
    """Register reads and writes; OSError(ENODEV) where nobody answers, as on an ESP32.

    A chip with `receive(content)` and `transmit(size)` gets its transfers as they are.
    """

    def __init__(self, id=None, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        clock_pin = None if scl is None else Pin(scl)._id
        self._bus = virtual_wiring.bus_name("i2c", id, clock_pin)
        self._frequency_hz = freq
        self._register = {}

    def _chip(self, address):
        chip = virtual_wiring.i2c_chip(self._bus, address)
        if chip is None:
            raise OSError(_ENODEV)
        return chip

    def scan(self) -> list:
        return virtual_wiring.i2c_addresses(self._bus)

    def readfrom_mem(self, address, register, size, *, addrsize=8) -> bytes:
        return bytes(self._chip(address).read(register, size))

    def readfrom_mem_into(self, address, register, buffer, *, addrsize=8) -> None:
        buffer[:] = self._chip(address).read(register, len(buffer))

    def writeto_mem(self, address, register, content, *, addrsize=8) -> None:
        self._chip(address).write(register, bytes(content))

    def writeto(self, address, content, stop=True) -> int:
        """The first byte names the register, the rest is written there."""
        if address == 0:
            # Eight zero bits, and nobody acknowledges: what wakes a sleeping secure element.
            virtual_wiring.i2c_wake(self._bus, 8_000_000 / self._frequency_hz)
        chip = self._chip(address)
        if hasattr(chip, "receive"):
            chip.receive(bytes(content))
        elif content:
            self._register[address] = content[0]
            if len(content) > 1:
                chip.write(content[0], bytes(content[1:]))
        return len(content) + 1

    def readfrom(self, address, size, stop=True) -> bytes:
        chip = self._chip(address)
        if hasattr(chip, "transmit"):
            return bytes(chip.transmit(size))
        return bytes(chip.read(self._register.get(address, 0), size))

    def readfrom_into(self, address, buffer, stop=True) -> None:
        buffer[:] = self.readfrom(address, len(buffer))


class SoftI2C(I2C):
    """The same bus, found by its clock pin."""
