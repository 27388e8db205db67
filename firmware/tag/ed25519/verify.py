# SPDX-License-Identifier: MIT
"""Verification: encode(S B - k A) must equal R byte for byte (cofactorless, RFC 8032 5.1.7).

Refused besides a wrong equation: S not below L; a public key that is no point, has y not below p
or small order; R of small order or not canonical (the comparison of bytes never meets it).
docs/ed25519.md has the whole rule set. Everything here is public, so time may depend on it.

One chain of doublings serves both products. Digits of k, zero or odd up to 15, add multiples of
-A on its way; the comb of S B, whose columns lie 1 bit apart, joins for the last ten doublings.
"""

from . import programs, slots
from .comb import COLUMN_COUNT
from .point import has_small_order
from .scalar import new_scalar, store

_WINDOW_BITS = 5  # digits -15, -13 .. 15: eight multiples of -A are kept
_DOUBLINGS_MAX = 8
_DOUBLINGS = programs.DOUBLE_NO_T * _DOUBLINGS_MAX


def is_valid(engine, public_key, signature, parts: tuple) -> bool:
    """The check itself; arguments as sign.verify()."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    view = memoryview(signature)
    r = bytes(view[:32])
    if not engine.scalars.is_canonical(view[32:]) or has_small_order(r):
        return False
    if not _prepare_key(engine, public_key):
        return False
    scalar = new_scalar()
    engine.scalars.load(scalar, engine.hash.digest_all(engine.digest, (r, public_key), parts))
    digits = _odd_digits(scalar)
    engine.scalars.load(scalar, view[32:], 32)
    engine.scalars.to_comb(engine.digits, scalar)
    _multiply(engine, digits)
    out = bytearray(32)
    engine.point.encode(out)
    return out == r


def _prepare_key(engine, public_key) -> bool:
    """Decodes -A and tabulates its multiples, unless they are still there from the last call."""
    if engine.prepared_key == public_key:
        return True
    engine.prepared_key = None
    if not engine.point.decode_negated(public_key):
        return False
    _tabulate(engine.point)
    engine.prepared_key = bytes(public_key)
    return True


def _odd_digits(scalar) -> list:
    """(bit, digit) pairs, highest first: scalar = sum(digit << bit), digits odd, -15..15."""
    packed = bytearray(32)
    store(packed, scalar)
    rest = int.from_bytes(packed, "little")
    digits = []
    bit = 0
    while rest:
        if rest & 1:
            digit = rest & 31
            if digit > 15:
                digit -= 32
            digits.append((bit, digit))
            rest = (rest - digit) >> _WINDOW_BITS
            bit += _WINDOW_BITS
        else:
            rest >>= 1
            bit += 1
    digits.reverse()
    return digits


def _multiply(engine, digits: list):
    """Point = k (-A) + S B, for the digits of k and the comb digits of S."""
    point = engine.point
    point.set_neutral()
    at = None  # bit of the last digit added
    for bit, digit in digits:
        if bit < COLUMN_COUNT:
            break
        if at is not None:
            _double(point, at - bit)
        at = bit
        _add_multiple(point, digit, False)
    if at is not None:
        _double(point, at - COLUMN_COUNT)
    low = dict(digits)
    for column in range(COLUMN_COUNT - 1, -1, -1):
        point.run(programs.DOUBLE)
        if column in low:
            _add_multiple(point, low[column], True)
        engine.comb.add_column(engine.digits, column)


def _double(point, count: int):
    """Doubles *count* times; T, which only an addition reads, is made by the last one."""
    if count:
        count -= 1
        while count > _DOUBLINGS_MAX:
            point.run(_DOUBLINGS)
            count -= _DOUBLINGS_MAX
        point.run_times(programs.DOUBLE_NO_T, count, _DOUBLINGS)
        point.run(programs.DOUBLE)


def _add_multiple(point, digit: int, wants_t: bool):
    point.copy(slots.OPERAND, slots.MULTIPLES + 2 * (abs(digit) - 1), 4)
    if digit > 0:
        point.run(programs.ADD_CACHED if wants_t else programs.ADD_CACHED_NO_T)
    else:
        point.run(programs.SUBTRACT_CACHED if wants_t else programs.SUBTRACT_CACHED_NO_T)


def _tabulate(point):
    """Puts -A, -3 A, -5 A .. -15 A as operands into MULTIPLES, by adding -2 A."""
    point.copy(slots.X, slots.NEGATED, 4)
    point.run(programs.DOUBLE)
    point.run(programs.CACHE)
    point.copy(slots.DOUBLED, slots.OPERAND, 4)
    point.copy(slots.X, slots.NEGATED, 4)
    for i in range(8):
        if i:
            point.copy(slots.OPERAND, slots.DOUBLED, 4)
            point.run(programs.ADD_CACHED)
        point.run(programs.CACHE)
        point.copy(slots.MULTIPLES + 4 * i, slots.OPERAND, 4)
