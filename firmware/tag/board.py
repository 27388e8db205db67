# SPDX-License-Identifier: MIT
"""Reads /board.json and makes buses, drivers and partitions from it.

The file is data that device and host share (boards/schema.json); this module is the one
place where it becomes hardware. A sensor that does not answer is not an error here: its
readings say so, and the log goes on.
"""

import json

from micropython import const

_PATH = "/board.json"
_ADC_FULL_SCALE = const(65535)
_ADC_REFERENCE_MV = const(3300)
_SPI_MODE_POLARITY = const(0)
_SPI_MODE_PHASE = const(1)
_WAKE_HZ_MAX = const(100_000)  # a zero byte then holds SDA low for the 60 us that wake it
_MAP_CURE = "`sealtrail flash --image FILE` writes the right table"


class BoardError(Exception):
    """board.json is missing, malformed, or names what this board does not have."""


class Board:
    """The hardware of one tag. Built by `open_board`; hardware is touched on demand."""

    def __init__(self, spec: dict, machine, partition_class):
        self._spec = spec
        self._machine = machine
        self._partition_class = partition_class
        self.name = spec["name"]
        self.title = spec["title"]
        self.drift_ppm = spec["drift_ppm"]
        self.unique_id = machine.unique_id()
        self._buses = {}

    def partition(self, label: str):
        """The flash region of that name, as a block device.

        Raises BoardError if it is not there, not where board.json says, or encrypted.
        """
        found = self._partition_class.find(self._partition_class.TYPE_DATA, label=label)
        if not found:
            raise BoardError("flash has no partition %s; %s" % (label, _MAP_CURE))
        _, _, offset, size, _, is_encrypted = found[0].info()
        wanted = self._region(label)
        if wanted is not None and (offset, size) != (wanted["offset"], wanted["size"]):
            said = (label, size >> 10, offset, wanted["size"] >> 10, wanted["offset"], _MAP_CURE)
            raise BoardError("partition %s is %d KB at 0x%x, not %d KB at 0x%x; %s" % said)
        if is_encrypted:
            raise BoardError("partition %s is encrypted; %s" % (label, _MAP_CURE))
        return found[0]

    def probes(self) -> list:
        """The temperature probes in order of their numbers."""
        from .drivers.max31865 import MAX31865

        specs = [s for s in self._spec["sensors"] if s["chip"] == "max31865"]
        specs.sort(key=lambda s: s["probe"])
        probes = []
        for spec in specs:
            select = self._machine.Pin(spec["cs"], self._machine.Pin.OUT, value=1)
            probes.append(MAX31865(self._bus(spec["bus"]), select, spec))
        return probes

    def accelerometer(self):
        """The LIS2DH12, None where the board has none. Raises OSError if it is silent."""
        spec = self._sensor("lis2dh12")
        if spec is None:
            return None
        from .drivers.lis2dh12 import LIS2DH12

        pin = self._machine.Pin
        return LIS2DH12(self._bus(spec["bus"]), spec["address"], pin(spec["int1"], pin.IN))

    def lid(self):
        """The lid switch, None where the board has none."""
        spec = self._sensor("lid")
        if spec is None:
            return None
        from .drivers.lid import Lid

        pin = self._machine.Pin
        pull = pin.PULL_UP if spec.get("pull") == "up" else None
        return Lid(pin(spec["pin"], pin.IN, pull), spec["open_level"])

    def secure_element(self):
        """The ATECC608, None where the board has none. Touches no bus. Raises BoardError."""
        spec = self._spec.get("secure_element")
        return None if spec is None else self.secure_element_at(spec["address"])

    def secure_element_at(self, address: int):
        """The ATECC608 at another address of its bus: a blank one, for chipsetup."""
        from .drivers.atecc608 import ATECC608

        bus = self._spec["secure_element"]["bus"]
        if self._spec["buses"][bus]["frequency_hz"] > _WAKE_HZ_MAX:
            raise BoardError("bus %s is too fast to wake the secure element" % bus)
        return ATECC608(self._bus(bus), address)

    def enable_entropy(self) -> None:
        """Switches on what the random generator lives on, before a first key is made.

        An ESP32's generator is a true one only while its radio runs (ESP-IDF, "Random Number
        Generation"); it stays on, for the tag is reset behind its enrolment. The virtual
        board takes its bytes from the computer's own generator. Raises OSError.
        """
        if "chip" in self._spec:
            import bluetooth

            bluetooth.BLE().active(True)

    def set_led(self, on: bool) -> None:
        """Switches the status LED."""
        spec = self._spec["led"]
        level = spec["on_level"] if on else 1 - spec["on_level"]
        self._machine.Pin(spec["pin"], self._machine.Pin.OUT, value=level)

    def battery_mv(self) -> int:
        """Battery voltage in mV, averaged over four readings of the ADC."""
        spec = self._spec["battery"]
        adc = self._machine.ADC(self._machine.Pin(spec["adc_pin"]))
        total = 0
        for _ in range(4):
            total += adc.read_u16()
        pin_mv = total * _ADC_REFERENCE_MV // (4 * _ADC_FULL_SCALE)
        return pin_mv * 1000 // spec["divider_permille"]

    def battery_percent(self) -> int:
        """Charge between the board's empty and full voltages, 0..100, linear."""
        spec = self._spec["battery"]
        span_mv = spec["full_mv"] - spec["empty_mv"]
        percent = (self.battery_mv() - spec["empty_mv"]) * 100 // span_mv
        return max(0, min(100, percent))

    @property
    def battery_low_mv(self) -> int:
        """Below this a BATTERY_LOW event is due."""
        return self._spec["battery"]["low_mv"]

    def rtc(self):
        """What survives a reset, and is lost with power: see RTCMemory."""
        return RTCMemory(self._machine.RTC())

    def reset_cause(self) -> int:
        """machine.reset_cause(): 1 power-on, 2 hard, 3 watchdog, 4 deep sleep, 5 soft."""
        return self._machine.reset_cause()

    def _region(self, label):
        for region in self._spec["flash"]["regions"]:
            if region["label"] == label:
                return region
        return None

    def _sensor(self, chip):
        for spec in self._spec["sensors"]:
            if spec["chip"] == chip:
                return spec
        return None

    def _bus(self, name):
        if name not in self._buses:
            spec = self._spec["buses"].get(name)
            if spec is None:
                raise BoardError("no bus %s in board.json" % name)
            self._buses[name] = self._open_bus(spec)
        return self._buses[name]

    def _open_bus(self, spec):
        pin = self._machine.Pin
        if spec["kind"] == "spi":
            return self._machine.SPI(
                spec["id"],
                baudrate=spec["baudrate"],
                polarity=_SPI_MODE_POLARITY,
                phase=_SPI_MODE_PHASE,
                sck=pin(spec["sck"]),
                mosi=pin(spec["mosi"]),
                miso=pin(spec["miso"]),
            )
        return self._machine.I2C(
            spec["id"], scl=pin(spec["scl"]), sda=pin(spec["sda"]), freq=spec["frequency_hz"]
        )


class RTCMemory:
    """The RTC's memory and its running time, as `clock.Clock` wants them."""

    def __init__(self, rtc):
        self._rtc = rtc

    def memory(self, content=None):
        """Reads the memory, or replaces it with *content* (up to 2 KB on an ESP32)."""
        if content is None:
            return bytes(self._rtc.memory())
        return self._rtc.memory(content)

    def now_ms(self) -> int:
        """Milliseconds of a clock that goes on over resets; only differences mean anything."""
        import time

        return time.time_ns() // 1_000_000


def open_board(path: str = _PATH) -> Board:
    """Builds the board of this device. Raises BoardError if its file is not usable."""
    import machine
    from esp32 import Partition

    try:
        with open(path) as f:
            spec = json.load(f)
    except (OSError, ValueError) as e:
        raise BoardError("%s: %r" % (path, e))
    try:
        return Board(spec, machine, Partition)
    except KeyError as e:
        raise BoardError("%s lacks %s" % (path, e))
