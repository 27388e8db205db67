# SPDX-License-Identifier: MIT
"""Proves that no intermediate value of the field VM leaves 32 bits, by interval arithmetic.

Every step of the generated code is repeated here on upper bounds instead of values (lower
bounds are zero: all limbs are unsigned). The bounds of "tight" numbers are a fixed point: the
outputs of mul, sqr, sub and addc, computed from tight and loose inputs, are again tight.
"""

from typing import NamedTuple

LIMB_COUNT = 20
LIMB_BITS = 13
MASK = (1 << LIMB_BITS) - 1
P = 2**255 - 19
FOLD = 608  # 2**260 = 2**5 * 2**255 = 32 * 19 (mod p)
WORD_MAX = 2**32 - 1

Limbs = list[int]  # upper bound of each limb


class Bounds(NamedTuple):
    """What was proved: limb bounds of both classes and the largest value of each stage."""

    tight: Limbs
    loose: Limbs
    column_max: int
    fold_max: int
    square_max: int

    def as_text(self) -> str:
        return "\n".join(
            [
                f"  tight limbs are <= {max(self.tight)}, loose ones <= {max(self.loose)};",
                f"  a column of 20 products tight x loose, with its row sum: {self.column_max};",
                f"  low column + 608 x carried high column + carry: {self.fold_max};",
                f"  a column of a square (tight only, doubled limb): {self.square_max};",
                "  sub adds 64 p, limb by limb, first: limbs 15168, 16382, ... >= any tight limb.",
            ]
        )


def subtraction_bias() -> Limbs:
    """The limbs of 64 p, each as large as can be, so that no difference is negative."""
    bias = [15168] + [2 * MASK] * (LIMB_COUNT - 1)
    if sum(limb << (LIMB_BITS * k) for k, limb in enumerate(bias)) != 64 * P:
        raise ValueError("the bias is not 64 p")
    return bias


def fits(value: int) -> int:
    """Passes *value* on when a 32-bit word holds it; the proof fails otherwise."""
    if not 0 <= value <= WORD_MAX:
        raise ValueError(f"{value} does not fit 32 bits")
    return value


def columns(a: Limbs, b: Limbs) -> Limbs:
    """Bounds of the 39 columns of a product; partial sums are smaller than full ones."""
    out = [0] * (2 * LIMB_COUNT - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] = fits(out[i + j] + x * y)
    return out


def carried(limbs: Limbs, carry: int = 0) -> tuple[Limbs, int]:
    """One carry pass: (limbs, carry out)."""
    out = []
    for limb in limbs:
        total = fits(limb + carry)
        out.append(min(total, MASK))
        carry = total >> LIMB_BITS
    return out, carry


def reduced(product: Limbs) -> tuple[Limbs, int]:
    """Bounds after the reduction of a product: (limbs, largest folded sum)."""
    high, top = carried(product[LIMB_COUNT:])
    folded = [
        fits(low + fits(FOLD * h))
        for low, h in zip(product[:LIMB_COUNT], [*high, top], strict=True)
    ]
    limbs, carry = carried(folded)
    head, carry = carried([fits(limbs[0] + fits(carry * FOLD)), *limbs[1:3]])
    # The largest sum met includes the carry that arrives from the limb below.
    return [*head, limbs[3] + carry, *limbs[4:]], max(folded) + (WORD_MAX >> LIMB_BITS)


def carried_sum(limbs: Limbs) -> Limbs:
    """Bounds after the carry pass of sub and addc."""
    out, carry = carried(limbs)
    head, carry = carried([fits(out[0] + carry * FOLD)])
    return [head[0], out[1] + carry, *out[2:]]


def prove_bounds() -> Bounds:
    """Finds the fixed point. Raises ValueError when a value could leave 32 bits."""
    bias = subtraction_bias()
    tight = [MASK] * LIMB_COUNT
    for _ in range(10):
        # Loose is a sum of two tight numbers or a negated canonical table entry.
        loose = [max(2 * limb, b) for limb, b in zip(tight, bias, strict=True)]
        if any(limb > b for limb, b in zip(tight, bias, strict=True)):
            raise ValueError("a subtrahend could exceed the bias")
        product = columns(tight, loose)
        square = columns(tight, tight)
        outputs = [
            reduced(product)[0],
            reduced(square)[0],
            carried_sum([a + b for a, b in zip(loose, bias, strict=True)]),
            carried_sum([a + b for a, b in zip(loose, loose, strict=True)]),
        ]
        grown = [max(limbs) for limbs in zip(tight, *outputs, strict=True)]
        if grown == tight:
            fold_max = fits(reduced(product)[1])
            return Bounds(tight, loose, max(product), fold_max, max(square))
        tight = grown
    raise ValueError("the bounds do not settle")
