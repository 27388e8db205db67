# SPDX-License-Identifier: MIT
"""Verification's short factors and their digits, against their definition, edges first."""

import random

from tag.ed25519 import verify

L = 2**252 + 27742317777372353535851937790883648493
random.seed(22)
edges = [0, 1, 2, 7, 8, 9, L - 1, L - 2, L // 3, L >> 1, L // 8, 2**127, 2**128 - 1, 2**128]
edges += [2**128 + 1, 2**129, 2**252 - 1, 2**252, 3 * 2**126, (1 << 251) // 5]
randoms = [
    int.from_bytes(bytes(random.getrandbits(8) for _ in range(40)), "big") % L for _ in range(2000)
]
size_max = 0
for index, k in enumerate(edges + randoms):
    r, t = verify.halve_size(k)
    # The congruence, and what makes t cancel nothing: odd and below L, so prime to 8 L.
    assert (t * k - r) % (8 * L) == 0, k
    assert t & 1 and 0 < abs(t) < L and r >= 0, k
    if index >= len(edges):
        size_max = max(size_max, r, abs(t))
    sums = [0, 0]
    for bit, operands in verify._digits_by_bit(r, t).items():
        for operand in operands:
            number = abs(operand) - 1
            digit = 2 * (number & 3) + 1
            sums[number >> 2] += (digit if operand > 0 else -digit) << bit
    assert sums == [r, t], k
assert size_max < 2**146, size_max
print("ok")
