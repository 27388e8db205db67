# SPDX-License-Identifier: MIT
"""ESP32 images made from nothing, and a partition table read back by other code than ours."""

import hashlib
import struct
from typing import Any

STOCK = (
    ("nvs", 1, 2, 0x9000, 0x6000),
    ("phy_init", 1, 1, 0xF000, 0x1000),
    ("factory", 0, 0, 0x10000, 0x1F0000),
)
BASES = {0: 0x1000, 5: 0x0}


def esp_image(chip_id: int, content: bytes, flash_mb: int = 4, is_hashed: bool = True) -> bytes:
    """One image of two segments, with its checksum and hash."""
    half = len(content) // 2 // 4 * 4
    content += bytes(-len(content) % 4)
    parts = [content[:half], content[half:]]
    size_code = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4}[flash_mb]
    made = bytes([0xE9, len(parts), 2, size_code << 4]) + struct.pack("<I", 0x40080000)
    made += b"\xee\0\0\0" + struct.pack("<H", chip_id) + bytes(9) + bytes([is_hashed])
    checksum = 0xEF
    for number, part in enumerate(parts):
        made += struct.pack("<II", 0x3FFB0000 + number * 0x10000, len(part)) + part
        for byte in part:
            checksum ^= byte
    made += bytes(15 - len(made) % 16) + bytes([checksum])
    return made + hashlib.sha256(made).digest() if is_hashed else made


def table(entries: Any = STOCK) -> bytes:
    """A partition table, as ESP-IDF's generator writes it."""
    made = b"".join(
        struct.pack("<BBBBII16sI", 0xAA, 0x50, kind, subtype, offset, size, label.encode(), 0)
        for label, kind, subtype, offset, size in entries
    )
    made += bytes([0xEB, 0xEB]) + b"\xff" * 14 + hashlib.md5(made).digest()
    return made.ljust(0x1000, b"\xff")


def firmware(
    chip_id: int = 0,
    app: bytes = b"MicroPython " * 2000,
    app_chip_id: int | None = None,
    entries: Any = STOCK,
) -> bytes:
    """A file as micropython.org gives it: the flash from the bootloader's place on."""
    base = BASES.get(chip_id, 0)
    made = esp_image(chip_id, b"bootloader" * 100).ljust(0x8000 - base, b"\xff")
    made += table(entries)
    made = made.ljust(0x10000 - base, b"\xff")
    return made + esp_image(chip_id if app_chip_id is None else app_chip_id, app)


def parsed_table(raw: bytes) -> list[tuple[str, int, int, int, int, int]]:
    """[(label, type, subtype, offset, size, flags)], with every rule of the format asserted."""
    assert len(raw) == 0x1000
    rows = []
    at = 0
    while raw[at] == 0xAA:
        assert raw[at + 1] == 0x50
        numbers = [int.from_bytes(raw[at + a : at + a + 4], "little") for a in (4, 8, 28)]
        label = raw[at + 12 : at + 28].rstrip(b"\0").decode()
        rows.append((label, raw[at + 2], raw[at + 3], numbers[0], numbers[1], numbers[2]))
        at += 32
    assert raw[at : at + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert raw[at + 16 : at + 32] == hashlib.md5(raw[:at]).digest()
    assert raw[at + 32 :] == b"\xff" * (0x1000 - at - 32)
    return rows
