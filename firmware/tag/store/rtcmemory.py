# SPDX-License-Identifier: MIT
"""What the tag keeps in the RTC's memory over a reset: hints and bounds, never the only copy.

    offset   0   clock       32 B, CRC-32   interval of UTC (tag.clock)
            36   journal     16 B, CRC-32   log_id u32, sector u32, sector_seq u32, first u32
            56   record log  16 B, CRC-32   the same
            76   end

Little-endian. Each part has its own CRC-32, seeded with layout version and part, so that one
torn part costs itself only and no part passes for another. Power loss clears this memory; what
stands here may be stale, torn or foreign, and whoever reads it checks it against flash.
"""

import struct
from binascii import crc32

from micropython import const

CLOCK = const(0)
JOURNAL = const(1)
RECORDS = const(2)

_VERSION = const(2)
_OFFSETS = (0, 36, 56)
_SIZES = (32, 16, 16)
_SIZE = const(76)
_HINT_FORMAT = "<IIII"


def load(rtc, part: int) -> bytes | None:
    """Returns the content of *part*; None where it is blank, torn or foreign."""
    memory = rtc.memory()
    if len(memory) != _SIZE:
        return None
    end = _OFFSETS[part] + _SIZES[part]
    content = bytes(memory[_OFFSETS[part] : end])
    if _checksum(part, content) != struct.unpack_from("<I", memory, end)[0]:
        return None
    return content


def store(rtc, part: int, content) -> None:
    """Replaces the content of *part*. A reset inside may tear any of them."""
    memory = bytearray(rtc.memory())
    if len(memory) != _SIZE:
        memory = bytearray(_SIZE)
    at = _OFFSETS[part]
    end = at + _SIZES[part]
    memory[at:end] = content
    struct.pack_into("<I", memory, end, _checksum(part, content))
    rtc.memory(memory)


def _checksum(part, content):
    return crc32(content, crc32(bytes((_VERSION, part)))) & 0xFFFFFFFF


class RingHint:
    """Where a ring's newest sector was: lets the next start after a reset skip the search."""

    def __init__(self, rtc, part: int):
        self._rtc = rtc
        self._part = part

    def load(self) -> tuple | None:
        """Returns (log_id, sector, sector_seq, first index of the ring), or None."""
        content = load(self._rtc, self._part)
        return None if content is None else struct.unpack(_HINT_FORMAT, content)

    def store(self, log_id: int, sector: int, sector_seq: int, first: int) -> None:
        """Keeps the hint over the next reset."""
        content = struct.pack(_HINT_FORMAT, log_id, sector, sector_seq, first)
        store(self._rtc, self._part, content)
