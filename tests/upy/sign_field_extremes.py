# SPDX-License-Identifier: MIT
"""Field operations at the extreme limbs their bounds allow, against Python integers."""

import random
from array import array

from tag.ed25519.field_vm import run_program
from tag.ed25519.limbs import bytes_from_limbs, make_canonical

P = 2**255 - 19
TIGHT_MAX = 8192
LOOSE_MAX = 16384
BIAS = [15168] + [16382] * 19
MUL, SQR, ADD, SUB, ADDC = range(5)
memory = array("I", [0] * 100)
scratch = array("I", [0] * 84)


def value(limbs):
    return sum(limb << (13 * k) for k, limb in enumerate(limbs))


def put(slot, limbs):
    for k, limb in enumerate(limbs):
        memory[20 * slot + k] = limb


def get(slot):
    return [memory[20 * slot + k] for k in range(20)]


def run(operation, first, last):
    """Target is slot 4, so that both operands stay."""
    run_program(4, scratch, memory, bytes([operation, 4, first, last]))
    return get(4)


def canonical(limbs):
    copy = array("I", limbs)
    make_canonical(copy)
    out = bytearray(32)
    bytes_from_limbs(out, 32, copy, 20)
    return int.from_bytes(out, "little")


def check(name, limbs, expected, is_tight=True):
    assert canonical(limbs) == expected % P, (name, limbs)
    if is_tight:
        assert max(limbs) <= TIGHT_MAX, (name, limbs)


def shapes(top):
    """All at the top, one at the top, alternating, then random."""
    yield [top] * 20
    yield [0] * 20
    for k in range(20):
        yield [top if j == k else 0 for j in range(20)]
    yield [top if j & 1 else 0 for j in range(20)]
    for _ in range(40):
        yield [random.choice((0, 1, top - 1, top, random.randrange(top + 1))) for _ in range(20)]


random.seed(20)
count = 0
for a in shapes(TIGHT_MAX):
    put(1, a)
    check("sqr", run(SQR, 1, 1), value(a) ** 2)
    for b in shapes(LOOSE_MAX):
        put(2, b)
        check("mul", run(MUL, 1, 2), value(a) * value(b))
        check("mul", run(MUL, 2, 1), value(a) * value(b))
        check("sub", run(SUB, 2, 1), value(b) - value(a))
        check("addc", run(ADDC, 2, 2), 2 * value(b))
        count += 1
    for b in shapes(TIGHT_MAX):
        put(2, b)
        check("add", run(ADD, 1, 2), value(a) + value(b), is_tight=False)
for number in (0, 1, 18, 19, P - 1, P, P + 1, P + 18, 2**255 - 1):
    limbs = [number >> (13 * k) & 8191 for k in range(20)]
    assert canonical(limbs) == number % P, number
    put(1, limbs)
    check("sqr", run(SQR, 1, 3), pow(number, 8, P))
assert value(BIAS) % P == 0
print("ok", count)
