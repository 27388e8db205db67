# SPDX-License-Identifier: MIT
"""The machines compute what the processors would: integers, memory, faults, counts."""

from array import array
from pathlib import Path

import pytest

from tests.cost.machine import Machine, MachineFault
from tests.cost.viper_module import MACHINES, load_source

each_machine = pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.__name__)

ARITHMETIC = """
@micropython.viper
def combine(a: int, b: int, n: int, out: ptr32):
    out[0] = a + b
    out[1] = a - b
    out[2] = a * b
    out[3] = a & b
    out[4] = a | b
    out[5] = a ^ b
    out[6] = a << n
    out[7] = a >> n
    out[8] = int(uint(a) >> uint(n))
    out[9] = -a
    out[10] = a // b if b != 0 else 0
    out[11] = a % b if b != 0 else 0
    out[12] = 1000000
    out[13] = -70000


@micropython.viper
def compare(a: int, b: int) -> int:
    bits = 0
    if a < b:
        bits |= 1
    if a <= b:
        bits |= 2
    if a == b:
        bits |= 4
    if a != b:
        bits |= 8
    if a > b:
        bits |= 16
    if a >= b:
        bits |= 32
    if uint(a) < uint(b):
        bits |= 64
    if uint(a) >= uint(b):
        bits |= 128
    if a:
        bits |= 256
    return bits
"""
NUMBERS = [0, 1, -1, 5, -7, 8191, 2**30 - 1, -(2**30), 65535, -32768]


def _word(value: int) -> int:
    return value & 0xFFFFFFFF


def _signed(value: int) -> int:
    return (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)


@each_machine
def test_arithmetic_wraps_and_shifts_as_32_bit_words_do(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(), tmp_path, ARITHMETIC)
    for a in NUMBERS:
        for b in NUMBERS:
            for n in (0, 1, 13, 31):
                out = array("I", bytes(56))
                module.combine(a, b, n, out)
                divided = (a // b, a % b) if b else (0, 0)
                expected = [a + b, a - b, a * b, a & b, a | b, a ^ b, a << n, a >> n]
                expected += [_word(a) >> n, -a, *divided, 1000000, -70000]
                assert list(out) == [_word(value) for value in expected], (a, b, n)


@each_machine
def test_comparisons_tell_signed_from_unsigned(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(), tmp_path, ARITHMETIC)
    for a in NUMBERS:
        for b in NUMBERS:
            verdicts = [a < b, a <= b, a == b, a != b, a > b, a >= b]
            verdicts += [_word(a) < _word(b), _word(a) >= _word(b), bool(a)]
            expected = sum(verdict << i for i, verdict in enumerate(verdicts))
            assert module.compare(a, b) == expected, (a, b)


MEMORY = """
@micropython.viper
def move(b: ptr8, h: ptr16, w: ptr32, i: int) -> int:
    b[i] = b[0] + 1
    h[i] = h[0] + 1
    w[i] = w[0] + 1
    b[3] = 511
    h[3] = 65537
    b = ptr8(uint(b) + 1)
    return int(b[0])
"""


@each_machine
def test_bytes_halves_and_words_are_read_and_cut(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, MEMORY)
    octets, halves, words = bytearray(b"\xff\7\0\0"), array("H", [65535, 0, 0, 0]), array("I")
    words.extend([2**32 - 1, 0, 0])
    assert module.move(octets, halves, words, 2) == 7
    assert octets == b"\xff\7\0\xff"
    assert list(halves) == [65535, 0, 0, 1]
    assert list(words) == [2**32 - 1, 0, 0]


OVERLAP = """
@micropython.viper
def copy_down(target: ptr8, source: ptr8, count: int):
    i = 0
    while i < count:
        target[i] = source[i]
        i += 1
"""


@each_machine
def test_views_of_one_buffer_overlap_as_they_do_in_python(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, OVERLAP)
    buffer = bytearray(range(8))
    view = memoryview(buffer)
    module.copy_down(view[1:], view, 7)  # each byte reads the one written before it
    assert buffer == bytes(8)
    constant = b"\0\1\2"
    module.copy_down(view[2:4], memoryview(constant)[1:], 2)
    assert buffer == b"\0\0\1\2\0\0\0\0"


LOOP = """
@micropython.viper
def count_down(n: int):
    while n:
        n -= 1


@micropython.viper
def forever():
    while True:
        pass


@micropython.viper
def too_big(out: ptr32) -> uint:
    return uint(out[0])
"""


@each_machine
def test_a_loop_costs_its_length_times_a_constant(kind: type[Machine], tmp_path: Path):
    machine = kind()
    module = load_source(machine, tmp_path, LOOP)
    totals = []
    for n in (0, 1, 2, 1000):
        before = machine.tally.instruction_count
        module.count_down(n)
        totals.append(machine.tally.instruction_count - before)
    turn = totals[2] - totals[1]
    assert 2 <= turn <= 6
    assert totals[3] == totals[1] + 999 * turn


@each_machine
def test_an_integer_that_needs_the_heap_is_counted(kind: type[Machine], tmp_path: Path):
    machine = kind()
    module = load_source(machine, tmp_path, LOOP)
    assert module.too_big(array("I", [2**30 - 1])) == 2**30 - 1
    assert machine.tally.boxed_count == 0
    assert module.too_big(array("I", [2**31])) == 2**31
    assert machine.tally.boxed_count == 1


@each_machine
def test_a_loop_without_end_is_stopped(kind: type[Machine], tmp_path: Path):
    machine = kind()
    machine.instructions_max = 100_000
    with pytest.raises(MachineFault, match="does not end"):
        load_source(machine, tmp_path, LOOP).forever()


@each_machine
def test_viper_code_that_calls_python_is_refused(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(), tmp_path, "@micropython.viper\ndef call(f):\n    return f(1)\n")
    with pytest.raises(MachineFault, match="Python from viper"):
        module.call(len)


@each_machine
def test_a_wrong_count_of_arguments_is_refused(kind: type[Machine], tmp_path: Path):
    with pytest.raises(MachineFault):
        load_source(kind(), tmp_path, LOOP).count_down(1, 2)
