# SPDX-License-Identifier: MIT
# ruff: noqa: F821 -- ptr32, uint and the like are types of the viper compiler
"""Scalars modulo the group order L = 2**252 + 27742317777372353535851937790883648493.

Montgomery arithmetic on 20 limbs of 13 bits, R = 2**260, all unsigned, no branch on a value.
Why a column stays below 2**32: it receives at most 20 products of a multiplication, 20 of the
reduction (each < 2**26) and one carry (< 2**19): 40 * (2**13 - 1)**2 + 2**19 = 2,684,207,048.
A reduced number is below 2 L after the reduction (inputs below R L) and below L after the one
conditional subtraction, which is done by mask.
"""

from array import array

import micropython

from .constants import COMB_OFFSET, MONTGOMERY_FACTOR, ORDER, R_SQUARED
from .limbs import bytes_from_limbs, limbs_from_bytes


# Only the first two locals of a viper function live in registers: `limb`, which the caller
# passes as 0 to reserve its place, and the pointer `c` into the 40 columns.
@micropython.viper
def _multiply(limb: uint, c: ptr32, a: ptr32, b: ptr32):
    """40 columns = a * b, not carried."""
    i = 0
    while i < 40:
        c[i] = 0
        i += 1
    i = 20
    while i:
        limb = uint(a[0])
        a = ptr32(uint(a) + 4)
        g = ptr32(uint(b))
        k = 5
        while k:
            c[0] = limb * g[0] + c[0]
            c[1] = limb * g[1] + c[1]
            c[2] = limb * g[2] + c[2]
            c[3] = limb * g[3] + c[3]
            c = ptr32(uint(c) + 16)
            g = ptr32(uint(g) + 16)
            k -= 1
        c = ptr32(uint(c) - 76)  # one column further than this row began
        i -= 1


@micropython.viper
def _reduce(limb: uint, c: ptr32, order: ptr32, factor: uint):
    """Montgomery reduction; leaves columns / R (mod L), below 2 L, in columns[20:40]."""
    i = 20
    while i:
        # The multiple of L that clears the lowest column: only 13 bits of it matter.
        limb = (uint(c[0]) & 8191) * factor & 8191
        g = ptr32(uint(order))
        k = 5
        while k:
            c[0] = limb * g[0] + c[0]
            c[1] = limb * g[1] + c[1]
            c[2] = limb * g[2] + c[2]
            c[3] = limb * g[3] + c[3]
            c = ptr32(uint(c) + 16)
            g = ptr32(uint(g) + 16)
            k -= 1
        c = ptr32(uint(c) - 80)
        c[1] = (uint(c[0]) >> 13) + c[1]
        c = ptr32(uint(c) + 4)
        i -= 1
    limb = uint(0)
    while i < 20:
        limb = (limb >> 13) + uint(c[i])
        c[i] = limb & 8191
        i += 1


@micropython.viper
def _subtract_once(out: ptr32, limbs: ptr32, order: ptr32):
    """out = limbs - L if limbs >= L, else limbs; needs limbs < 2 L."""
    borrow = 0
    k = 0
    while k < 20:
        limb = limbs[k] + 8192 - order[k] - borrow
        out[k] = limb & 8191
        borrow = 1 - (limb >> 13)
        k += 1
    keep = 0 - borrow  # all ones where the subtraction went below zero
    k = 0
    while k < 20:
        out[k] = out[k] ^ ((out[k] ^ limbs[k]) & keep)
        k += 1


@micropython.viper
def _add(out: ptr32, a: ptr32, b: ptr32):
    """out = a + b with carries; both below L."""
    carry = 0
    k = 0
    while k < 20:
        carry = (carry >> 13) + a[k] + b[k]
        out[k] = carry & 8191
        k += 1


@micropython.viper
def _halve(limbs: ptr32, order: ptr32):
    """limbs = limbs / 2 (mod L): L, which is odd, is added first where limbs are odd."""
    odd = 0 - (limbs[0] & 1)
    carry = 0
    k = 0
    while k < 20:
        carry = (carry >> 13) + limbs[k] + (order[k] & odd)
        limbs[k] = carry & 8191
        k += 1
    k = 0
    while k < 19:
        limbs[k] = (limbs[k] >> 1) | ((limbs[k + 1] & 1) << 12)
        k += 1
    limbs[19] = limbs[19] >> 1


def new_scalar() -> array:
    """Returns a scalar, zero."""
    return array("I", bytes(80))


class ScalarField:
    """Arithmetic modulo L with its own scratch. Scalars are arrays from new_scalar(), below L."""

    def __init__(self):
        self._order = array("I", ORDER)
        self._r_squared = array("I", R_SQUARED)
        self._comb_offset = array("I", COMB_OFFSET)
        self._columns = array("I", bytes(160))
        self._high = memoryview(self._columns)[20:]
        self._sum = new_scalar()

    def load(self, out: array, source, size: int = 64):
        """out = the *size* (<= 64) little-endian bytes of *source*, modulo L."""
        self.load_over_r(out, source, size)
        self.multiply_montgomery(out, out, self._r_squared)

    def load_over_r(self, out: array, source, size: int = 64):
        """out = the same divided by R: one multiplication cheaper."""
        limbs_from_bytes(self._columns, 40, source, size)
        self._finish(out)

    def multiply_montgomery(self, out: array, a: array, b: array):
        """out = a * b / R modulo L."""
        _multiply(0, self._columns, a, b)
        self._finish(out)

    def to_montgomery(self, out: array, a: array):
        """out = a * R modulo L: the form in which a factor cancels one division by R."""
        self.multiply_montgomery(out, a, self._r_squared)

    def add(self, out: array, a: array, b: array):
        """out = a + b modulo L."""
        _add(self._columns, a, b)
        _subtract_once(out, self._columns, self._order)

    def is_canonical(self, source) -> bool:
        """Whether 32 bytes are a number below L. For public numbers: the answer is a branch."""
        limbs_from_bytes(self._columns, 20, source, 32)
        _subtract_once(self._sum, self._columns, self._order)
        return all(self._sum[k] == self._columns[k] for k in range(20))

    def to_comb(self, digits: bytearray, a: array):
        """Recodes *a* for the comb: 264 bits of *digits*, each standing for +1 or -1."""
        # sum(+-2**i) over all 264 bits = 2 * bits - (2**264 - 1): so bits = (a + offset) / 2.
        self.add(self._sum, a, self._comb_offset)
        _halve(self._sum, self._order)
        bytes_from_limbs(digits, 33, self._sum, 20)

    def wipe(self):
        """Forgets the scalars that passed through the scratch."""
        for k in range(40):
            self._columns[k] = 0
        for k in range(20):
            self._sum[k] = 0

    def _finish(self, out: array):
        _reduce(0, self._columns, self._order, MONTGOMERY_FACTOR)
        _subtract_once(out, self._high, self._order)


def store(target, a: array):
    """Writes scalar *a* as 32 little-endian bytes."""
    bytes_from_limbs(target, 32, a, 20)
