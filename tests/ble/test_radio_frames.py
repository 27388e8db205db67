# SPDX-License-Identifier: MIT
"""Both ends of the tag's socket agree on every frame kind."""

import ast

from boards.virtual.radio import frames
from tests.paths import REPO

_TAG_SIDE = REPO / "boards" / "virtual" / "firmware_side" / "bluetooth_link.py"


def _tag_side_numbers() -> dict[str, int]:
    """NAME = const(number) of the MicroPython module, without running it."""
    return {
        node.targets[0].id: node.value.args[0].value
        for node in ast.parse(_TAG_SIDE.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.args[0], ast.Constant)
        and not node.targets[0].id.startswith("_")
    }


def test_the_frame_kinds_of_tag_and_radio_are_the_same() -> None:
    radio_side = {name: value for name, value in vars(frames).items() if name.isupper()}
    del radio_side["HEAD"]
    tag_side = _tag_side_numbers()
    assert tag_side.pop("LINK_DOWN") not in radio_side.values()
    assert tag_side == radio_side


def test_no_two_frame_kinds_share_a_number() -> None:
    numbers = _tag_side_numbers()
    assert len(set(numbers.values())) == len(numbers)
