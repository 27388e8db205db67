# SPDX-License-Identifier: MIT
"""Where a frame is put together before it is programmed; a one-slot frame allocates nothing.

    buffer   place 12 B (log_id, sector_seq, slot) | frame

The place stands right before the frame, so that one CRC-32 covers both.
"""

import struct
from binascii import crc32

from micropython import const

from . import ringframe
from .ringframe import PLACE_SIZE, SLOT_SIZE

_SLOT_FIELD = const(8)
_SMALL_CRC = const(25)  # PLACE_SIZE + SLOT_SIZE - CRC_SIZE
_SMALL_END = const(28)


class FrameStage:
    """Buffer for frames with payloads of up to *size_max* bytes."""

    def __init__(self, size_max: int):
        self._buffer = bytearray(PLACE_SIZE + ringframe.slots_for(size_max) * SLOT_SIZE)
        self._view = memoryview(self._buffer)
        self._small_covered = self._view[:_SMALL_CRC]
        self._small_frame = self._view[PLACE_SIZE:_SMALL_END]

    def set_sector(self, log_id: int, sector_seq: int) -> None:
        """Binds the frames that follow to a sector."""
        struct.pack_into("<III", self._buffer, 0, log_id, sector_seq, 0)

    def put(self, kind: int, payload, slot: int):
        """Builds the frame for *slot* and returns a view of its bytes, whole slots."""
        self._buffer[_SLOT_FIELD] = slot
        if len(payload) <= ringframe.SMALL_SIZE_MAX:
            return self._put_small(kind, payload)
        return self._put_large(kind, payload)

    def _put_small(self, kind, payload):
        buffer = self._buffer
        buffer[PLACE_SIZE] = kind << 4 | len(payload)
        at = PLACE_SIZE + 1
        for byte in payload:
            buffer[at] = byte
            at += 1
        while at < _SMALL_CRC:
            buffer[at] = 0
            at += 1
        self._put_crc(_SMALL_CRC, self._small_covered)
        return self._small_frame

    def _put_large(self, kind, payload):
        buffer = self._buffer
        size = len(payload)
        end = PLACE_SIZE + ringframe.slots_for(size) * SLOT_SIZE
        buffer[PLACE_SIZE] = ringframe.LARGE | kind
        buffer[PLACE_SIZE + 1] = size & 255
        buffer[PLACE_SIZE + 2] = size >> 8
        at = PLACE_SIZE + ringframe.LARGE_HEAD_SIZE
        self._view[at : at + size] = payload
        for i in range(at + size, end - ringframe.CRC_SIZE):
            buffer[i] = 0
        self._put_crc(end - ringframe.CRC_SIZE, self._view[: end - ringframe.CRC_SIZE])
        return self._view[PLACE_SIZE:end]

    def _put_crc(self, at, covered):
        crc = crc32(covered)
        self._buffer[at] = crc & 255
        self._buffer[at + 1] = crc >> 8 & 255
        self._buffer[at + 2] = crc >> 16 & 255
