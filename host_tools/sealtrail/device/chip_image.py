# SPDX-License-Identifier: MIT
"""A MicroPython image file, taken apart and checked: bootloader, table, app.

The file is the flash from the bootloader's place on, as micropython.org gives it for a
first installation. Each of the two images in it: a header of 24 bytes, segments with 8
bytes of head each, a checksum byte that ends on 16, and a SHA-256 (esptool documentation,
"Firmware Image Format").
"""

import hashlib
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from sealtrail.device.flash_map import FlashMap
from sealtrail.device.partition_table import APP, TABLE_OFFSET, TABLE_SIZE, TableError, decode
from sealtrail.errors import UsageError

# Number of a chip in an image's header, and where its ROM looks for the bootloader.
CHIPS = {"esp32": (0, 0x1000), "esp32c3": (5, 0), "esp32s3": (9, 0), "esp32c6": (13, 0)}
_CHIP_NAMES = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
    23: "ESP32-C5",
}
_FILE_SIZE_MAX = 32 << 20
_HEADER = struct.Struct("<BBBBI4sHBHHIB")
_SEGMENT = struct.Struct("<II")
_IMAGE_MAGIC = 0xE9
_SEGMENTS_MAX = 16
_HASH_SIZE = 32
_SIZE_BYTE = 3  # of the header: flash size in the upper four bits
_HINT = "Take the .bin that micropython.org offers for a first installation on this chip."


@dataclass(frozen=True, slots=True)
class ChipImage:
    """What of the file goes onto the chip, checked; *bootloader* for this board's flash."""

    name: str
    bootloader_offset: int
    bootloader: bytes
    app: bytes


def read(path: Path, flash_map: FlashMap) -> ChipImage:
    """Reads *path* for the board of *flash_map*. Raises UsageError: one line says why not."""
    if flash_map.chip not in CHIPS:
        raise UsageError(
            f"board {flash_map.board} has no chip that takes an image", "Leave out --image."
        )
    chip_id, base = CHIPS[flash_map.chip]
    content = _content(path)
    chip_found = _chip_of(content, path)
    if chip_found != chip_id:
        name = _CHIP_NAMES.get(chip_found, f"chip {chip_found}")
        raise UsageError(
            f"{path}: is for {name}; board {flash_map.board} has {_CHIP_NAMES[chip_id]}", _HINT
        )
    app_offset = _app_offset(content, base, path)
    bootloader = _whole_image(content[: TABLE_OFFSET - base], "bootloader", path)
    app = _whole_image(content[app_offset - base :], "app", path)
    _check_app(app, chip_id, flash_map, path)
    fitted = _with_flash_size(bootloader, flash_map.flash_size)
    return ChipImage(path.name, base, fitted, app)


def _content(path: Path) -> bytes:
    try:
        state = path.stat()
        is_file, size = stat.S_ISREG(state.st_mode), state.st_size
        content = path.read_bytes() if is_file and size <= _FILE_SIZE_MAX else b""
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "no file name"
        raise UsageError(f"{path}: cannot read: {reason}", "Is the name right?") from problem
    if not is_file:
        raise UsageError(f"{path}: is a folder or device, no image", _HINT)
    if size > _FILE_SIZE_MAX:
        raise UsageError(f"{path}: {size >> 20} MB is no image of a chip", _HINT)
    if not size:
        raise UsageError(f"{path}: is empty", "Download it again.")
    return content


def _chip_of(content: bytes, path: Path) -> int:
    if content[0] != _IMAGE_MAGIC or len(content) < _HEADER.size:
        raise UsageError(f"{path}: is no image for an ESP32 chip", _HINT)
    return int(_HEADER.unpack_from(content)[6])


def _app_offset(content: bytes, base: int, path: Path) -> int:
    """Where the file's own table has its first app, from the start of the flash."""
    table = content[TABLE_OFFSET - base : TABLE_OFFSET - base + TABLE_SIZE]
    try:
        return min(part.offset for part in decode(table) if part.type == APP)
    except (TableError, ValueError):
        raise UsageError(
            f"{path}: holds no partition table where this chip looks for it", _HINT
        ) from None


def _whole_image(content: bytes, what: str, path: Path) -> bytes:
    """The image that *content* begins with, without what follows it. Checks its hash."""
    if len(content) < _HEADER.size or content[0] != _IMAGE_MAGIC:
        raise UsageError(f"{path}: holds no {what}, or is cut off", "Download it again.")
    header = _HEADER.unpack_from(content)
    end = _HEADER.size
    for _ in range(min(header[1], _SEGMENTS_MAX)):
        if end + _SEGMENT.size > len(content):
            break
        end += _SEGMENT.size + _SEGMENT.unpack_from(content, end)[1]
    end = (end + 16) // 16 * 16  # the checksum is the last byte of sixteen
    is_hashed = bool(header[11])
    whole = end + (_HASH_SIZE if is_hashed else 0)
    if whole > len(content):
        raise UsageError(
            f"{path}: is cut off: the {what} needs {whole} B, {len(content)} are there",
            "Download it again.",
        )
    if is_hashed and hashlib.sha256(content[:end]).digest() != content[end:whole]:
        raise UsageError(f"{path}: its {what} is damaged: the hash differs", "Download it again.")
    return content[:whole]


def _check_app(app: bytes, chip_id: int, flash_map: FlashMap, path: Path) -> None:
    if _HEADER.unpack_from(app)[6] != chip_id:
        raise UsageError(f"{path}: its app is for another chip than its bootloader", _HINT)
    if b"MicroPython" not in app:
        raise UsageError(f"{path}: its app is not MicroPython", _HINT)
    place = flash_map.app
    if len(app) > place.size:
        raise UsageError(
            f"{path}: its app of {len(app) >> 10} KB is larger than the app partition"
            f" ({place.size >> 10} KB)",
            "Take an image with fewer extras.",
        )


def _with_flash_size(bootloader: bytes, flash_size: int) -> bytes:
    """*bootloader* told how large the flash is, its hash renewed.

    It refuses a table that ends beyond the size in its own header.
    """
    code = (flash_size >> 20).bit_length() - 1  # 0: 1 MB, 1: 2 MB, 2: 4 MB, ...
    if bootloader[_SIZE_BYTE] >> 4 == code:
        return bootloader
    made = bytearray(bootloader)
    made[_SIZE_BYTE] = made[_SIZE_BYTE] & 15 | code << 4
    if _HEADER.unpack_from(bootloader)[11]:
        made[-_HASH_SIZE:] = hashlib.sha256(made[:-_HASH_SIZE]).digest()
    return bytes(made)
