# SPDX-License-Identifier: MIT
"""Source of the field VM's programs: point addition, doubling, inversion, and their assembler.

Twisted Edwards curve -x**2 + y**2 = 1 + d x**2 y**2, extended coordinates (X : Y : Z : T),
T = X Y / Z (Hisil, Wong, Carter, Dawson 2008, section 3). A point to be added lies in the
operand slots as y + x, y - x, 2 d x y (times Z for a cached point) and 2 Z is formed there.
"""

# Slots of the memory; firmware/tag/ed25519/point.py names the same numbers.
SLOTS = {
    "X": 0, "Y": 1, "Z": 2, "T": 3,
    "a": 4, "b": 5, "c": 6, "d": 7, "e": 8, "f": 9, "g": 10, "h": 11,
    "ypx": 12, "ymx": 13, "t2d": 14, "qz": 15,
    # Used by verification only: a second point and constants.
    "NX": 16, "NY": 17, "NZ": 18, "NT": 19,
    "D": 20, "D2": 21, "ONE": 22, "ROOT": 23,
    "u": 24, "v": 25, "v3": 26, "w": 27, "x": 28, "ZERO": 29,
}  # fmt: skip
OPERATIONS = {"mul": 0, "sqr": 1, "add": 2, "sub": 3, "addc": 4}
LOOSE_AT_ENTRY = {"t2d"}  # a negated table entry is 64 p - value, not carried

_ADD_HEAD = "sub a Y X; add b Y X; mul a a ymx; mul b b ypx; mul c T t2d; "
_ADD_TAIL = "sub e b a; sub f b a; sub g d c; addc h d c; mul X e g; mul Y h f; mul Z g h"
_DOUBLE = (
    "sqr a X 1; sqr b Y 1; sqr c Z 1; addc d X Y; sqr d d 1; addc e b a; sub f b a; "
    "sub g d e; add c c c; sub h c f; mul X g h; mul Y e f; mul Z f h"
)
# z**(2**250 - 1) of slot Z into d, with z**11 in c and z**2 in a (the usual chain of 250 squarings).
_POWER_250 = (
    "sqr a Z 1; sqr b a 2; mul b b Z; mul c a b; sqr d c 1; mul d d b; sqr e d 5; mul d e d; "
    "sqr e d 10; mul e e d; sqr f e 20; mul e f e; sqr e e 10; mul d e d; sqr e d 50; mul e e d; "
    "sqr f e 100; mul e f e; sqr e e 50; mul d e d; "
)

PROGRAMS = {
    "ADD_AFFINE": (
        "Adds the affine operand (comb entry).",
        _ADD_HEAD + "add d Z Z; " + _ADD_TAIL.replace("sub f b a; ", "addc f b a; ").replace(
            "mul Y h f", "mul Y h f"
        )
        + "; mul T e f",
    ),
}


def assemble(text: str) -> bytes:
    return b""
