# SPDX-License-Identifier: MIT
"""Every board.json keeps the schema and the flash map that the design settled."""

import json
import re
from typing import Any

import jsonschema
import pytest

from boards import BOARDS, board_names, load_board

SCHEMA = json.loads((BOARDS / "schema.json").read_text())
KIB = 1024


def _pins(board: dict[str, Any]) -> list[int]:
    pins = [board["led"]["pin"], board["battery"]["adc_pin"]]
    for part in [*board["buses"].values(), *board["sensors"]]:
        pins += [part[k] for k in ("sck", "mosi", "miso", "scl", "sda", "cs", "pin") if k in part]
        pins += [part[k] for k in ("int1", "int2") if part.get(k) is not None]
    return pins


def test_the_three_boards_are_there():
    assert board_names() == ["esp32_devkitc", "esp32c3_devkitm", "virtual"]


@pytest.mark.parametrize("name", board_names())
def test_a_board_keeps_the_schema_and_its_own_name(name):
    board = load_board(name)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(board)
    assert board["name"] == name


@pytest.mark.parametrize("name", board_names())
def test_flash_regions_have_their_settled_sizes_and_do_not_overlap(name):
    flash = load_board(name)["flash"]
    sizes = {region["label"]: region["size"] for region in flash["regions"]}
    assert sizes == {"vfs": 448 * KIB, "keys": 64 * KIB, "log": 1536 * KIB}
    end = 0
    for region in sorted(flash["regions"], key=lambda r: r["offset"]):
        assert region["offset"] >= end
        end = region["offset"] + region["size"]
    assert end <= flash["size"]


@pytest.mark.parametrize("name", board_names())
def test_no_pin_is_used_twice_and_every_bus_is_there(name):
    board = load_board(name)
    pins = _pins(board)
    assert len(pins) == len(set(pins))
    wired = [*board["sensors"], *board.get("virtual_chips", [])]
    assert {part["bus"] for part in wired if "bus" in part} <= set(board["buses"])


def test_the_virtual_chips_sit_where_the_firmware_looks_for_them():
    board = load_board("virtual")

    def place(part: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(part.get(k) for k in ("chip", "bus", "cs", "address", "pin", "int1", "int2"))

    assert list(map(place, board["virtual_chips"])) == list(map(place, board["sensors"]))


@pytest.mark.parametrize("name", ["esp32_devkitc", "esp32c3_devkitm"])
def test_no_pin_is_one_that_flash_or_serial_port_need(name):
    taken = {
        "esp32_devkitc": {0, 1, 3, *range(6, 12), 12},  # boot, UART0, flash, MTDI strapping
        "esp32c3_devkitm": {2, 9, *range(11, 18), 20, 21},  # strapping, boot, flash, UART0
    }
    assert not taken[name] & set(_pins(load_board(name)))


@pytest.mark.parametrize("name", board_names())
def test_the_wiring_table_names_every_pin_of_the_board(name):
    text = (BOARDS / name / "board.md").read_text()
    in_table = {int(n) for n in re.findall(r"^\| (?:GPIO)?(\d+) \|", text, re.M)}
    assert in_table == set(_pins(load_board(name)))
