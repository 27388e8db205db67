# SPDX-License-Identifier: MIT
"""Field code at its extreme limbs on the chips' machine code: where 32 bits are all there is.

The unix port's registers have 64 bits, so only these runs show that a sum which passes 32 bits
is cut where the code says. tests/cost executes what mpy-cross emits for ESP32-C3 and ESP32.
"""

import random
from array import array
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.cost.firmware_import import import_firmware
from tests.cost.machine import Machine
from tests.cost.unicorn_rv32 import UnicornMachine
from tests.cost.viper_module import MACHINES
from tests.cost.xtensa import XtensaMachine
from tests.upy import ed25519_edges

P = 2**255 - 19
UNIT = 8192
MUL, SQR, ADD, SUB, ADDC, SUBC = range(6)
each_machine = pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.__name__)
Limbs = list[int]


@cache
def _modules(kind: type[Machine]) -> tuple[Any, Any, Any]:
    machine = kind()
    names = ("sign", "inverse", "limbs")
    sign, inverse, limbs = (import_firmware(machine, f"tag.ed25519.{name}") for name in names)
    return sign, inverse, limbs


def _value(limbs: Limbs) -> int:
    return sum(limb << 13 * k for k, limb in enumerate(limbs))


def _shapes(weight: int) -> Iterator[Limbs]:
    """All limbs at the top, one half, alternating, one missing, then a random mix of edges."""
    rng = random.Random(weight)
    top = weight * UNIT
    yield [top] * 20
    yield [top] * 10 + [0] * 10
    yield [0] * 10 + [top] * 10
    yield [top, 0] * 10
    for missing in (0, 9, 10, 19):
        yield [0 if k == missing else top for k in range(20)]
    for _ in range(6):
        yield [rng.choice((0, 1, top - 1, top, rng.randrange(top + 1))) for _ in range(20)]


def _run(kind: type[Machine], operation: int, a: Limbs, b: Limbs) -> Limbs:
    point = _modules(kind)[0].engine().point
    for slot, limbs in ((5, a), (6, b)):
        point.memory[slot * 20 : slot * 20 + 20] = array("I", limbs)
    last = 1 if operation == SQR else 6
    point.run(bytes([operation, 4, 5, last]))
    return list(point.memory[80:100])


# operation, weights of its operands at their limit, weight of the result, what it computes
OPERATIONS = [
    (MUL, 1, 3, 1, lambda a, b: a * b),
    (MUL, 3, 1, 1, lambda a, b: a * b),
    (SQR, 1, 1, 1, lambda a, _: a * a),
    (ADD, 1, 2, 3, lambda a, b: a + b),
    (SUB, 1, 1, 3, lambda a, b: a - b),
    (ADDC, 4, 4, 1, lambda a, b: a + b),
    (ADDC, 7, 1, 1, lambda a, b: a + b),
    (SUBC, 6, 1, 1, lambda a, b: a - b),
]


@each_machine
@pytest.mark.parametrize(
    ("operation", "weight_a", "weight_b", "weight", "expected"),
    OPERATIONS,
    ids=["mul_1_3", "mul_3_1", "sqr", "add", "sub", "addc_4_4", "addc_7_1", "subc"],
)
def test_field_operations_hold_at_the_extreme_limbs_on(
    kind: type[Machine], operation: int, weight_a: int, weight_b: int, weight: int, expected: Any
) -> None:
    for a in _shapes(weight_a):
        for b in _shapes(weight_b):
            out = _run(kind, operation, a, b)
            assert _value(out) % P == expected(_value(a), _value(b)) % P, (a, b)
            assert max(out) <= weight * UNIT


@each_machine
def test_inversion_holds_at_the_edges_on(kind: type[Machine]) -> None:
    _, inverse, limbs = _modules(kind)
    rng = random.Random(9)
    numbers = [1, 2, 19, P - 1, P - 2, (P + 1) // 2, 2**254, 2**255 - 20, P // 3, 5461]
    for number in numbers + [rng.randrange(1, P) for _ in range(10)]:
        z = array("I", [number >> 13 * k & 8191 for k in range(20)])
        inverse.invert(0, array("I", [0xFFFFFFFF] * 80), z)
        limbs.make_canonical(z)
        assert _value(list(z)) * number % P == 1, number


@pytest.mark.parametrize("kind", [UnicornMachine, XtensaMachine], ids=["rv32", "xtensa"])
def test_edge_cases_of_verification_get_the_stated_verdict_on(kind: type[Machine]) -> None:
    sign = _modules(kind)[0]
    cases = ed25519_edges.cases()
    # A verification takes half a second on the slower machine: some of each kind and verdict.
    chosen = [case for case in cases if "small" in case.name][::14]
    chosen += [case for case in cases if case.name.startswith("mixed") and case.is_valid][::30]
    chosen += [case for case in cases if case.name.startswith("mixed") and not case.is_valid][::60]
    chosen += [case for case in cases if case.name in ("usual", "S + 1 L", "minus R")]
    assert {case.is_valid for case in chosen} == {True, False}
    for case in chosen:
        verdict = sign.verify(case.public_key, case.signature, (case.message,))
        assert verdict == case.is_valid, case.name
