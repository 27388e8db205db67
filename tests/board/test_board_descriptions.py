# SPDX-License-Identifier: MIT
"""Every board.json keeps the schema and the flash map that the design settled."""

import json
import re
from typing import Any

import jsonschema
import pytest

from boards import BOARDS, board_names, load_board
from sealtrail.device.flash_map import FlashMap, faults_of
from sealtrail.device.flash_map import of_board as flash_map_of
from sealtrail.device.partition_table import Partition
from sealtrail.errors import UsageError

SCHEMA = json.loads((BOARDS / "schema.json").read_text())
KIB = 1024


def _pins(board: dict[str, Any]) -> list[int]:
    pins = [board["led"]["pin"], board["battery"]["adc_pin"]]
    for part in [*board["buses"].values(), *board["sensors"]]:
        pins += [part[k] for k in ("sck", "mosi", "miso", "scl", "sda", "cs", "pin") if k in part]
        pins += [part[k] for k in ("int1", "int2") if part.get(k) is not None]
    return pins


def test_the_boards_are_there():
    there = {"esp32_devkitc", "esp32_devkitc_8mb", "esp32c3_devkitm", "virtual"}
    assert there <= set(board_names())


@pytest.mark.parametrize("name", board_names())
def test_a_board_keeps_the_schema_and_its_own_name(name):
    board = load_board(name)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(board)
    assert board["name"] == name


@pytest.mark.parametrize("name", board_names())
def test_the_flash_map_keeps_every_rule_of_the_design(name):
    flash_map = flash_map_of(load_board(name))
    assert faults_of(flash_map) == []
    places = {part.label: (part.offset, part.size) for part in flash_map.partitions}
    log_size = 1344 * KIB if flash_map.flash_size == 4096 * KIB else 2048 * KIB
    assert places == {
        # As in MicroPython's own image.
        "nvs": (0x9000, 24 * KIB),
        "phy_init": (0xF000, 4 * KIB),
        "factory": (0x10000, 1984 * KIB),
        # Ours: its file system is smaller, keys and log are behind it.
        "vfs": (0x200000, 640 * KIB),
        "keys": (0x2A0000, 64 * KIB),
        "log": (0x2B0000, log_size),
    }
    assert [part.offset for part in flash_map.partitions] == sorted(o for o, _ in places.values())


@pytest.mark.parametrize("name", board_names())
def test_the_firmware_divides_the_regions_as_the_design_says(name):
    """keys: two seed sectors, then the state ring; log: 16 journal sectors, then records."""
    from tag.store.storage import Storage

    asked = []

    class Region:
        def __init__(self, region: dict[str, Any]) -> None:
            self.label, self.sectors = region["label"], region["size"] // 4096

        def ioctl(self, op: int, argument: int) -> int:
            return self.sectors if op == 4 else 4096

        def readblocks(self, block: int, buffer: bytearray, offset: int) -> None:
            asked.append((self.label, block))
            buffer[:] = b"\xff" * len(buffer)

    regions = {r["label"]: r for r in load_board(name)["flash"]["regions"]}
    storage = Storage(Region(regions["keys"]), Region(regions["log"]))
    storage.open()
    state = [block for label, block in asked if label == "keys" and block >= 2]
    assert min(state) == 2 and max(state) == 15
    journal, records = storage.journal, storage.records
    assert journal._ring.sector_count == 16
    assert records._ring.sector_count == regions["log"]["size"] // 4096 - 16
    assert (journal._ring.flash._first_sector, records._ring.flash._first_sector) == (0, 16)


