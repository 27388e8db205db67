# SPDX-License-Identifier: MIT
"""Verification: encode(S B - k A) must equal R byte for byte (cofactorless, RFC 8032 5.1.7).

Refused besides a wrong equation: S not below L; a public key that is no point, has y not below p
or small order; R of small order or not canonical (the comparison of bytes never meets it).
Everything here is public, so time may depend on it.
"""

from . import programs, slots
from .point import has_small_order
from .scalar import new_scalar, store

_WINDOW_COUNT = 64  # radix-16 digits of a scalar


def is_valid(engine, public_key, signature, parts: tuple) -> bool:
    """The check itself; arguments as sign.verify()."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    view = memoryview(signature)
    r = bytes(view[:32])
    if not engine.scalars.is_canonical(view[32:]) or has_small_order(r):
        return False
    if not engine.point.decode_negated(public_key):
        return False
    scalar = new_scalar()
    engine.scalars.load(scalar, engine.hash.digest_all(engine.digest, (r, public_key), parts))
    _multiply_key(engine.point, _signed_digits(scalar))
    # Keep k (-A) aside, as a cached operand, while the comb computes S B.
    engine.point.run(programs.CACHE)
    engine.point.copy(slots.NEGATED, slots.OPERAND, 4)
    engine.scalars.load(scalar, view[32:], 32)
    engine.scalars.to_comb(engine.digits, scalar)
    engine.comb.multiply(engine.digits, wants_t=True)
    engine.point.copy(slots.OPERAND, slots.NEGATED, 4)
    engine.point.run(programs.ADD_CACHED)
    out = bytearray(32)
    engine.point.encode(out)
    return out == r


def _signed_digits(scalar) -> list:
    """Radix 16 with digits -7..8, least significant first."""
    packed = bytearray(32)
    store(packed, scalar)
    digits = []
    carry = 0
    for i in range(_WINDOW_COUNT):
        digit = (packed[i >> 1] >> (4 * (i & 1)) & 15) + carry
        carry = 1 if digit > 8 else 0
        digits.append(digit - 16 * carry)
    return digits


def _multiply_key(point, digits: list):
    """Point = scalar * (-A), from the multiples 1..8 of -A."""
    _tabulate(point)
    point.set_neutral()
    for i in range(_WINDOW_COUNT - 1, -1, -1):
        if i != _WINDOW_COUNT - 1:
            for _ in range(3):
                point.run(programs.DOUBLE_NO_T)
            point.run(programs.DOUBLE)
        digit = digits[i]
        if digit:
            point.copy(slots.OPERAND, slots.MULTIPLES + 4 * (abs(digit) - 1), 4)
            if digit < 0:
                point.run(programs.NEGATE_OPERAND)
            point.run(programs.ADD_CACHED)


def _tabulate(point):
    point.copy(slots.X, slots.NEGATED, 4)
    point.run(programs.CACHE)
    point.copy(slots.MULTIPLES, slots.OPERAND, 4)
    for i in range(1, 8):
        # The operand slots change with each CACHE: put -A back before adding it.
        point.copy(slots.OPERAND, slots.MULTIPLES, 4)
        point.run(programs.ADD_CACHED)
        point.run(programs.CACHE)
        point.copy(slots.MULTIPLES + 4 * i, slots.OPERAND, 4)
