# SPDX-License-Identifier: MIT
# ruff: noqa: F821 -- ptr32, uint and the like are types of the viper compiler
"""The field VM's memory with a point in it: encoding, decoding (RFC 8032 section 5.1.2, 5.1.3).

Decoding is strict, as in libsodium: a y that is not below p and a point of small order are
refused. It handles public keys only, so it may branch on values; encoding may not and does not.
"""

from array import array

import micropython

from ..ed25519 import programs, slots
from .constants import D2, ROOT_OF_MINUS_1, SMALL_ORDER_YS, D
from .field_vm import run_program
from .inverse import invert
from .limbs import bytes_from_limbs, limbs_from_bytes, make_canonical
from .slots import SCRATCH_WORDS, SLOT_COUNT, WORDS


@micropython.viper
def _copy_slots(memory: ptr32, to: int, source: int, count: int):
    """Copies *count* slots of 20 words."""
    target = ptr32(uint(memory) + uint(to * 80))
    memory = ptr32(uint(memory) + uint(source * 80))
    count = count * 5
    while count:
        target[0] = memory[0]
        target[1] = memory[1]
        target[2] = memory[2]
        target[3] = memory[3]
        target = ptr32(uint(target) + 16)
        memory = ptr32(uint(memory) + 16)
        count -= 1


class Point:
    """One point in the slots X, Y, Z, T of its own memory (5 KB)."""

    def __init__(self):
        self.memory = array("I", bytes(4 * WORDS * SLOT_COUNT))
        self._scratch = array("I", bytes(4 * SCRATCH_WORDS))
        self._bytes = bytearray(32)
        view = memoryview(self.memory)
        self._x = view[slots.X * WORDS : (slots.X + 1) * WORDS]
        self._y = view[slots.Y * WORDS : (slots.Y + 1) * WORDS]
        self._z = view[slots.Z * WORDS : (slots.Z + 1) * WORDS]
        self._work = view[slots.WORK * WORDS : (slots.WORK + 4) * WORDS]

    def run(self, program: bytes):
        """Runs a program of programs.py."""
        run_program(len(program), self._scratch, self.memory, program)

    def run_times(self, program: bytes, count: int, repeated: bytes):
        """Runs *program* *count* times, from *repeated*: the program, written often enough."""
        run_program(len(program) * count, self._scratch, self.memory, repeated)

    def set_small(self, slot: int, value: int):
        """Sets a slot to a number below 2**13."""
        at = slot * WORDS
        self.memory[at] = value
        for k in range(at + 1, at + WORDS):
            self.memory[k] = 0

    def copy(self, to: int, source: int, count: int):
        """Copies *count* slots."""
        _copy_slots(self.memory, to, source, count)

    def set_neutral(self):
        """The point becomes the neutral element (0, 1)."""
        for slot, value in ((slots.X, 0), (slots.Y, 1), (slots.Z, 1), (3, 0)):
            self.set_small(slot, value)

    def encode(self, out):
        """Writes the point as 32 bytes: y, and the lowest bit of x in the highest bit."""
        make_canonical(self._z)
        invert(0, self._work, self._z)
        make_canonical(self._z)
        self.run(programs.TO_AFFINE)
        make_canonical(self._x)
        make_canonical(self._y)
        bytes_from_limbs(out, 32, self._y, WORDS)
        out[31] |= (self._x[0] & 1) << 7

    def is_neutral(self) -> bool:
        """Whether the point is (0, 1). For public points only, and it changes the point.

        y = 1 is enough: the curve's equation then says x**2 (d + 1) = 0.
        """
        self.run(programs.Y_MINUS_Z)
        return self._is_zero(slots.Y)

    def decode_negated(self, encoded) -> bool:
        """Puts minus the point *encoded* into the slots NEGATED. False when it is refused."""
        if not self._load_y(encoded):
            return False
        self._load_constants()
        self.run(programs.CURVE_RATIO)
        self.run(programs.ROOT_CANDIDATE)
        if not self._is_zero(slots.ROOT_MINUS):
            if not self._is_zero(slots.ROOT_PLUS):
                return False  # u / v is no square: no point has this y
            self.run(programs.OTHER_ROOT)
        # The negated point is wanted: its x has the other sign. x = 0 has small order: refused.
        if self._value_of(slots.X_ROOT)[0] & 1 == encoded[31] >> 7:
            self.run(programs.NEGATE_ROOT)
        self.run(programs.FINISH_POINT)
        self.set_small(slots.NEGATED + 2, 1)
        return True

    def wipe(self):
        """Forgets what the last multiplication left."""
        for k in range(16 * WORDS):
            self.memory[k] = 0
        for k in range(SCRATCH_WORDS):
            self._scratch[k] = 0

    def _load_y(self, encoded) -> bool:
        """y into its slot; False when it is not canonical or of small order."""
        if has_small_order(encoded):
            return False
        y = self._slot(slots.NEGATED + 1)
        limbs_from_bytes(y, WORDS, encoded, 32)
        y[19] &= 255  # the sign of x is not part of y
        make_canonical(y)
        bytes_from_limbs(self._bytes, 32, y, WORDS)
        self._bytes[31] |= encoded[31] & 128
        return self._bytes == encoded

    def _load_constants(self):
        for slot, value in ((slots.D, D), (slots.D2, D2), (slots.ROOT, ROOT_OF_MINUS_1)):
            limbs_from_bytes(self._slot(slot), WORDS, value, 32)
        self.set_small(slots.ONE, 1)
        self.set_small(slots.ZERO, 0)

    def _slot(self, slot: int):
        return memoryview(self.memory)[slot * WORDS : (slot + 1) * WORDS]

    def _value_of(self, slot: int) -> bytearray:
        """The canonical bytes of a slot, which keeps its value."""
        limbs = self._slot(slot)
        make_canonical(limbs)
        bytes_from_limbs(self._bytes, 32, limbs, WORDS)
        return self._bytes

    def _is_zero(self, slot: int) -> bool:
        return not any(self._value_of(slot))


def has_small_order(encoded) -> bool:
    """Whether 32 canonical bytes are one of the eight points whose order divides 8."""
    y = bytearray(encoded)
    y[31] &= 127
    return any(y == SMALL_ORDER_YS[at : at + 32] for at in range(0, len(SMALL_ORDER_YS), 32))
