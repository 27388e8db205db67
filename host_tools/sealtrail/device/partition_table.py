# SPDX-License-Identifier: MIT
"""The partition table of an ESP32: one flash sector that says what lies where.

Entries of 32 bytes, little-endian, then an MD5 of them, then 0xFF (ESP-IDF programming
guide, "Partition Tables"):

    magic AA 50 | type u8 | subtype u8 | offset u32 | size u32 | label 16 B | flags u32
    EB EB FF*14 | MD5 of the entries
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

TABLE_OFFSET = 0x8000
TABLE_SIZE = 0x1000
APP, DATA = 0, 1
_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14
_ENTRIES_MAX = 95
_ENCRYPTED_FLAG = 1


class TableError(ValueError):
    """These bytes are no partition table; the text says why."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One region of the flash. *offset* and *size* in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    is_encrypted: bool = False

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.size

    def __str__(self) -> str:
        return f"{self.label} at 0x{self.offset:x}, {self.size // 1024} KB"


def encode(partitions: Iterable[Partition]) -> bytes:
    """The table as it lies in flash, one sector."""
    entries = b"".join(
        _ENTRY.pack(
            _MAGIC, p.type, p.subtype, p.offset, p.size, p.label.encode("ascii"), p.is_encrypted
        )
        for p in partitions
    )
    table = entries + _MD5_MAGIC + hashlib.md5(entries, usedforsecurity=False).digest()
    return table.ljust(TABLE_SIZE, b"\xff")


def decode(table: bytes) -> tuple[Partition, ...]:
    """The entries of a table read from flash or from an image. Raises TableError."""
    found = []
    for offset in range(0, min(len(table), _ENTRIES_MAX * _ENTRY.size), _ENTRY.size):
        entry = table[offset : offset + _ENTRY.size]
        if entry.startswith(_MD5_MAGIC):
            if entry[16:] != hashlib.md5(table[:offset], usedforsecurity=False).digest():
                raise TableError("its checksum is wrong")
            break
        if len(entry) < _ENTRY.size or not entry.startswith(_MAGIC):
            break  # a table without MD5 ends with 0xFF
        found.append(_decoded(entry))
    if not found:
        raise TableError("no entry")
    return tuple(found)


def _decoded(entry: bytes) -> Partition:
    _, kind, subtype, offset, size, label, flags = _ENTRY.unpack(entry)
    name = label.partition(b"\0")[0].decode("ascii", "replace")
    return Partition(name, kind, subtype, offset, size, bool(flags & _ENCRYPTED_FLAG))
