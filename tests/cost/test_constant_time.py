# SPDX-License-Identifier: MIT
"""No instruction and no address that depends on a secret, but the index into the comb table.

In the sense of docs/signing-cost.md, section 3: same sequence of basic blocks, of accesses and of
bytecodes, no division. What it finds is shown by planted faults.
"""

import random
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.cost.conftest import EditFirmware
from tests.cost.mpy import ARCHITECTURES, RV32IMC
from tests.cost.signing import SECRET_INDEXED, Tag, make_tag
from tests.cost.traces import Trace, differences, trace_of

L = 2**252 + 27742317777372353535851937790883648493
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def _secrets(count: int, size: int) -> list[bytes]:
    rng = random.Random(4)
    fixed = [bytes(size), b"\xff" * size, b"\x01" + bytes(size - 1)]
    return fixed + [rng.randbytes(size) for _ in range(count - len(fixed))]


def _traces(tag: Tag, operation: Callable[[bytes], object], secrets: list[bytes]) -> list[Trace]:
    tag.sign.engine()  # reading the table is no part of it
    return [trace_of(tag, partial(operation, secret)) for secret in secrets]


@each_architecture
def test_making_a_key_and_signing_do_the_same_for_every_secret(architecture: str):
    tag = make_tag(architecture, is_traced=True)
    rng = random.Random(5)

    def make_and_sign(seed: bytes) -> None:
        key = tag.sign.SigningKey(seed)
        key.sign((rng.randbytes(150),), rng.randbytes(32))

    traces = _traces(tag, make_and_sign, _secrets(8, 32))
    assert differences(traces) == []
    called = {call.function for call in traces[0].calls}
    assert set(SECRET_INDEXED) < called
    assert len(called) >= 12  # hash, field, scalars, comb, conversions


def _extreme_digits() -> list[int]:
    """Scalars whose 264 comb digits are all -1 or 0, all +1 or nearly so, and plain extremes."""
    # bits = (a + 2**264 - 1) / 2 modulo L: see ScalarField.to_comb().
    wanted = [0, L - 1, (1 << 252) - 1, 1 << 252, int("01" * 126, 2), int("10" * 126, 2)]
    return [(2 * bits - 2**264 + 1) % L for bits in wanted] + [0, 1, 2, L - 2, L - 1]


def _scalar(tag: Tag, value: int) -> array:
    scalar = array("I", bytes(80))
    tag.sign.engine().scalars.load(scalar, value.to_bytes(32, "little"), 32)
    return scalar


@each_architecture
def test_scalar_arithmetic_does_the_same_for_every_number(architecture: str):
    tag = make_tag(architecture, is_traced=True)
    scalars = tag.sign.engine().scalars

    def arithmetic(number: bytes) -> None:
        a, b, digits = array("I", bytes(80)), array("I", bytes(80)), bytearray(33)
        scalars.load(a, number)
        scalars.load_over_r(b, number)
        scalars.multiply_montgomery(b, b, a)
        scalars.add(a, a, b)
        scalars.to_comb(digits, a)
        tag.sign.store(bytearray(32), a)

    edges = [0, 1, L - 1, L, L + 1, 2 * L - 1, 2**256 - 1, 2**260, L << 259, 2**512 - 1]
    numbers = [edge.to_bytes(64, "little") for edge in edges] + _secrets(8, 64)
    assert differences(_traces(tag, arithmetic, numbers)) == []


@each_architecture
def test_recoding_and_look_up_do_the_same_for_extreme_digits(architecture: str):
    tag = make_tag(architecture, is_traced=True)
    engine = tag.sign.engine()
    scalars = {value.to_bytes(32, "little"): _scalar(tag, value) for value in _extreme_digits()}

    def column(number: bytes) -> None:
        engine.scalars.to_comb(engine.digits, scalars[number])
        for index in (0, 5, 10):
            engine.comb.add_column(engine.digits, index, 3)

    assert differences(_traces(tag, column, list(scalars))) == []


def test_multiplying_the_base_point_does_the_same_for_extreme_scalars():
    tag = make_tag(RV32IMC, is_traced=True)
    values = [0, L - 1, _extreme_digits()[0]]
    scalars = {value.to_bytes(32, "little"): _scalar(tag, value) for value in values}
    engine = tag.sign.engine()

    def multiply(number: bytes) -> None:
        engine.multiply_base(bytearray(32), scalars[number])

    assert differences(_traces(tag, multiply, list(scalars))) == []


def test_the_table_that_a_secret_indexes_lies_in_ram():
    tag = make_tag(RV32IMC)
    engine = tag.sign.engine()
    indexed: list[Any] = []
    call = tag.machine.call

    def look(name: str, entry: Any, arguments: Any) -> object:
        if name in SECRET_INDEXED:
            indexed.append(arguments[SECRET_INDEXED[name][0]])
        return call(name, entry, arguments)

    tag.machine.call = look  # type: ignore[method-assign]
    engine.comb.add_column(engine.digits, 0)
    assert indexed
    assert all(isinstance(table, bytearray) for table in indexed)


def test_without_the_exception_the_look_up_shows():
    tag = make_tag(RV32IMC, is_traced=True)
    tag.machine.secret_indexed = {}
    digits = _secrets(8, 33)
    comb = tag.sign.engine().comb
    traces = _traces(tag, lambda secret: comb.add_column(bytearray(secret), 0, 3), digits)
    assert differences(traces) == ["tag.ed25519.comb._load_entry: an address"]


PLANTED = {
    "branch on the sign of an entry": (
        "comb.py",
        "negative = (index >> 5) - 1",
        "negative = 0\n    if index < 32:\n        negative = -1",
        "tag.ed25519.comb._load_entry: a branch",
    ),
    "index inside an entry": (
        "comb.py",
        "m[0] = int(t[0]) ^ change",
        "m[0] = int(t[0]) ^ change ^ int(t[index & 1]) & 0",
        "tag.ed25519.comb._load_entry: an address",
    ),
    "branch on the parity of a scalar": (
        "scalar.py",
        "    odd = 0 - (limbs[0] & 1)\n",
        "    odd = 0\n    if limbs[0] & 1:\n        odd = -1\n",
        "tag.ed25519.scalar._halve: a branch",
    ),
    "index by a limb": (
        "scalar.py",
        "    odd = 0 - (limbs[0] & 1)\n",
        "    odd = 0 - (limbs[0] & 1) + (order[limbs[0] & 15] & 0)\n",
        "tag.ed25519.scalar._halve: an address",
    ),
    "division of a limb": (
        "scalar.py",
        "    odd = 0 - (limbs[0] & 1)\n",
        "    odd = 0 - (limbs[0] % 2)\n",
        "a division",
    ),
    "branch in the Python between": (
        "scalar.py",
        "        _halve(self._sum, self._order)\n",
        "        _halve(self._sum, self._order if self._sum[0] & 1 else self._order)\n",
        "the Python between the calls",
    ),
}


@each_architecture
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_found(architecture: str, name: str, edit_firmware: EditFirmware):
    *edit, leak = PLANTED[name]
    tag = make_tag(architecture, is_traced=True, root=edit_firmware(*edit))
    engine = tag.sign.engine()
    scalars = {value.to_bytes(32, "little"): _scalar(tag, value) for value in range(1, 7)}

    def step(number: bytes) -> None:
        engine.scalars.to_comb(engine.digits, scalars[number])
        engine.comb.add_column(engine.digits, 0)

    assert leak in differences(_traces(tag, step, list(scalars)))