@pytest.mark.parametrize(
    ("label", "change", "says"),
    [
        ("vfs", {"offset": 0x200800}, "vfs at 0x200800, 640 KB is not aligned to 4096 B"),
        ("factory", {"offset": 0x11000}, "is not aligned to 65536 B"),
        ("keys", {"offset": 0x290000}, "keys at 0x290000, 64 KB overlaps what lies before it"),
        ("nvs", {"offset": 0x8000}, "nvs at 0x8000, 24 KB overlaps what lies before it"),
        ("log", {"size": 2 << 20}, "log at 0x2b0000, 2048 KB ends beyond the flash of 4 MB"),
        ("log", {"size": 1 << 20}, "log at 0x2b0000, 1024 KB: 1344 KB is the least"),
        ("keys", {"label": "log"}, "log is there twice"),
        ("keys", {"label": "seeds"}, "no data partition keys"),
        ("log", {"type": 0}, "no data partition log"),
        ("factory", {"type": 1}, "no app partition"),
    ],
)
def test_a_broken_flash_map_is_one_clear_line(label, change, says):
    board = load_board("esp32_devkitc")
    next(r for r in board["flash"]["regions"] if r["label"] == label).update(change)
    with pytest.raises(UsageError) as caught:
        flash_map_of(board)
    assert caught.value.message.startswith("board esp32_devkitc: flash map: ")
    regions = board["flash"]["regions"]
    parts = tuple(Partition(**{k: r[k] for k in r}) for r in regions)
    assert any(says in fault for fault in faults_of(FlashMap("x", "esp32", 4 << 20, parts)))


@pytest.mark.parametrize("flash", [None, {}, {"size": 1}, {"size": "x", "regions": []}])
def test_a_board_without_a_flash_map_is_one_clear_line(flash):
    with pytest.raises(UsageError, match="its flash map cannot be read"):
        flash_map_of({"name": "x", "flash": flash})


def test_the_larger_module_differs_in_its_flash_only():
    small, large = load_board("esp32_devkitc"), load_board("esp32_devkitc_8mb")
    assert large["flash"]["size"] == 8 << 20
    for key in small.keys() - {"name", "title", "flash"}:
        assert small[key] == large[key]


@pytest.mark.parametrize("name", board_names())
def test_no_pin_is_used_twice_and_every_bus_is_there(name):
    board = load_board(name)
    pins = _pins(board)
    assert len(pins) == len(set(pins))
    wired = [*board["sensors"], *board.get("virtual_chips", [])]
    assert {part["bus"] for part in wired if "bus" in part} <= set(board["buses"])


def test_the_secure_element_is_all_that_the_second_virtual_board_adds():
    plain, with_chip = load_board("virtual"), load_board("virtual_se")
    assert with_chip.keys() - plain.keys() == {"secure_element"}
    for key in plain.keys() - {"name", "title", "buses", "virtual_chips"}:
        assert with_chip[key] == plain[key]
    assert with_chip["virtual_chips"][:-1] == plain["virtual_chips"]
    assert with_chip["virtual_chips"][-1] == with_chip["secure_element"]
    bus = with_chip["buses"][with_chip["secure_element"]["bus"]]
    assert bus["frequency_hz"] <= 100_000, "else nothing wakes it"


def test_the_virtual_chips_sit_where_the_firmware_looks_for_them():
    board = load_board("virtual")

    def place(part: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(part.get(k) for k in ("chip", "bus", "cs", "address", "pin", "int1", "int2"))

    assert list(map(place, board["virtual_chips"])) == list(map(place, board["sensors"]))


@pytest.mark.parametrize("name", ["esp32_devkitc", "esp32_devkitc_8mb", "esp32c3_devkitm"])
def test_no_pin_is_one_that_flash_or_serial_port_need(name):
    taken = {
        "esp32_devkitc": {0, 1, 3, *range(6, 12), 12},  # boot, UART0, flash, MTDI strapping
        "esp32_devkitc_8mb": {0, 1, 3, *range(6, 12), 12},
        "esp32c3_devkitm": {2, 9, *range(11, 18), 20, 21},  # strapping, boot, flash, UART0
    }
    assert not taken[name] & set(_pins(load_board(name)))


@pytest.mark.parametrize("name", board_names())
def test_the_wiring_table_names_every_pin_of_the_board(name):
    text = (BOARDS / name / "board.md").read_text()
    if as_another := re.search(r"^Wiring: as \[(\w+)\]", text, re.M):
        text = (BOARDS / as_another[1] / "board.md").read_text()
    in_table = {int(n) for n in re.findall(r"^\| (?:GPIO)?(\d+) \|", text, re.M)}
    assert in_table == set(_pins(load_board(name)))
