# SPDX-License-Identifier: MIT
"""Pins, buses and the fake chips on them, by board.json.

A fake chip is the module chips/<chip>.py with one function:

    make(wiring, environment, pin) -> chip
        wiring       its entry of `virtual_chips`
        environment  `.now() -> Conditions`, `.next_change_ms()`, `.tick(now_ms)`
        pin(id)      the Pin; the chip sets its level with `pin(id).drive(level)`

What it returns, by bus: SPI `.select()`, `.transfer(out) -> bytes`, `.deselect()`;
I2C `.address`, `.read(register, size) -> bytes`, `.write(register, content)`, or for a chip
without registers `.receive(content)` and `.transmit(size) -> bytes`, and `.wake_pulse(low_us)`
if it can be woken; without a bus, anything. If it has `.tick(now_ms)` and the environment has
`.chips` (a list), it is put there. What outlives power a chip keeps in files in `run_dir`.
"""

import sys

_IRQ_RISING = 1
_IRQ_FALLING = 2
_FLOATING = b"\xff"

environment = None
run_dir = ""
_buses = {}
_chips_of = {}  # bus name -> [(cs Pin or None, chip)]


class Pin:
    """One pin of the chip; asking for the same id again gives the same object."""

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = _IRQ_RISING
    IRQ_FALLING = _IRQ_FALLING
    DRIVE_0, DRIVE_1, DRIVE_2, DRIVE_3 = range(4)
    _all = {}

    def __new__(cls, id, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if isinstance(id, Pin):
            id = id._id
        if id not in cls._all:
            cls._all[id] = object.__new__(cls)
            cls._all[id]._reset(id)
        cls._all[id].init(mode, pull, value=value)
        return cls._all[id]

    def _reset(self, id):
        self._id = id
        self._mode = Pin.IN
        self._pull = None
        self._latch = 0
        self._driven = None
        self._handler = None
        self._trigger = 0
        self._listeners = []

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None) -> None:
        before = self.value()
        if mode != -1 and mode is not None:
            self._mode = mode
        if pull != -1:
            self._pull = pull
        if value is not None:
            self._latch = 1 if value else 0
        self._settle(before)

    def value(self, level=None):
        """Without *level* reads the pin, else sets its output."""
        if level is not None:
            before = self.value()
            self._latch = 1 if level else 0
            self._settle(before)
            return None
        if self._mode == Pin.OUT or (self._mode == Pin.OPEN_DRAIN and not self._latch):
            return self._latch
        if self._driven is not None:
            return self._driven
        return 1 if self._pull == Pin.PULL_UP else 0

    __call__ = value

    def on(self) -> None:
        self.value(1)

    def off(self) -> None:
        self.value(0)

    def toggle(self) -> None:
        self.value(not self._latch)

    def irq(self, handler=None, trigger=_IRQ_RISING | _IRQ_FALLING, *, wake=None, hard=False):
        """*handler* gets the pin at each edge in *trigger*."""
        self._handler = handler
        self._trigger = trigger if handler else 0
        return self

    def drive(self, level) -> None:
        """Virtual board only: what a chip outside puts on the pin; None lets go."""
        before = self.value()
        self._driven = level
        self._settle(before)

    def listen(self, listener) -> None:
        """Virtual board only: *listener* gets the new level at every change."""
        self._listeners.append(listener)

    def _settle(self, before):
        level = self.value()
        if level == before:
            return
        for listener in self._listeners:
            listener(level)
        if self._trigger & (_IRQ_RISING if level else _IRQ_FALLING):
            _run_interrupt(self._handler, self)

    def __repr__(self):
        return "Pin(%d)" % self._id


def _run_interrupt(handler, pin):
    try:
        handler(pin)
    except Exception as e:
        # As on the chip: an interrupt's exception is shown, the program goes on.
        sys.print_exception(e)


def attach(board: dict, world, run: str = "") -> None:
    """Puts the board's fake chips on its buses and pins. *run*: the run directory."""
    global environment, run_dir
    environment = world
    run_dir = run
    _buses.update(board["buses"])
    for wiring in board.get("virtual_chips", ()) if world else ():
        module = getattr(__import__("chips." + wiring["chip"]), wiring["chip"])
        chip = module.make(wiring, world, Pin)
        if hasattr(chip, "tick") and hasattr(world, "chips"):
            world.chips.append(chip)
        if "bus" in wiring:
            _chips_of.setdefault(wiring["bus"], []).append((_select_line(wiring, chip), chip))


def _select_line(wiring, chip):
    if "cs" not in wiring:
        return None
    line = Pin(wiring["cs"])
    # The breakout's pull-up: not selected until the firmware says so.
    line.drive(1)
    line.listen(lambda level: chip.deselect() if level else chip.select())
    return line


def bus_name(kind: str, id, clock_pin) -> str:
    """The board's bus of this *kind* with hardware *id*, or with this clock pin."""
    clock = "sck" if kind == "spi" else "scl"
    for name, bus in _buses.items():
        if bus["kind"] == kind and (bus["id"] == id or bus[clock] == clock_pin):
            return name
    return ""


def spi_transfer(bus: str, out: bytes) -> bytes:
    """One transfer; with nobody selected the line floats high."""
    answer = bytearray(_FLOATING * len(out))
    for line, chip in _chips_of.get(bus, ()):
        if line is None or not line.value():
            # Two chips selected at once pull against each other: the zeros win.
            for i, byte in enumerate(chip.transfer(out)):
                answer[i] &= byte
    return answer


def i2c_chip(bus: str, address: int):
    """The chip at *address*, None when nobody answers."""
    for _, chip in _chips_of.get(bus, ()):
        if chip.address == address:
            return chip
    return None


def i2c_wake(bus: str, low_us: float) -> None:
    """SDA was low for *low_us*, which concerns only chips that can be woken by it."""
    for _, chip in _chips_of.get(bus, ()):
        if hasattr(chip, "wake_pulse"):
            chip.wake_pulse(low_us)


def i2c_addresses(bus: str) -> list:
    return sorted(chip.address for _, chip in _chips_of.get(bus, ()))
