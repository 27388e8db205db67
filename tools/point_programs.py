# SPDX-License-Identifier: MIT
"""Source of the field VM's programs (point addition, doubling, decoding) and their assembler.

Curve -x**2 + y**2 = 1 + d x**2 y**2 in extended coordinates (X : Y : Z : T), T = X Y / Z, after
Hisil, Wong, Carter and Dawson (2008), section 3. The operand of an addition lies in the slots
ypx = y + x, ymx = y - x, t2d = 2 d x y (2 d T of a cached point, whose Z lies in qz).
"""

from field_bounds import BIAS_WEIGHT, PRODUCT_WEIGHT_MAX, SUM_WEIGHT_MAX

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
OPERATIONS = {"mul": 0, "sqr": 1, "add": 2, "sub": 3, "addc": 4, "subc": 5}
# A negated table entry is 64 p - value and stays uncarried.
_WEIGHT_AT_ENTRY = {"t2d": BIAS_WEIGHT}

# In e f, g h, f g, e h each product has one factor of {e, g} and one of {f, h}: so one pair may
# be heavy if the other is carried.
_ADD_HEAD = "sub a Y X; add b Y X; mul a a ymx; mul b b ypx; mul c T t2d"
_ADD_TAIL = "sub e b a; addc h b a; subc f d c; add g d c; mul X e f; mul Y g h; mul Z f g"
# The operand negated: ypx and ymx change places, c its sign. Cached operands only (t2d carried).
_SUB_HEAD = "sub a Y X; add b Y X; mul a a ypx; mul b b ymx; mul c T t2d"
_SUB_TAIL = "sub e b a; addc h b a; addc f d c; sub g d c; mul X e f; mul Y g h; mul Z f g"
# 2 X Y as a product: (X + Y)**2 - X**2 - Y**2 saves M - S but costs two carried sums.
_DOUBLE = (
    "sqr a X 1; sqr b Y 1; sqr c Z 1; add e X X; mul e e Y; add h b a; subc g b a; "
    "add c c c; subc f c g; mul X e f; mul Y h g; mul Z f g"
)
# Z**(2**250 - 1) into d (the usual chain).
_POWER_250 = (
    "sqr a Z 1; sqr b a 2; mul b b Z; mul c a b; sqr d c 1; mul d d b; sqr e d 5; mul d e d; "
    "sqr e d 10; mul e e d; sqr h e 20; mul e h e; sqr e e 10; mul d e d; sqr e d 50; "
    "mul e e d; sqr h e 100; mul e h e; sqr e e 50; mul d e d"
)

# name -> (comment, text)
PROGRAMS = {
    "START": (
        "The affine operand becomes the point, Z = 4 being set by the caller: saves 6 mul.",
        "subc e ypx ymx; addc h ypx ymx; addc X e e; addc Y h h; mul T e h",
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
        "Adds the cached operand, whose 2 Z is in qz.",
        f"{_ADD_HEAD}; mul d Z qz; {_ADD_TAIL}; mul T e h",
    ),
    "ADD_CACHED_NO_T": (
        "The same where a doubling follows.",
        f"{_ADD_HEAD}; mul d Z qz; {_ADD_TAIL}",
    ),
    "SUBTRACT_CACHED": (
        "Subtracts the cached operand.",
        f"{_SUB_HEAD}; mul d Z qz; {_SUB_TAIL}; mul T e h",
    ),
    "SUBTRACT_CACHED_NO_T": (
        "The same where a doubling follows.",
        f"{_SUB_HEAD}; mul d Z qz; {_SUB_TAIL}",
    ),
    "DOUBLE": ("Doubles the point.", f"{_DOUBLE}; mul T e h"),
    "DOUBLE_NO_T": ("The same where another doubling follows.", _DOUBLE),
    "TO_AFFINE": (
        "x into X and y into Y: Z holds 1 / Z, from inverse.py.",
        "mul X X Z; mul Y Y Z",
    ),
    "Y_MINUS_Z": ("Y becomes zero exactly for the neutral element.", "subc Y Y Z"),
    "CURVE_RATIO": (
        "y in NY: u = y**2 - 1, v = d y**2 + 1, v3 = v**3, Z = u v**7.",
        "sqr u NY 1; mul v u D; subc u u ONE; addc v v ONE; sqr v3 v 1; mul v3 v3 v; "
        "sqr w v3 1; mul w w v; mul Z w u",
    ),
    "ROOT_CANDIDATE": (
        "x = u v**3 (u v**7)**((p - 5)/8), a = v x**2 - u, b = v x**2 + u (RFC 8032 5.1.3).",
        f"{_POWER_250}; sqr d d 2; mul f d Z; mul x f v3; mul x x u; "
        "sqr w x 1; mul w w v; subc a w u; addc b w u",
    ),
    "OTHER_ROOT": ("x times the square root of -1.", "mul x x ROOT"),
    "NEGATE_ROOT": ("x becomes -x.", "subc x ZERO x"),
    "FINISH_POINT": ("NX = x, NT = x y.", "addc NX x ZERO; mul NT x NY"),
    "CACHE": (
        "The point as an operand in ypx, ymx, t2d, qz.",
        "subc ymx Y X; addc ypx Y X; mul t2d T D2; addc qz Z Z",
    ),
}
_TEMPORARIES = set("abcdefgh")


def assemble(name: str) -> bytes:
    """Returns program *name* as bytes, four a step.

    Raises ValueError where a step would break the weights on which the bounds rest.
    """
    weights = dict(_WEIGHT_AT_ENTRY)
    written: set[str] = set()
    code = bytearray()
    for step in PROGRAMS[name][1].split(";"):
        operation, target, first, second = step.split()
        # Temporaries carry nothing from one program to the next, so their weight is known.
        if {first, second} & _TEMPORARIES - written:
            raise ValueError(f"{name}: {step.strip()!r} reads a temporary never written")
        written.add(target)
        weights[target] = _weight_after(name, step, weights)
        last = int(second) if operation == "sqr" else SLOTS[second]
        code += bytes([OPERATIONS[operation], SLOTS[target], SLOTS[first], last])
    heavy = {slot for slot, weight in weights.items() if weight > 1}
    if heavy - set(_WEIGHT_AT_ENTRY) - _TEMPORARIES:
        raise ValueError(f"{name}: a heavy number leaves the program in {heavy}")
    return bytes(code)


def _weight_after(name: str, step: str, weights: dict[str, int]) -> int:
    """The weight of the step's result. Raises ValueError for operands it may not take."""
    operation, _, first, second = step.split()
    a, b = weights.get(first, 1), weights.get(second, 1)
    total = a + (BIAS_WEIGHT if operation.startswith("sub") else b)
    is_allowed = {
        "mul": a * b <= PRODUCT_WEIGHT_MAX,
        "sqr": a == 1,
        "add": total <= PRODUCT_WEIGHT_MAX,
        "sub": total <= PRODUCT_WEIGHT_MAX and b == 1,
        "addc": total <= SUM_WEIGHT_MAX,
        "subc": total <= SUM_WEIGHT_MAX and b == 1,
    }[operation]
    if not is_allowed:
        raise ValueError(f"{name}: {step.strip()!r} takes a number too heavy for it")
    return total if operation in ("add", "sub") else 1
