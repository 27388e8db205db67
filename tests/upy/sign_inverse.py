# SPDX-License-Identifier: MIT
"""Inversion by division steps against its definition: edges and random numbers."""

import random
from array import array

from tag.ed25519.inverse import invert
from tag.ed25519.limbs import make_canonical

P = 2**255 - 19
work = array("I", [0xFFFFFFFF] * 80)


def inverse_of(number):
    z = array("I", [number >> (13 * k) & 8191 for k in range(20)])
    invert(0, work, z)
    assert sum(limb << (13 * k) for k, limb in enumerate(z)) < 110 * P
    make_canonical(z)
    return sum(limb << (13 * k) for k, limb in enumerate(z))


random.seed(23)
numbers = [
    1,
    2,
    3,
    4,
    19,
    38,
    P - 1,
    P - 2,
    P - 19,
    (P + 1) // 2,
    (P - 1) // 2,
    2**254,
    2**254 - 1,
]
numbers += [1 << k for k in range(255)] + [P - (1 << k) for k in range(255)]
numbers += [(1 << k) - 1 for k in range(1, 255)]
# Numbers with very large and very small quotients, and limbs of one pattern.
numbers += [P // k for k in range(2, 40)] + [P // (2**k + 1) for k in range(1, 250, 7)]
for limb in (1, 8191, 4096, 4095, 5461):
    numbers.append(sum(limb << (13 * k) for k in range(20)) % P)
numbers += [
    int.from_bytes(bytes(random.getrandbits(8) for _ in range(32)), "big") % P for _ in range(2000)
]
for number in numbers:
    assert inverse_of(number) * number % P == 1, number
assert inverse_of(0) == 0
print("ok", len(numbers))
