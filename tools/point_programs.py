# SPDX-License-Identifier: MIT
"""Source of the field VM's programs (point addition, doubling, inversion) and their assembler.

Curve -x**2 + y**2 = 1 + d x**2 y**2 in extended coordinates (X : Y : Z : T), T = X Y / Z, after
Hisil, Wong, Carter and Dawson (2008), section 3. The operand of an addition lies in the slots
ypx = y + x, ymx = y - x, t2d = 2 d x y (2 d T of a cached point, whose Z lies in qz).
"""

# Slots of the memory. firmware/tag/ed25519/slots.py names the same numbers; a test compares.
SLOTS = {
    "X": 0, "Y": 1, "Z": 2, "T": 3,
    "a": 4, "b": 5, "c": 6, "d": 7, "e": 8, "h": 9, "f": 10, "g": 11,
    "ypx": 12, "ymx": 13, "t2d": 14, "qz": 15,
    # From here on used by verification only: -A, constants, temporaries of the square root.
    "NX": 16, "NY": 17, "NZ": 18, "NT": 19,
    "D": 20, "D2": 21, "ONE": 22, "ROOT": 23,
    "u": 24, "v": 25, "v3": 26, "w": 27, "x": 28, "ZERO": 29,
}  # fmt: skip
OPERATIONS = {"mul": 0, "sqr": 1, "add": 2, "sub": 3, "addc": 4}
_LOOSE_AT_ENTRY = {"t2d"}  # a negated table entry is 64 p - value and stays uncarried

_ADD_HEAD = "sub a Y X; add b Y X; mul a a ymx; mul b b ypx; mul c T t2d"
_ADD_TAIL = "sub e b a; add h b a; sub f d c; addc g d c; mul X e f; mul Y g h; mul Z f g"
_DOUBLE = (
    "sqr a X 1; sqr b Y 1; sqr c Z 1; addc d X Y; sqr d d 1; addc h b a; sub g b a; "
    "sub e d h; add c c c; sub f c g; mul X e f; mul Y h g; mul Z g f"
)
# Z**(2**250 - 1) into d; leaves Z**11 in c and Z**9 in b (the usual chain).
_POWER_250 = (
    "sqr a Z 1; sqr b a 2; mul b b Z; mul c a b; sqr d c 1; mul d d b; sqr e d 5; mul d e d; "
    "sqr e d 10; mul e e d; sqr h e 20; mul e h e; sqr e e 10; mul d e d; sqr e d 50; "
    "mul e e d; sqr h e 100; mul e h e; sqr e e 50; mul d e d"
)

# name -> (comment, text)
PROGRAMS = {
    "START": (
        "The affine operand becomes the point, Z = 4 being set by the caller: saves 6 mul.",
        "sub e ypx ymx; addc h ypx ymx; addc X e e; addc Y h h; mul T e h",
    ),
    "ADD_AFFINE": (
        "Adds the affine operand.",
        f"{_ADD_HEAD}; add d Z Z; {_ADD_TAIL}; mul T e h",
    ),
    "ADD_AFFINE_NO_T": (
        "The same where a doubling or the end follows: T is not needed.",
        f"{_ADD_HEAD}; add d Z Z; {_ADD_TAIL}",
    ),
    "ADD_CACHED": (
        "Adds the cached operand, whose Z is in qz.",
        f"{_ADD_HEAD}; mul d Z qz; add d d d; {_ADD_TAIL}; mul T e h",
    ),
    "DOUBLE": ("Doubles the point.", f"{_DOUBLE}; mul T e h"),
    "DOUBLE_NO_T": ("The same where another doubling follows.", _DOUBLE),
    "TO_AFFINE": (
        "x into X and y into Y: Z**(p - 2) = Z**(2**255 - 21), then two products.",
        f"{_POWER_250}; sqr d d 5; mul f d c; mul X X f; mul Y Y f",
    ),
    "CURVE_RATIO": (
        "y in NY: u = y**2 - 1, v = d y**2 + 1, v3 = v**3, Z = u v**7.",
        "sqr u NY 1; mul v u D; sub u u ONE; addc v v ONE; sqr v3 v 1; mul v3 v3 v; "
        "sqr w v3 1; mul w w v; mul Z w u",
    ),
    "ROOT_CANDIDATE": (
        "x = u v**3 (u v**7)**((p - 5)/8), a = v x**2 - u, b = v x**2 + u (RFC 8032 5.1.3).",
        f"{_POWER_250}; sqr d d 2; mul f d Z; mul x f v3; mul x x u; "
        "sqr w x 1; mul w w v; sub a w u; addc b w u",
    ),
    "OTHER_ROOT": ("x times the square root of -1.", "mul x x ROOT"),
    "NEGATE_ROOT": ("x becomes -x.", "sub x ZERO x"),
    "FINISH_POINT": ("NX = x, NT = x y.", "addc NX x ZERO; mul NT x NY"),
    "CACHE": (
        "The point as an operand in ypx, ymx, t2d, qz.",
        "sub ymx Y X; addc ypx Y X; mul t2d T D2; addc qz Z ZERO",
    ),
    "NEGATE_OPERAND": (
        "The negated operand: ymx and ypx change places through a.",
        "addc a ypx ZERO; addc ypx ymx ZERO; addc ymx a ZERO; sub t2d ZERO t2d",
    ),
}
_TEMPORARIES = set("abcdefgh")
# Programs that meet the negated t2d of a cached point start with a tight one.
_TIGHT_ENTRY = {"NEGATE_OPERAND"}


def assemble(name: str) -> bytes:
    """Returns program *name* as bytes, four a step.

    Raises ValueError where a step would break the classes on which the bounds rest.
    """
    loose = set() if name in _TIGHT_ENTRY else set(_LOOSE_AT_ENTRY)
    written: set[str] = set()
    code = bytearray()
    for step in PROGRAMS[name][1].split(";"):
        operation, target, first, second = step.split()
        # Temporaries carry nothing from one program to the next, so their class is known.
        if {first, second} & _TEMPORARIES - written:
            raise ValueError(f"{name}: {step.strip()!r} reads a temporary never written")
        written.add(target)
        _check_classes(name, step, loose)
        is_loose = operation == "add"
        (loose.add if is_loose else loose.discard)(target)
        last = int(second) if operation == "sqr" else SLOTS[second]
        code += bytes([OPERATIONS[operation], SLOTS[target], SLOTS[first], last])
    if loose - _LOOSE_AT_ENTRY - _TEMPORARIES:
        raise ValueError(f"{name}: a loose number leaves the program in {loose}")
    return bytes(code)


def _check_classes(name: str, step: str, loose: set[str]) -> None:
    operation, _, first, second = step.split()
    broken = {
        "mul": first in loose and second in loose,
        "sqr": first in loose,
        "add": first in loose or second in loose,
        "sub": second in loose,
        "addc": False,
    }[operation]
    if broken:
        raise ValueError(f"{name}: {step.strip()!r} takes a loose number it may not")
