# SPDX-License-Identifier: MIT
"""No access outside the buffers that a function was given, none unaligned, none to constants."""

from array import array
from pathlib import Path

import pytest

from tests.cost.conftest import EditFirmware
from tests.cost.machine import Machine, MachineFault
from tests.cost.mpy import ARCHITECTURES
from tests.cost.signing import HEDGE, MESSAGE, SEED, make_tag
from tests.cost.viper_module import MACHINES, load_source

each_machine = pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.__name__)
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@each_architecture
def test_signing_and_verifying_touch_only_their_buffers(architecture: str):
    tag = make_tag(architecture, is_strict=True)
    key = tag.sign.SigningKey(SEED)
    signature = key.sign((MESSAGE[:50], memoryview(MESSAGE)[50:]), HEDGE)
    assert tag.sign.verify(key.public_key, signature, (MESSAGE,))


WILD = """
@micropython.viper
def read(b: ptr8, i: int) -> int:
    return int(b[i])


@micropython.viper
def write(b: ptr8, i: int):
    b[i] = 0


@micropython.viper
def word(b: ptr8, i: int) -> int:
    w = ptr32(uint(b) + uint(i))
    return int(w[0]) & 255


@micropython.viper
def null() -> int:
    w = ptr32(0)
    return int(w[0])
"""


@each_machine
@pytest.mark.parametrize("index", [-1, 4, 100, -100000, 1 << 29])
def test_a_read_or_write_beside_the_buffer_stops_the_code(
    kind: type[Machine], index: int, tmp_path: Path
):
    module = load_source(kind(is_strict=True), tmp_path, WILD)
    for function in (module.read, module.write):
        function(bytearray(4), 3)
        with pytest.raises(MachineFault, match="outside"):
            function(bytearray(4), index)


@each_machine
def test_a_longer_buffer_of_an_earlier_call_gives_no_rights(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, WILD)
    assert module.read(bytearray(64), 63) == 0
    with pytest.raises(MachineFault, match="outside"):
        module.read(bytearray(8), 40)


@each_machine
def test_bytes_of_the_object_beside_the_view_are_outside(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, WILD)
    view = memoryview(bytearray(16))[4:8]
    with pytest.raises(MachineFault, match="outside"):
        module.read(view, 4)
    with pytest.raises(MachineFault, match="outside"):
        module.write(view, -1)


@each_machine
def test_an_access_that_is_not_aligned_stops_the_code(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, WILD)
    assert module.word(bytearray(8), 4) == 0
    with pytest.raises(MachineFault, match="aligned"):
        module.word(bytearray(8), 2)


@each_machine
def test_a_word_that_reaches_over_the_end_stops_the_code(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, WILD)
    with pytest.raises(MachineFault, match="outside"):
        module.word(bytearray(6), 4)


@each_machine
def test_constants_are_not_aligned_and_not_written(kind: type[Machine], tmp_path: Path):
    module = load_source(kind(is_strict=True), tmp_path, WILD)
    assert module.read(b"\5\6", 1) == 6
    with pytest.raises(MachineFault, match="aligned"):
        module.word(bytes(8), 0)
    with pytest.raises(MachineFault, match="read-only"):
        module.write(bytes(8), 0)  # the value that is there already


@each_machine
def test_a_constant_that_changed_is_noticed_without_strictness(
    kind: type[Machine], tmp_path: Path
):
    with pytest.raises(MachineFault, match="read-only"):
        load_source(kind(), tmp_path, WILD).write(b"\1", 0)


@each_machine
def test_a_null_pointer_stops_the_code(kind: type[Machine], tmp_path: Path):
    with pytest.raises(MachineFault):
        load_source(kind(is_strict=True), tmp_path, WILD).null()


@each_architecture
def test_one_turn_too_many_in_the_firmware_is_caught(
    architecture: str, edit_firmware: EditFirmware
):
    root = edit_firmware(
        "scalar.py",
        "    carry = 0\n    k = 0\n    while k < 20:",
        "    carry = 0\n    k = 0\n    while k < 21:",
    )
    tag = make_tag(architecture, is_strict=True, root=root)
    scalars = tag.sign.engine().scalars
    with pytest.raises(MachineFault, match=r"scalar\._add: read of 4 bytes .* outside"):
        scalars.add(array("I", bytes(80)), array("I", bytes(80)), array("I", bytes(80)))
