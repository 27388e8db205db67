# SPDX-License-Identifier: MIT
"""Slots of the field VM's memory that Python code names; the same numbers as the programs use."""

from micropython import const

SLOT_COUNT = const(62)
WORDS = const(20)  # of one slot
SCRATCH_WORDS = const(160)  # beside the memory

X = const(0)
Y = const(1)
Z = const(2)
WORK = const(4)  # four slots for an inversion, the temporaries of additions
ROOT_MINUS = const(4)  # v x**2 - u and v x**2 + u, left by ROOT_CANDIDATE
ROOT_PLUS = const(5)
OPERAND = const(12)  # y + x, y - x, 2 d x y, 2 z: what an addition adds
NEGATED = const(16)  # a negated point just decoded: X, Y, Z, T
D = const(20)
D2 = const(21)
ONE = const(22)
ROOT = const(23)
DOUBLED = const(24)  # cached, twice NEGATED, in the temporaries of the square root
X_ROOT = const(28)
ZERO = const(29)
MULTIPLES = const(30)  # cached 1, 3, 5, 7 times -A, then of -R, four slots each
