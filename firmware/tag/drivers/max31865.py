# SPDX-License-Identifier: MIT
"""Maxim MAX31865 resistance-to-digital converter with a PT100 or PT1000 probe, SPI mode 1 or 3.

Source: MAX31865 datasheet, "Register map", "Configuration register", "Fault status register"
and "Electrical characteristics" (times of conversion and fault detection). Each reading is a
one-shot conversion with its own bias and its own fault detection, so the probe is heated for
80 ms a reading only, and a fault of the past cannot hide in a latch.
"""

import time

from micropython import const

from sealwire import labels

from ..sensing.rtd import centi_c_of_code

_CONFIG = const(0x00)
_RTD_MSB = const(0x01)
_HIGH_FAULT_MSB = const(0x03)
_WRITE = const(0x80)

_BIAS = const(0x80)
_ONE_SHOT = const(0x20)
_THREE_WIRE = const(0x10)
_FAULT_CYCLE_AUTO = const(0x04)
_FAULT_CYCLE_BITS = const(0x0C)
_CLEAR_FAULTS = const(0x02)
_FILTER_50_HZ = const(0x01)
# What reads back as written; the other bits clear themselves.
_STABLE_BITS = const(0xD1)

# Bias settles in 10.5 time constants of the input filter (10 ms with 100 nF) plus 1 ms.
_BIAS_MS = const(12)
_FAULT_CYCLE_MS = const(1)  # 600 us at most
_CONVERSION_50_HZ_MS = const(66)  # 62.5 ms, 66 at most
_CONVERSION_60_HZ_MS = const(55)  # 52 ms, 55 at most

_FAULT_HIGH = const(0x80)
_FAULT_LOW = const(0x40)
# REFIN- above or below 0.85 bias, RTDIN- below 0.85 bias: a wire is off.
_FAULT_WIRES = const(0x38)
_FAULT_VOLTAGE = const(0x04)

# Thresholds tell a broken probe from a hot or cold one: 97.7 % and 0.3 % of the reference.
_CODE_OPEN = const(32_000)
_CODE_SHORT = const(100)
# What the probe, not the chip, is specified for; beyond it the reading says so.
_MAX_CENTI_C = const(20_000)
_MIN_CENTI_C = const(-20_500)


class MAX31865:
    """One probe. *bus*: machine.SPI, mode 1 or 3. *select*: its CS pin, an output, high.

    *spec*: the sensor's entry of board.json (rtd_ohm, reference_ohm, wires, mains_hz).
    *sleep_ms*: time.sleep_ms, or a test's clock.
    """

    def __init__(self, bus, select, spec: dict, sleep_ms=None):
        self._bus = bus
        self._select = select
        self._rtd_ohm = spec["rtd_ohm"]
        self._reference_ohm = spec["reference_ohm"]
        is_50_hz = spec["mains_hz"] == 50
        self._base = (_FILTER_50_HZ if is_50_hz else 0) | (
            _THREE_WIRE if spec["wires"] == 3 else 0
        )
        self._conversion_ms = _CONVERSION_50_HZ_MS if is_50_hz else _CONVERSION_60_HZ_MS
        self._sleep_ms = sleep_ms or time.sleep_ms
        self._command = bytearray(5)
        self._answer = bytearray(8)
        self._one = memoryview(self._command)[:2]
        self._one_answer = memoryview(self._answer)[:2]

    def read(self) -> tuple:
        """Returns (value, raw): centi-degrees C, or labels.FAULT_BASE + fault; and registers.

        raw = RTD register (16 bits) << 8 | fault status. Blocks for about 80 ms. Does not
        raise: a chip that does not answer is a fault like any other.
        """
        code, fault_bits = self.convert()
        if code < 0:
            return labels.FAULT_BASE + labels.FAULT_NO_ANSWER, 0
        raw = code << 9 | (1 if fault_bits else 0) << 8 | fault_bits
        fault = _fault_of(fault_bits)
        if fault:
            return labels.FAULT_BASE + fault, raw
        centi_c = centi_c_of_code(code, self._rtd_ohm, self._reference_ohm)
        if centi_c > _MAX_CENTI_C:
            return labels.FAULT_BASE + labels.FAULT_OVER_RANGE, raw
        if centi_c < _MIN_CENTI_C:
            return labels.FAULT_BASE + labels.FAULT_UNDER_RANGE, raw
        return centi_c, raw

    def convert(self) -> tuple:
        """Returns (code 0..32767, fault bits), or (-1, 0) when the chip does not answer."""
        settings = self._base | _BIAS
        self._write_thresholds()
        self._write_config(settings | _CLEAR_FAULTS)
        self._sleep_ms(_BIAS_MS)
        self._write_config(settings | _FAULT_CYCLE_AUTO)
        self._sleep_ms(_FAULT_CYCLE_MS)
        cycle_is_over = not self._read_config() & _FAULT_CYCLE_BITS
        self._write_config(settings | _ONE_SHOT)
        self._sleep_ms(self._conversion_ms)
        answer = self._read_all()
        # Bias off: between readings the probe must not be warmed.
        self._write_config(self._base)
        # Nobody there, or a chip that was reset meanwhile: its reading means nothing.
        has_config = answer[1] & _STABLE_BITS == settings
        has_threshold = answer[4] << 8 | answer[5] == _CODE_OPEN << 1
        if not (cycle_is_over and has_config and has_threshold):
            return -1, 0
        return (answer[2] << 8 | answer[3]) >> 1, self._fault_status()

    def _write_thresholds(self):
        command = self._command
        command[0] = _WRITE | _HIGH_FAULT_MSB
        command[1] = _CODE_OPEN >> 7
        command[2] = _CODE_OPEN << 1 & 0xFF
        command[3] = _CODE_SHORT >> 7
        command[4] = _CODE_SHORT << 1 & 0xFF
        self._transfer(command, None)

    def _write_config(self, config):
        self._one[0] = _WRITE | _CONFIG
        self._one[1] = config
        self._transfer(self._one, None)

    def _read_config(self) -> int:
        self._one[0] = _CONFIG
        self._one[1] = 0
        self._transfer(self._one, self._one_answer)
        return self._one_answer[1]

    def _fault_status(self) -> int:
        self._one[0] = 0x07
        self._one[1] = 0
        self._transfer(self._one, self._one_answer)
        return self._one_answer[1] & 0xFC

    def _read_all(self) -> bytearray:
        """Registers 0x00 to 0x06 into the answer, from its second byte on."""
        answer = self._answer
        for i in range(len(answer)):
            answer[i] = 0
        answer[0] = _CONFIG
        self._transfer(answer, answer)
        return answer

    def _transfer(self, out, answer):
        self._select.value(0)
        try:
            if answer is None:
                self._bus.write(out)
            else:
                self._bus.write_readinto(out, answer)
        finally:
            self._select.value(1)


def _fault_of(fault_bits: int) -> int:
    """The labels.FAULT number for the chip's fault bits, 0 for none. A loose wire explains all."""
    if fault_bits & (_FAULT_HIGH | _FAULT_WIRES):
        return labels.FAULT_OPEN
    if fault_bits & _FAULT_LOW:
        return labels.FAULT_SHORT
    if fault_bits & _FAULT_VOLTAGE:
        return labels.FAULT_SUPPLY
    return 0
