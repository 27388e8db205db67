# SPDX-License-Identifier: MIT
"""The tag's machine code computes right: field, hash, signatures, on every machine.

The unix port's tests (tests/upy) go further; these show that the code for the chips, which no
interpreter here runs, does the same.
"""

import random
from collections.abc import Callable
from functools import cache
from hashlib import sha512

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cost.machine import Machine
from tests.cost.signing import MULTIPLY, SQUARE_ONCE, SQUARE_TWICE, Tag, import_signing
from tests.cost.unicorn_rv32 import UnicornMachine
from tests.cost.viper_module import MACHINES
from tests.cost.xtensa import XtensaMachine

P = 2**255 - 19
WORDS, BITS = 20, 13
EXTREMES = [0, 1, 2, 19, P - 1, P, P + 1, 2**255 - 1, 2**254, 2**13, 2**247 - 1]
# The translator's RV32 makes whole signatures in the strict and in the constant-time test.
PROCESSORS = [UnicornMachine, XtensaMachine]
each_processor = pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.__name__)
each_machine = pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.__name__)


@cache
def _tag(kind: type[Machine]) -> Tag:
    machine = kind()
    return Tag(machine, import_signing(machine))


def _put(point, slot: int, limbs: list[int]) -> None:
    point.memory[slot * WORDS : (slot + 1) * WORDS] = type(point.memory)("I", limbs)


def _limbs(value: int) -> list[int]:
    return [value >> BITS * k & 8191 for k in range(WORDS)]


def _value(limbs: list[int]) -> int:
    return sum(limb << BITS * k for k, limb in enumerate(limbs)) % P


def _operands() -> list[list[int]]:
    rng = random.Random(1)
    limbs = [_limbs(value) for value in EXTREMES]
    limbs += [[8192] * WORDS, [0] * 19 + [8192]]  # the largest that counts as tight
    return limbs + [[rng.randrange(8193) for _ in range(WORDS)] for _ in range(12)]


# Steps of the field VM and what they compute; slot 4 from slots 5 and 6.
STEPS: dict[str, tuple[bytes, Callable[[int, int], int]]] = {
    "multiply": (MULTIPLY, lambda a, b: a * b),
    "square": (SQUARE_ONCE, lambda a, _: a * a),
    "square twice": (SQUARE_TWICE, lambda a, _: a**4),
    "add": (b"\x04\x04\x05\x06", lambda a, b: a + b),
    "subtract": (b"\x03\x04\x05\x06", lambda a, b: a - b),
}


@each_machine
@pytest.mark.parametrize("step", STEPS)
def test_field_steps_agree_with_integers(kind: type[Machine], step: str):
    point = _tag(kind).sign.engine().point
    program, expected = STEPS[step]
    operands = _operands()
    pairs = [(a, b) for a in operands[:13] for b in operands[:13]]
    pairs += list(zip(operands[13:], reversed(operands[13:]), strict=True))
    for a, b in pairs[:: 1 if kind is MACHINES[0] else 5]:
        _put(point, 5, a)
        _put(point, 6, b)
        point.run(program)
        result = list(point.memory[4 * WORDS : 5 * WORDS])
        assert _value(result) == expected(_value(a), _value(b)) % P, (a, b)


@each_machine
def test_hashes_equal_hashlibs(kind: type[Machine]):
    digester = _tag(kind).sign.engine().hash
    rng = random.Random(2)
    for size in (0, 1, 111, 112, 127, 128, 129, 300):
        message = rng.randbytes(size)
        parts = (message[: size // 3], memoryview(bytearray(message))[size // 3 :])
        assert digester.digest(bytearray(64), *parts) == sha512(message).digest(), size


@each_processor
def test_whole_signatures_equal_a_host_librarys(kind: type[Machine]):
    sign = _tag(kind).sign
    rng = random.Random(3)
    for seed, size in ((bytes(32), 0), (b"\xff" * 32, 150), (rng.randbytes(32), 300)):
        host, message = Ed25519PrivateKey.from_private_bytes(seed), rng.randbytes(size)
        key = sign.SigningKey(seed)
        assert key.public_key == host.public_key().public_bytes_raw()
        assert key.sign((message,)) == host.sign(message)
    hedged = key.sign((message,), rng.randbytes(32))
    host.public_key().verify(bytes(hedged), message)


@each_processor
def test_verification_takes_the_right_signature_and_no_other(kind: type[Machine]):
    sign = _tag(kind).sign
    host = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, message = host.public_key().public_bytes_raw(), bytes(150)
    signature = host.sign(message)
    assert sign.verify(public, signature, (message,))
    wrong_r, wrong_s = bytearray(signature), bytearray(signature)
    wrong_r[3] ^= 16
    wrong_s[40] ^= 1
    for wrong in (wrong_r, wrong_s)[: 2 if kind is MACHINES[0] else 1]:
        assert not sign.verify(public, wrong, (message,))
    assert not sign.verify(public, signature[:32] + b"\xff" * 32, (message,))  # S above L
    assert not sign.verify(bytes([1]) + bytes(31), signature, (message,))  # small order
