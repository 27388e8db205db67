# SPDX-License-Identifier: MIT
"""Field operations at the extreme limbs their weights allow, against Python integers.

A number of weight w has limbs up to w * 8192 (tools/generate_field_vm.py). Every operation meets
all limbs at that value, single ones, alternating ones and a random mix of edges.
"""

import random
from array import array

from tag.ed25519.field_vm import run_program
from tag.ed25519.limbs import bytes_from_limbs, make_canonical

P = 2**255 - 19
UNIT = 8192
BIAS = [15168] + [16382] * 19
MUL, SQR, ADD, SUB, ADDC, SUBC = range(6)
memory = array("I", [0] * 100)
scratch = array("I", [0] * 160)


def value(limbs):
    return sum(limb << (13 * k) for k, limb in enumerate(limbs))


def put(slot, limbs):
    for k, limb in enumerate(limbs):
        memory[20 * slot + k] = limb


def get(slot):
    return [memory[20 * slot + k] for k in range(20)]


def run(operation, first, last, target=4):
    """Target is slot 4, so that both operands stay."""
    run_program(4, scratch, memory, bytes([operation, target, first, last]))
    return get(target)


def canonical(limbs):
    copy = array("I", limbs)
    make_canonical(copy)
    out = bytearray(32)
    bytes_from_limbs(out, 32, copy, 20)
    return int.from_bytes(out, "little")


def check(name, limbs, expected, weight=1):
    assert value(limbs) % P == expected % P, (name, limbs)
    assert canonical(limbs) == expected % P, (name, limbs)
    assert max(limbs) <= weight * UNIT, (name, limbs)


def shapes(weight, random_count=20):
    """All at the top, none, one at the top, alternating, halves, then a random mix of edges."""
    top = weight * UNIT
    yield [top] * 20
    yield [0] * 20
    for k in range(20):
        yield [top if j == k else 0 for j in range(20)]
        yield [0 if j == k else top for j in range(20)]
    yield [top if j & 1 else 0 for j in range(20)]
    yield [top if j < 10 else 0 for j in range(20)]
    yield [top if j >= 10 else 0 for j in range(20)]
    for _ in range(random_count):
        yield [random.choice((0, 1, top - 1, top, random.randrange(top + 1))) for _ in range(20)]


def put_pair(a, b):
    put(1, a)
    put(2, b)
    return value(a), value(b)


random.seed(20)
count = 0
light = list(shapes(1))
heavy = list(shapes(3))
for a in light:
    put(1, a)
    check("sqr", run(SQR, 1, 1), value(a) ** 2)
    for b in heavy:
        x, y = put_pair(a, b)
        check("mul", run(MUL, 1, 2), x * y)
        check("mul", run(MUL, 2, 1), x * y)
        count += 2
for a in shapes(1, 5):
    for b in shapes(1, 5):
        x, y = put_pair(a, b)
        check("add", run(ADD, 1, 2), x + y, weight=2)
        check("sub", run(SUB, 1, 2), x - y, weight=3)
        for k, limb in enumerate(get(4)):  # no limb borrowed: each is minuend + bias - subtrahend
            assert limb == a[k] + BIAS[k] - b[k]
        count += 2
for a in shapes(2, 5):
    for b in shapes(1, 5):
        x, y = put_pair(a, b)
        check("add", run(ADD, 1, 2), x + y, weight=3)
        count += 1
lists = list(shapes(4, 100)), list(shapes(4, 100))
for index, a in enumerate(lists[0]):
    x, y = put_pair(a, lists[1][index])
    check("addc", run(ADDC, 1, 2), x + y)
    check("addc", run(ADDC, 1, 1), 2 * x)
for a in shapes(6, 5):
    for b in shapes(1, 5):
        x, y = put_pair(a, b)
        check("subc", run(SUBC, 1, 2), x - y)
        count += 1
# The target may be an operand, and squaring may repeat.
for number in (0, 1, 18, 19, P - 1, P, P + 1, P + 18, 2**255 - 1, 2**255, 2**260 - 1):
    limbs = [number >> (13 * k) & 8191 for k in range(20)]
    assert canonical(limbs) == number % P, number
    put(1, limbs)
    check("sqr", run(SQR, 1, 3), pow(number, 8, P))
    check("mul", run(MUL, 1, 1, target=1), number * number)
    check("subc", run(SUBC, 1, 1, target=1), 0)
assert value(BIAS) % P == 0
# The words that make all columns of the reduction's passes alike.
assert not any(scratch[k] for k in [79, 119] + list(range(120, 130)) + list(range(150, 160)))
print("ok", count)
