# SPDX-License-Identifier: MIT
"""Proves that no intermediate value of the field VM leaves 32 bits, by interval arithmetic.

Every step of the generated code is repeated here on upper bounds instead of values (lower
bounds are zero: all limbs are unsigned). A number of weight w has limbs <= w * 8192. The bounds of
weight 1 are a fixed point: what mul, sqr, addc and subc make of the heaviest inputs that they may
take is again of weight 1.
"""

from typing import NamedTuple

LIMB_COUNT = 20
HALF = LIMB_COUNT // 2
LIMB_BITS = 13
MASK = (1 << LIMB_BITS) - 1
UNIT = 1 << LIMB_BITS  # a number of weight w has limbs <= w * UNIT
P = 2**255 - 19
FOLD = 608  # 2**260 = 2**5 * 2**255 = 32 * 19 (mod p)
WORD_MAX = 2**32 - 1
PRODUCT_WEIGHT_MAX = 3  # product of the weights of mul's operands
BIAS_WEIGHT = 2  # what sub and subc add to the minuend's weight
SUM_WEIGHT_MAX = 8  # of a sum that addc or subc carry; the programs need 4

Limbs = list[int]  # upper bound of each limb


class Bounds(NamedTuple):
    """What was proved: the limbs of weight 1 and the largest value of each stage."""

    tight: Limbs
    column_max: int
    fold_max: int
    square_max: int
    sum_max: int

    def as_text(self) -> str:
        return "\n".join(
            [
                f"  limbs of a number of weight w are <= {UNIT} w;",
                f"  a column of 20 products, weights 1, {PRODUCT_WEIGHT_MAX}: {self.column_max};",
                f"  low column + 608 x carried high column + carry: {self.fold_max};",
                f"  a column of a square, weight 1: {self.square_max};",
                f"  a sum that is carried, weight {SUM_WEIGHT_MAX}: {self.sum_max};",
                "  sub adds 64 p, limb by limb: limbs 15168, 16382, ... >= any of weight 1.",
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


def product_bounds(a: Limbs, b: Limbs) -> Limbs:
    """Bounds of the 39 columns of a product; partial sums are smaller than full ones.

    Karatsuba's parts z0, z2 and zm - z0 - z2 are partial sums of these columns. zm alone is not:
    it is only ever stored (32 bits) and subtracted from, so it needs no bound.
    """
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
    """Checks each operation at its heaviest operands. Raises ValueError where a value leaves
    32 bits or a result has more than weight 1."""
    tight = [UNIT] * LIMB_COUNT
    if any(limb > bias for limb, bias in zip(tight, subtraction_bias(), strict=True)):
        raise ValueError("a subtrahend could exceed the bias")
    if max(subtraction_bias()) > BIAS_WEIGHT * UNIT:
        raise ValueError("the bias is heavier than stated")
    product = product_bounds(tight, [PRODUCT_WEIGHT_MAX * UNIT] * LIMB_COUNT)
    square = product_bounds(tight, tight)
    total = [SUM_WEIGHT_MAX * UNIT] * LIMB_COUNT
    limbs, fold_max = reduced(product)
    for name, out in (("mul", limbs), ("sqr", reduced(square)[0]), ("sum", carried_sum(total))):
        if any(limb > bound for limb, bound in zip(out, tight, strict=True)):
            raise ValueError(f"a result of {name} has more than weight 1")
    return Bounds(tight, max(product), fits(fold_max), max(square), max(total))
