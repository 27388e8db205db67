# SPDX-License-Identifier: MIT
"""Platinum resistance thermometers: resistance ratio to temperature (IEC 60751).

R(t) / R0 = 1 + A t + B t**2             for t >= 0
          = 1 + A t + B t**2 + C (t - 100) t**3   below

Integers only: an ESP32's MicroPython floats have 24 bits, which costs 0.01 C near -196 C.
Without the C term -150 C would read as -150.86 C, so it is not optional. The values used on the
way pass 2**30 and live on the heap of a 32-bit chip for a moment: some 40 numbers a reading.
"""

from micropython import const

# Coefficients times 10**12, temperature in units of 10**-4 C.
_SCALE = 1_000_000_000_000
_A = 3_908_300_000  # 3.9083e-3 / C
_B = -577_500  # -5.775e-7 / C**2
_C_MILLI = const(-4183)  # -4.183e-12 / C**4, three more digits
_UNITS_PER_C = const(10_000)
_ROUNDS_MAX = const(12)
_ADC_FULL_SCALE = const(32768)  # MAX31865: code 2**15 would be the reference resistance


def ratio_at(units: int) -> int:
    """R / R0 times 10**12 at *units* ten-thousandths of a degree C."""
    ratio = _SCALE + _A * units // _UNITS_PER_C + _B * units * units // 10**8
    if units < 0:
        ratio += _C_MILLI * (units - 100 * _UNITS_PER_C) * units**3 // 10**19
    return ratio


def centi_c_of_ratio(ratio: int) -> int:
    """Temperature in centi-degrees C for R / R0 times 10**12; exact to 0.005 C from -200 C.

    Newton's method from the straight line through 0 C. R is so nearly linear that the slope
    without its C term, at most 5 % off, still gains more than a digit a round.
    """
    units = (ratio - _SCALE) * _UNITS_PER_C // _A
    for _ in range(_ROUNDS_MAX):
        slope = _A + 2 * _B * units // _UNITS_PER_C
        step = (ratio - ratio_at(units)) * _UNITS_PER_C // slope
        units += step
        if -1 <= step <= 1:
            break
    return (units + 50) // 100


def centi_c_of_code(code: int, rtd_ohm: int, reference_ohm: int) -> int:
    """Temperature in centi-degrees C for a MAX31865 code (0..32767).

    *rtd_ohm*: resistance at 0 C. *reference_ohm*: the board's reference resistor.
    """
    return centi_c_of_ratio(code * reference_ohm * _SCALE // (_ADC_FULL_SCALE * rtd_ohm))
