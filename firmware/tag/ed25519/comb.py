# SPDX-License-Identifier: MIT
# ruff: noqa: F821 -- ptr32, uint and the like are types of the viper compiler
"""Multiples of the base point by a signed comb: 44 additions and 10 doublings.

The table comb.bin (tools/generate_comb_table.py) is read into RAM: a secret index into
internal RAM leaves no trace, into flash it would show in the cache. Sequence of instructions
and of additions is the same for every scalar.
"""

from hashlib import sha256

import micropython

from ..ed25519 import programs
from .constants import COMB_SHA256, COMB_SIZE
from .slots import Z

COLUMN_COUNT = micropython.const(11)
_BLOCK_COUNT = micropython.const(4)


@micropython.viper
def _load_entry(t: ptr16, m: ptr32, digits: ptr8, where: int):
    """Puts table entry *where* & 15 (column) of block *where* >> 4 into memory's operand slots.

    The six digits of the column choose it; the highest one is the sign. A negative entry
    changes y + x with y - x and 2 d x y with 64 p - 2 d x y, by mask.
    """
    block = where >> 4
    at = (where & 15) + 66 * block
    index = 0
    tooth = 0
    while tooth < 6:
        index = index | (((int(digits[at >> 3]) >> (at & 7)) & 1) << tooth)
        at += 11
        tooth += 1
    negative = (index >> 5) - 1  # all ones when the highest digit is -1
    entry = ((index ^ negative) & 31) + (block << 5)
    t = ptr16(uint(t) + uint(entry * 120))
    m = ptr32(uint(m) + 960)  # the operand slots
    k = 20
    while k:
        change = (int(t[0]) ^ int(t[20])) & negative
        m[0] = int(t[0]) ^ change
        m[20] = int(t[20]) ^ change
        # 16382 - v for negative ones, v else: 16382 & mask, and v or its two's complement.
        m[40] = (16382 & negative) + ((int(t[40]) ^ negative) - negative)
        t = ptr16(uint(t) + 2)
        m = ptr32(uint(m) + 4)
        k -= 1
    m[20] = m[20] - (1214 & negative)  # limb 0 of 64 p is 15168, not 16382


class CombError(Exception):
    """The table file is missing, short or damaged: no signature can be made."""


def load_table(path: str) -> bytearray:
    """Returns the table in RAM. Raises CombError when it is not byte for byte as generated."""
    table = bytearray(COMB_SIZE)
    try:
        with open(path, "rb") as f:
            size = f.readinto(table)
    except OSError:
        raise CombError("no comb table at " + path)
    if size != COMB_SIZE or sha256(table).digest() != COMB_SHA256:
        raise CombError("damaged comb table at " + path)
    return table


class Comb:
    """Multiplies the base point. *point* holds the result (see point.Point)."""

    def __init__(self, point, table: bytearray):
        self._point = point
        self._table = table

    def multiply(self, digits: bytearray):
        """Point = scalar * base point, for *digits* from ScalarField.to_comb()."""
        point = self._point
        column = COLUMN_COUNT - 1
        _load_entry(self._table, point.memory, digits, column)
        point.set_small(Z, 4)
        point.run(programs.START)
        self.add_column(digits, column, 1)
        while column:
            column -= 1
            point.run(programs.DOUBLE)
            self.add_column(digits, column)

    def add_column(self, digits: bytearray, column: int, first: int = 0):
        """Adds *column*'s entries of the blocks from *first* on.

        Leaves no T: a doubling or the end follows.
        """
        point = self._point  # point.run, kept in a variable, would be an object on the heap
        last = _BLOCK_COUNT - 1
        for block in range(first, _BLOCK_COUNT):
            _load_entry(self._table, point.memory, digits, column | block << 4)
            point.run(programs.ADD_AFFINE_NO_T if block == last else programs.ADD_AFFINE)
