# SPDX-License-Identifier: MIT
"""Verification: S B = R + k A, without cofactor (RFC 8032 section 5.1.7), in half the doublings.

Refused besides a wrong equation: S not below L; a public key or an R that is no point, has y not
below p or small order. docs/ed25519.md has the whole rule set and why the method changes none of
it. Everything here is public, so time may depend on it.

Instead of k, which has 253 bits, two numbers of half the size are used (Antipa and others 2005,
"Accelerated verification of ECDSA signatures"): t k = r (mod 8 L). Multiplied by t the equation
says t S B - r A - t R = 0. As t is odd and below L, and the group has 8 L elements, that holds
exactly when the equation does. One chain of doublings serves all three products; the comb of
t S B, whose columns lie one bit apart, joins for the last eleven bits.
"""

from ..ed25519 import programs, slots
from .comb import COLUMN_COUNT
from .scalar import new_scalar, store

_GROUP_SIZE_SHIFT = 3  # the group has 8 L elements
_ORDER = 2**252 + 27742317777372353535851937790883648493
_WINDOW_BITS = 4  # digits -7, -5 .. 7: four multiples of a point are kept
_MULTIPLE_COUNT = 4
_RUN_MAX = 8
_DOUBLINGS = programs.DOUBLE_NO_T * _RUN_MAX


def is_valid(engine, public_key, signature, parts: tuple) -> bool:
    """The check itself; arguments as sign.verify()."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    view = memoryview(signature)
    r = bytes(view[:32])
    scalars = engine.scalars
    if not scalars.is_canonical(view[32:]) or not _prepare_key(engine, public_key):
        return False
    if not _prepare(engine.point, r, _MULTIPLE_COUNT):
        return False
    scalar = new_scalar()
    scalars.load(scalar, engine.hash.digest_all(engine.digest, (r, public_key), parts))
    packed = bytearray(32)
    store(packed, scalar)
    key_factor, r_factor = halve_size(int.from_bytes(packed, "little"))
    factor = new_scalar()
    scalars.load(factor, (r_factor % _ORDER).to_bytes(32, "little"), 32)
    scalars.to_montgomery(factor, factor)
    scalars.load(scalar, view[32:], 32)
    scalars.multiply_montgomery(scalar, scalar, factor)
    scalars.to_comb(engine.digits, scalar)
    _multiply(engine, _digits_by_bit(key_factor, r_factor))
    return engine.point.is_neutral()


def halve_size(k: int) -> tuple:
    """Returns (r, t) of about 128 bits with t * k = r modulo 8 L, r >= 0, t odd, |t| < L.

    The extended Euclidean algorithm, stopped halfway. Each pair keeps the congruence; of two
    neighbours one has odd t, as t * r' - t' * r = +-8 L and gcd(t, t') = 1.
    """
    r, next_r = _ORDER << _GROUP_SIZE_SHIFT, k
    t, next_t = 0, 1
    while next_r >> 128:
        quotient, rest = divmod(r, next_r)
        r, next_r = next_r, rest
        t, next_t = next_t, t - quotient * next_t
    return (next_r, next_t) if next_t & 1 else (r, t)


def _prepare_key(engine, public_key) -> bool:
    """Decodes -A and tabulates its multiples, unless they are still there from the last call."""
    if engine.prepared_key == public_key:
        return True
    engine.prepared_key = None
    if not _prepare(engine.point, public_key, 0):
        return False
    engine.prepared_key = bytes(public_key)
    return True


def _prepare(point, encoded, first: int) -> bool:
    """Tabulates minus the point *encoded*, times 1, 3, 5 and 7, as operands from *first* on."""
    if not point.decode_negated(encoded):
        return False
    point.copy(slots.X, slots.NEGATED, 4)
    point.run(programs.DOUBLE)
    point.run(programs.CACHE)
    point.copy(slots.DOUBLED, slots.OPERAND, 4)
    point.copy(slots.X, slots.NEGATED, 4)
    for i in range(first, first + _MULTIPLE_COUNT):
        if i != first:
            point.copy(slots.OPERAND, slots.DOUBLED, 4)
            point.run(programs.ADD_CACHED)
        point.run(programs.CACHE)
        point.copy(slots.MULTIPLES + 4 * i, slots.OPERAND, 4)
    return True


def _digits_by_bit(key_factor: int, r_factor: int) -> dict:
    """{bit: signed numbers of operands, from 1 on}: what to add where on the way down."""
    out = {}
    _add_digits(out, key_factor, 1)
    _add_digits(out, r_factor, 1 + _MULTIPLE_COUNT)
    return out


def _add_digits(out: dict, number: int, first: int):
    """Writes |number| < 2**264 with digits 0, +-1, +-3, +-5, +-7, at least four bits apart."""
    packed = abs(number).to_bytes(33, "little").rstrip(b"\0")
    end = 8 * len(packed)
    packed += b"\0\0"  # the last carry, and what a window sees beyond it
    is_negative = number < 0
    carry = 0
    bit = 0
    while bit < end or carry:
        window = (packed[bit >> 3] | packed[(bit >> 3) + 1] << 8) >> (bit & 7)
        if window & 1 == carry:
            bit += 1
            continue
        digit = (window & 15) + carry
        carry = digit >> 3  # a digit from 9 on counts as digit - 16
        operand = first + ((16 - digit if carry else digit) >> 1)
        if is_negative != (carry > 0):
            operand = -operand
        if bit in out:
            out[bit] += (operand,)
        else:
            out[bit] = (operand,)
        bit += _WINDOW_BITS


def _multiply(engine, operands_by_bit: dict):
    """Point = r (-A) + t (-R) + t S B, for the digits of r and t and the comb digits of t S."""
    point = engine.point
    point.set_neutral()
    at = -1  # the bit up to which the point is doubled
    for bit in sorted(operands_by_bit, reverse=True):
        if bit < COLUMN_COUNT:
            break
        if at >= 0:
            _double(point, at - bit)
        at = bit
        _add_operands(point, operands_by_bit[bit], False)
    if at >= 0:
        _double(point, at - COLUMN_COUNT)
    for column in range(COLUMN_COUNT - 1, -1, -1):
        point.run(programs.DOUBLE)
        _add_operands(point, operands_by_bit.get(column, ()), True)
        engine.comb.add_column(engine.digits, column)


def _double(point, count: int):
    """Doubles *count* times; T, which only an addition reads, is made by the last one."""
    while count > 1:
        run = min(count - 1, _RUN_MAX)
        point.run_times(programs.DOUBLE_NO_T, run, _DOUBLINGS)
        count -= run
    if count:
        point.run(programs.DOUBLE)


def _add_operands(point, operands, wants_t: bool):
    """Adds operands, which are numbered from 1 and negative where to subtract."""
    left = len(operands)
    for operand in operands:
        left -= 1
        point.copy(slots.OPERAND, slots.MULTIPLES + 4 * (abs(operand) - 1), 4)
        keeps_t = wants_t or left
        if operand > 0:
            point.run(programs.ADD_CACHED if keeps_t else programs.ADD_CACHED_NO_T)
        else:
            point.run(programs.SUBTRACT_CACHED if keeps_t else programs.SUBTRACT_CACHED_NO_T)
