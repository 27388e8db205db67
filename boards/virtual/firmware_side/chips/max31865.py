# SPDX-License-Identifier: MIT
"""Register-level MAX31865 with a PT100 on it, after its datasheet.

Modelled: register map with auto-increment, configuration read-back with self-clearing bits,
bias that settles with the input filter, one-shot conversions that take 62.5 or 52 ms, the fault
detection cycle, thresholds, fault status latched until cleared, the fault bit in the RTD
register, over/undervoltage that freezes conversions. The resistance comes from the float64
Callendar-Van Dusen equation of this file, which the tag's integer version never sees.
"""

import math

_REFERENCE_OHM = 430  # board.json of the virtual board
_RTD_OHM = 100
_POWER_ON = (0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00, 0x00)
_WRITABLE = (0, 3, 4, 5, 6)

_BIAS = 0x80
_AUTO = 0x40
_ONE_SHOT = 0x20
_CYCLE = 0x0C
_CLEAR = 0x02
_FILTER_50_HZ = 0x01

_FAULT_HIGH = 0x80
_FAULT_LOW = 0x40
_FAULT_REFERENCE_HIGH = 0x20
_FAULT_WIRE = 0x08
_FAULT_VOLTAGE = 0x04
_CODE_MAX = 32767
_BIAS_TAU_MS = 1.0
_CYCLE_MS = 0.6


def make(wiring, environment, pin):
    """Returns the chip for probe wiring["probe"]."""
    return MAX31865Chip(environment, wiring["probe"])


def resistance_ohm(temp_c: float, at_0_ohm: float = _RTD_OHM) -> float:
    """IEC 60751, platinum."""
    a, b, c = 3.9083e-3, -5.775e-7, -4.183e-12
    ratio = 1 + a * temp_c + b * temp_c * temp_c
    if temp_c < 0:
        ratio += c * (temp_c - 100) * temp_c * temp_c * temp_c
    return at_0_ohm * ratio


class MAX31865Chip:
    """One chip on the SPI bus."""

    def __init__(self, environment, probe: int, reference_ohm: float = _REFERENCE_OHM):
        self._environment = environment
        self._probe = probe
        self._reference_ohm = reference_ohm
        self._registers = bytearray(_POWER_ON)
        self._address = None  # None until the first byte after select
        self._is_write = False
        self._bias_since_ms = None
        self._conversion_ends_ms = None
        self._bias_share = 0.0
        self._cycle_ends_ms = None

    # ---- the bus

    def select(self) -> None:
        self._address = None

    def deselect(self) -> None:
        self._address = None

    def transfer(self, out: bytes) -> bytes:
        """First byte after select: address, bit 7 for writing; then data, address rising."""
        answer = bytearray(len(out))
        fault = self._environment.now().probe_fault[self._probe]
        for i, byte in enumerate(out):
            if fault == "absent":
                answer[i] = 0xFF  # nobody drives the line
            elif self._address is None:
                self._address, self._is_write = byte & 0x07, bool(byte & 0x80)
            else:
                self._settle()
                if self._is_write:
                    self._write(self._address, byte)
                else:
                    answer[i] = self._registers[self._address]
                self._address = (self._address + 1) & 0x07
        return answer

    def lose_power(self) -> None:
        """Back to the power-on state, as after a brown-out."""
        self._registers[:] = bytes(_POWER_ON)
        self._bias_since_ms = self._conversion_ends_ms = self._cycle_ends_ms = None

    # ---- registers

    def _write(self, register, value):
        if register not in _WRITABLE:
            return
        if register:
            self._registers[register] = value
            return
        now_ms = self._environment.now_ms()
        if value & _CLEAR and not value & (_ONE_SHOT | _CYCLE):
            self._registers[7] = 0
            self._registers[2] &= 0xFE
        if not value & _BIAS:
            self._bias_since_ms = None
        elif self._bias_since_ms is None:
            self._bias_since_ms = now_ms
        if value & _CYCLE == 0x04:
            self._cycle_ends_ms = now_ms + _CYCLE_MS
        if value & _ONE_SHOT and not value & _AUTO:
            self._conversion_ends_ms = now_ms + (62.5 if value & _FILTER_50_HZ else 52.0)
            self._bias_share = self._share_of_bias(now_ms)
        self._registers[0] = value & ~_CLEAR & 0xFF

    def _share_of_bias(self, now_ms):
        if self._bias_since_ms is None:
            return 0.0
        return 1 - math.exp(-(now_ms - self._bias_since_ms) / _BIAS_TAU_MS)

    def _settle(self):
        """Completes what has had its time."""
        now_ms = self._environment.now_ms()
        if self._cycle_ends_ms is not None and now_ms >= self._cycle_ends_ms:
            self._cycle_ends_ms = None
            self._registers[0] &= ~_CYCLE & 0xFF
            self._detect_faults()
        if self._conversion_ends_ms is not None and now_ms >= self._conversion_ends_ms:
            self._conversion_ends_ms = None
            self._registers[0] &= ~_ONE_SHOT & 0xFF
            self._convert()

    def _detect_faults(self):
        fault = self._environment.now().probe_fault[self._probe]
        if fault == "open":
            self._latch(_FAULT_REFERENCE_HIGH | _FAULT_WIRE)

    def _convert(self):
        conditions = self._environment.now()
        fault = conditions.probe_fault[self._probe]
        if fault == "supply":
            self._latch(_FAULT_VOLTAGE)  # the RTD register keeps its value
            return
        code = self._code(fault, conditions.probe_centi_c[self._probe] / 100)
        self._registers[1] = code >> 7
        self._registers[2] = code << 1 & 0xFE
        if code >= self._word(3) >> 1:
            self._latch(_FAULT_HIGH)
        if code <= self._word(5) >> 1:
            self._latch(_FAULT_LOW)
        if self._registers[7]:
            self._registers[2] |= 1

    def _code(self, fault, temp_c):
        if fault == "open":
            return _CODE_MAX
        if fault == "short":
            return 0
        # Both voltages start from zero and settle differently: a young bias reads low.
        ratio = resistance_ohm(temp_c) / self._reference_ohm * self._bias_share
        return max(0, min(_CODE_MAX, int(ratio * 32768 + 0.5)))

    def _word(self, register):
        return self._registers[register] << 8 | self._registers[register + 1]

    def _latch(self, bits):
        self._registers[7] |= bits
