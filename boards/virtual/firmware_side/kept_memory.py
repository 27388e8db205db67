# SPDX-License-Identifier: MIT
"""What the chip's RTC keeps over resets and loses with power: its clock and 2,048 bytes.

The file RUN/rtc stands for it; the supervisor removes the file when power is lost. After
that the RTC reads 2000-01-01 00:00:00 and its memory is empty, as on an ESP32.
"""

import struct

import turnable_clock

MEMORY_SIZE_MAX = 2048
_HEAD_FORMAT = "<qH"
_HEAD_SIZE = struct.calcsize(_HEAD_FORMAT)
_YEAR_2000_US = 946_684_800 * 1_000_000

_path = ""
_memory = b""
_file = None


def start(run_dir: str) -> None:
    """Takes up what was kept, or starts blank."""
    global _file, _memory
    path = run_dir + "/rtc"
    try:
        _file = open(path, "r+b")
    except OSError:
        _file = open(path, "w+b")
    kept = _file.read()
    if len(kept) >= _HEAD_SIZE:
        zero_us, size = struct.unpack_from(_HEAD_FORMAT, kept)
        turnable_clock.rtc_zero_us = zero_us
        _memory = kept[_HEAD_SIZE : _HEAD_SIZE + size]
    else:
        set_us(_YEAR_2000_US)


def set_us(unix_us: int) -> None:
    """Sets the RTC: it reads *unix_us* (microseconds since 1970) now."""
    turnable_clock.rtc_zero_us = turnable_clock.now_us() - unix_us
    _save()


def memory() -> bytes:
    return _memory


def set_memory(content: bytes) -> None:
    """Keeps *content*. Raises ValueError above MEMORY_SIZE_MAX."""
    global _memory
    if len(content) > MEMORY_SIZE_MAX:
        raise ValueError("buffer too long")
    _memory = bytes(content)
    _save()


def _save():
    _file.seek(0)
    _file.write(struct.pack(_HEAD_FORMAT, turnable_clock.rtc_zero_us, len(_memory)) + _memory)
