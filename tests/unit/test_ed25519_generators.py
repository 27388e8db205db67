# SPDX-License-Identifier: MIT
"""The generators of the tag's Ed25519: what is checked in is what they write, and why it holds."""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.paths import FIRMWARE, REPO

sys.path.insert(0, str(REPO / "tools"))
import field_bounds
import generate_comb_table
import generate_field_vm
import point_programs

PACKAGE = FIRMWARE / "tag" / "ed25519"


def _names_of(path: Path) -> dict[str, object]:
    """NAME = literal and NAME = const(literal) of a module, without importing it."""
    names = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
            names[node.targets[0].id] = ast.literal_eval(value)
    return names


def test_the_generated_files_are_what_the_generators_write() -> None:
    vm = generate_field_vm.field_vm_source(field_bounds.prove_bounds())
    table = generate_comb_table.comb_table()
    assert (PACKAGE / "field_vm.py").read_text() == vm
    assert (PACKAGE / "programs.py").read_text() == generate_field_vm.programs_source()
    assert (PACKAGE / "comb.bin").read_bytes() == table
    constants = generate_comb_table.constants_source(table)
    assert (PACKAGE / "constants.py").read_text() == constants


def test_the_table_takes_15360_bytes_and_holds_reduced_limbs() -> None:
    table = generate_comb_table.comb_table()
    assert len(table) == 15_360
    assert max(table[1::2]) < 8192 >> 8


def test_the_bounds_leave_room_below_32_bits() -> None:
    bounds = field_bounds.prove_bounds()
    assert max(bounds.tight) <= field_bounds.UNIT
    assert max(bounds.column_max, bounds.fold_max, bounds.square_max) < 2**32


def test_a_product_heavier_than_allowed_would_break_the_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(field_bounds, "PRODUCT_WEIGHT_MAX", 4)
    with pytest.raises(ValueError, match="does not fit"):
        field_bounds.prove_bounds()


def test_a_carried_sum_heavier_than_allowed_would_break_the_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(field_bounds, "SUM_WEIGHT_MAX", 16)
    with pytest.raises(ValueError, match="more than weight 1"):
        field_bounds.prove_bounds()


def test_a_smaller_bias_would_let_a_difference_fall_below_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = [7584, *[8191] * 19]  # 32 p
    monkeypatch.setattr(field_bounds, "subtraction_bias", lambda: half)
    with pytest.raises(ValueError, match="exceed the bias"):
        field_bounds.prove_bounds()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("add a X Y; mul X a t2d", "too heavy"),
        ("add a X Y; sqr b a 1", "too heavy"),
        ("add a X Y; sub b X a", "too heavy"),
        ("add a X Y; subc b X a", "too heavy"),
        ("add a X Y; add b a a", "too heavy"),
        ("add a X Y; sub b a X", "too heavy"),
        ("mul X a Y", "never written"),
        ("add X Y Z", "leaves the program"),
    ],
)
def test_a_program_that_breaks_the_weights_is_not_assembled(
    text: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(point_programs.PROGRAMS, "BROKEN", ("", text))
    with pytest.raises(ValueError, match=complaint):
        point_programs.assemble("BROKEN")


def test_python_and_programs_name_the_same_slots() -> None:
    slots = _names_of(PACKAGE / "slots.py")
    pairs = {
        "X": "X", "Y": "Y", "Z": "Z", "WORK": "a", "ROOT_MINUS": "a", "ROOT_PLUS": "b",
        "OPERAND": "ypx", "NEGATED": "NX", "D": "D", "D2": "D2", "ONE": "ONE", "ROOT": "ROOT",
        "DOUBLED": "u", "X_ROOT": "x", "ZERO": "ZERO",
    }  # fmt: skip
    for name, slot in pairs.items():
        assert slots.pop(name) == point_programs.SLOTS[slot], name
    assert slots.pop("MULTIPLES") > max(point_programs.SLOTS.values())
    scratch_words = generate_field_vm.MIDDLE + field_bounds.LIMB_COUNT + field_bounds.HALF
    assert slots.pop("SCRATCH_WORDS") == scratch_words
    assert slots == {"SLOT_COUNT": 62, "WORDS": field_bounds.LIMB_COUNT}


def test_constants_are_those_of_the_rfc() -> None:
    # RFC 8032 section 5.1, table 1.
    base_y = 46316835694926478169428394003475163141307993866256225615783033603165251855960
    d = 37095705934669439343138083508754565189542113879843219016388785533085940283555
    assert generate_comb_table.BASE[1] == base_y
    assert d == generate_comb_table.D
    assert generate_comb_table.multiply(generate_comb_table.L, generate_comb_table.BASE) == (0, 1)


def test_an_inversion_takes_the_steps_that_are_proved_to_be_enough() -> None:
    # Random numbers need about 530 steps, so no trial would miss a round. 590 is the bound for
    # numbers below 2**256 with the counter that starts at one half.
    source = (PACKAGE / "inverse.py").read_text()
    rounds = int(re.search(r"rounds = (\d+)", source)[1])
    steps = int(re.search(r"k = (\d+)\n        while k:\n            x = zeta", source)[1])
    assert rounds * steps >= 590
    assert steps == field_bounds.LIMB_BITS
