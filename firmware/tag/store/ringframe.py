# SPDX-License-Identifier: MIT
"""Bytes of the ring log: sector headers, and frames in 16-byte slots.

    sector, 4096 B   header 32 B | slot 0 | slot 1 | ... | slot 253
    header           magic 2 | sector_count u16 | sector_seq u32 | first index u32 |
                     freed u32 | log_id u32 | lost u32 | note u32 | CRC-32
    small frame      kind << 4 | size (1 B)  payload 0..12, zeros to 12   CRC-24
    large frame      0x80 | kind (1 B)  size u16  payload, zeros to the slot's end   CRC-24

All numbers are little-endian. A frame's first byte is never 0x00 (zeroed slot) nor 0xFF
(blank slot). The CRC-24 is the low 24 bits of the CRC-32 over log_id, sector_seq and slot
(12 B, never stored) and the frame before it: a frame is valid in its own place only, so
neither a leftover of an earlier log nor bytes inside a torn payload can pass for one.
Format and fault model: docs/power-loss.md.
"""

import struct
from binascii import crc32

from micropython import const

from .flashregion import PAGE_SIZE

HEADER_SIZE = const(32)
SLOT_SIZE = const(16)
SLOT_COUNT = const(254)
SMALL_SIZE_MAX = const(12)
CRC_SIZE = const(3)
PLACE_SIZE = const(12)
# Kinds 1..6 belong to the user of the ring; 7 is the ring's own mark: freed u32, lost u32. The
# first four bytes of a KIND_NOTE entry are a u32 that every later sector header repeats.
KIND_MAX = const(6)
KIND_NOTE = const(6)
KIND_FREE = const(7)

LARGE = const(0x80)
LARGE_HEAD_SIZE = const(3)
_HEADER_FMT = "<2sHIIIIIII"
_MAGIC = b"S\x01"  # ring log, version 1
_PLACE_FMT = "<III"
_BLANK_HEADER = b"\xff" * HEADER_SIZE
_ZERO_HEADER = bytes(HEADER_SIZE)


def slots_for(size: int) -> int:
    """Returns how many slots a frame with a payload of *size* bytes takes."""
    if size <= SMALL_SIZE_MAX:
        return 1
    return (size + LARGE_HEAD_SIZE + CRC_SIZE + SLOT_SIZE - 1) // SLOT_SIZE


def slot_offset(slot: int) -> int:
    """Returns the offset of *slot* from the start of its sector, bytes."""
    return HEADER_SIZE + slot * SLOT_SIZE


def page_end_slot(slot: int) -> int:
    """Returns the first slot of the next flash page after the one *slot* lies in."""
    page_end = (slot_offset(slot) // PAGE_SIZE + 1) * PAGE_SIZE
    return (page_end - HEADER_SIZE) // SLOT_SIZE


# ---- sector header


def pack_header(buffer, fields) -> None:
    """Writes the header with *fields*, as `parse_header` returns them, into *buffer* (32 B)."""
    struct.pack_into(_HEADER_FMT, buffer, 0, _MAGIC, *fields, 0)
    struct.pack_into("<I", buffer, HEADER_SIZE - 4, crc32(memoryview(buffer)[: HEADER_SIZE - 4]))


def parse_header(buffer) -> tuple | None:
    """Returns (sector_count, sector_seq, first, freed, log_id, lost, note); None if invalid.

    lost counts entries overwritten unfreed; note: the newest KIND_NOTE before this sector.
    """
    magic, *fields, crc = struct.unpack_from(_HEADER_FMT, buffer, 0)
    if magic != _MAGIC or crc != crc32(memoryview(buffer)[: HEADER_SIZE - 4]) or fields[1] == 0:
        return None
    return tuple(fields)


def is_blank_header(buffer) -> bool:
    """True if the place of a header reads as ones."""
    return buffer == _BLANK_HEADER


def is_empty_header(buffer) -> bool:
    """True if a header was never written (blank) or was invalidated (zeros)."""
    return buffer in (_BLANK_HEADER, _ZERO_HEADER)


# ---- frames


def frame_slots(buffer, offset: int, size_max: int) -> int:
    """Returns how many slots the frame head at *offset* declares; 0 if it is no frame head."""
    head = buffer[offset]
    if head & LARGE:
        size = buffer[offset + 1] | buffer[offset + 2] << 8
        is_frame = LARGE < head <= LARGE | KIND_FREE and SMALL_SIZE_MAX < size <= size_max
        return slots_for(size) if is_frame else 0
    return 1 if head >> 4 and head & 15 <= SMALL_SIZE_MAX else 0


def frame_kind(buffer, offset: int) -> int:
    """Returns the kind of the frame at *offset* (`frame_slots` was not 0)."""
    head = buffer[offset]
    return head & 15 if head & LARGE else head >> 4


def frame_payload(buffer, offset: int) -> bytes:
    """Returns the payload of the frame at *offset* (checked before)."""
    if buffer[offset] & LARGE:
        size = buffer[offset + 1] | buffer[offset + 2] << 8
        start = offset + LARGE_HEAD_SIZE
    else:
        size = buffer[offset] & 15
        start = offset + 1
    return bytes(memoryview(buffer)[start : start + size])


def place(log_id: int, sector_seq: int, slot: int) -> bytes:
    """Returns the 12 bytes that bind a frame to its place."""
    return struct.pack(_PLACE_FMT, log_id, sector_seq, slot)


def is_frame_intact(buffer, offset: int, count: int, frame_place: bytes) -> bool:
    """True if the *count* slots at *offset* carry the CRC-24 of a frame in *frame_place*."""
    end = offset + count * SLOT_SIZE - CRC_SIZE
    crc = crc32(memoryview(buffer)[offset:end], crc32(frame_place))
    stored = buffer[end] | buffer[end + 1] << 8 | buffer[end + 2] << 16
    return crc & 0xFFFFFF == stored
