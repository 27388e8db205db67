# SPDX-License-Identifier: MIT
"""A world one can set by hand, and buses and pins that join the fake chips to the drivers."""


class World:
    """What scenario.Environment offers the chips, set by attributes; time moves by sleep_ms."""

    def __init__(self):
        self.at_ms = 1_000_000.0
        self.probe_centi_c = [-19_000, 2_000]
        self.probe_fault = ["", ""]
        self.lid_open = False
        self.accel_mg = (0, 0, 1000)
        self.battery_mv = 4000
        self.chips = []
        self._shocks = []

    def now(self):
        return self

    def now_ms(self):
        return self.at_ms

    def sleep_ms(self, duration_ms):
        self.at_ms += duration_ms

    def shocks(self, from_ms, to_ms):
        return [shock for shock in self._shocks if from_ms < shock[0] <= to_ms]

    def knock(self, peak_mg):
        """A shock at this instant, felt at once."""
        self.at_ms += 1
        self._shocks.append((self.at_ms, peak_mg))
        self.tick()

    def tick(self):
        for chip in self.chips:
            chip.tick(self.at_ms)


class Pin:
    """Output for the firmware, or driven from outside; calls the handler at its edges."""

    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, level=1, listener=None):
        self._level = level
        self._listener = listener
        self._handler = None
        self._trigger = 0

    def value(self, level=None):
        if level is None:
            return self._level
        self.drive(level)
        return None

    def drive(self, level):
        if level == self._level:
            return
        self._level = level
        if self._listener:
            self._listener(level)
        edge = self.IRQ_RISING if level else self.IRQ_FALLING
        if self._handler and self._trigger & edge:
            self._handler(self)

    def irq(self, handler, trigger):
        self._handler = handler
        self._trigger = trigger


class SPIBus:
    """One chip on a bus; without select it hears nothing and the line floats high."""

    def __init__(self, chip):
        self._chip = chip
        self.select = Pin(1, self._selected)
        self.is_selected = False

    def _selected(self, level):
        self.is_selected = not level
        self._chip.deselect() if level else self._chip.select()

    def write(self, out):
        self._answer(out)

    def write_readinto(self, out, buffer):
        buffer[:] = self._answer(bytes(out))

    def _answer(self, out):
        return self._chip.transfer(bytes(out)) if self.is_selected else b"\xff" * len(out)


class I2CBus:
    """One chip on a bus that can be pulled off it."""

    def __init__(self, chip):
        self.chip = chip

    def _at(self, address):
        if self.chip is None or self.chip.address != address:
            raise OSError(19)
        return self.chip

    def readfrom_mem_into(self, address, register, buffer):
        buffer[:] = self._at(address).read(register, len(buffer))

    def writeto_mem(self, address, register, content):
        self._at(address).write(register, bytes(content))


class Uptime:
    """The recorder's clock, on the world's time."""

    def __init__(self, world):
        self._world = world

    def now_ms(self):
        return int(self._world.at_ms)
