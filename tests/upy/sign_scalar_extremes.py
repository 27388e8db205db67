# SPDX-License-Identifier: MIT
"""Arithmetic modulo the group order at its edges, against Python integers."""

import random

from tag.ed25519.scalar import ScalarField, new_scalar, store

L = 2**252 + 27742317777372353535851937790883648493
field = ScalarField()
out = bytearray(32)


def load(number, size=64):
    scalar = new_scalar()
    field.load(scalar, number.to_bytes(size, "little"), size)
    return scalar


def value(scalar):
    store(out, scalar)
    return int.from_bytes(out, "little")


random.seed(21)
edges = [0, 1, 2, L - 1, L, L + 1, 2 * L - 1, 2 * L, 2**252, 2**255, 2**256 - 1, 2**260 - 1]
edges += [2**260, 2**512 - 1, 2**511, (2**512 // L) * L, (2**512 // L) * L - 1]
edges += [
    int.from_bytes(bytes(random.getrandbits(8) for _ in range(64)), "big") for _ in range(60)
]
for number in edges:
    scalar = load(number)
    assert value(scalar) == number % L, number
    digits = bytearray(33)
    field.to_comb(digits, scalar)
    signs = int.from_bytes(digits, "little")
    # 264 digits, each +1 or -1.
    assert (2 * signs - (2**264 - 1)) % L == number % L, number
    if number < 2**256:
        canonical = field.is_canonical(number.to_bytes(32, "little"))
        assert canonical == (number < L), number
for a in edges:
    left = load(a)
    factor = new_scalar()
    field.to_montgomery(factor, left)
    for b in edges[:20]:
        right = load(b)
        result = new_scalar()
        field.multiply_montgomery(result, right, factor)
        assert value(result) == a * b % L, (a, b)
        field.add(result, left, right)
        assert value(result) == (a + b) % L, (a, b)
field.wipe()
assert not any(field._columns) and not any(field._sum)
print("ok")
