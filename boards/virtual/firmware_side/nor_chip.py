# SPDX-License-Identifier: MIT
"""NOR flash in a file: program only clears bits, erase sets a whole 4,096-byte sector.

Writes go straight to the file (page cache), so what was written before a SIGKILL is there.
RUN/counters holds what has been done to each region, over all lives. RUN/cut holds a power
cut order <serial, operations, bytes>: after that many more whole program or erase
operations, the next one stops after so many bytes and the board loses power. The count goes
on over resets; a loss of power of any kind ends the order (the supervisor sees to it).

KNOWN LIMIT: operations take no time; a torn erase has erased its first bytes; bits are
never metastable (the ring's own tests model that).
"""

import struct
from array import array

import micropython

SECTOR_SIZE = 4096
# Columns of RUN/counters, one unsigned 64-bit number each per region. After them: the serial
# of the cut order being followed, and how many whole operations it has left, plus one.
COUNTERS = ("reads", "read_bytes", "programs", "program_bytes", "erases", "violations")
_READS, _READ_BYTES, _PROGRAMS, _PROGRAM_BYTES, _ERASES, _VIOLATIONS = range(6)
_ORDER_FORMAT = "<iii"
_WHOLE = -1
_NO_CUT = -1


@micropython.viper
def _clear_bits(cells: ptr8, wanted: ptr8, size: int) -> int:  # noqa: F821 - viper's
    """cells &= wanted; returns in how many bytes *wanted* had a bit that is cleared already."""
    violations = 0
    for i in range(size):
        old = cells[i]
        new = wanted[i]
        if (old & new) != new:
            violations += 1
        cells[i] = old & new
    return violations


class NorChip:
    """The chip. *lose_power* takes one line for the supervisor and never returns."""

    def __init__(self, run_dir: str, size: int, region_count: int, lose_power):
        self._image = _open_image(run_dir + "/flash", size)
        self._lose_power = lose_power
        self._counters_file = open(run_dir + "/counters", "r+b")
        self._order_at = region_count * len(COUNTERS)
        self._counters = array("Q", [0] * (self._order_at + 2))
        self._counters_file.readinto(self._counters)
        self._cut_file = open(run_dir + "/cut", "rb")
        self._cut_entry = bytearray(struct.calcsize(_ORDER_FORMAT))

    def _read_cut(self):
        self._cut_file.seek(0)
        self._cut_file.readinto(self._cut_entry)
        return struct.unpack(_ORDER_FORMAT, self._cut_entry)

    def _size_before_cut(self, size):
        """How many bytes of this operation still happen, _WHOLE for all of them."""
        serial, whole, torn_size = self._read_cut()
        if serial != self._counters[self._order_at]:
            self._counters[self._order_at] = serial
            self._counters[self._order_at + 1] = whole + 1
        left = self._counters[self._order_at + 1]
        if whole == _NO_CUT or left == 0:
            return _WHOLE
        self._counters[self._order_at + 1] = left - 1
        return min(torn_size, size) if left == 1 else _WHOLE

    def _count(self, region, column, size_column, size, violations=0):
        base = region * len(COUNTERS)
        self._counters[base + column] += 1
        if size_column is not None:
            self._counters[base + size_column] += size
        self._counters[base + _VIOLATIONS] += violations
        self._counters_file.seek(0)
        self._counters_file.write(self._counters)

    def read(self, region: int, address: int, buffer) -> None:
        self._image.seek(address)
        self._image.readinto(buffer)
        self._count(region, _READS, _READ_BYTES, len(buffer))

    def program(self, region: int, address: int, content) -> None:
        """Clears bits. When it returns, the bytes survive a loss of power."""
        cut_size = self._size_before_cut(len(content))
        size = len(content) if cut_size == _WHOLE else cut_size
        cells = bytearray(size)
        self._image.seek(address)
        self._image.readinto(cells)
        violations = _clear_bits(cells, content, size)
        self._image.seek(address)
        self._image.write(cells)
        self._count(region, _PROGRAMS, _PROGRAM_BYTES, size, violations)
        if cut_size != _WHOLE:
            self._lose_power("cut program 0x%x after %d" % (address, size))

    def erase(self, region: int, address: int) -> None:
        """Sets one sector to 0xff."""
        cut_size = self._size_before_cut(SECTOR_SIZE)
        size = SECTOR_SIZE if cut_size == _WHOLE else cut_size
        self._image.seek(address)
        self._image.write(b"\xff" * size)
        self._count(region, _ERASES, None, 0)
        if cut_size != _WHOLE:
            self._lose_power("cut erase 0x%x after %d" % (address, size))


def _open_image(path, size):
    """Opens the image; makes a blank chip where there is none, or one that was cut short."""
    try:
        image = open(path, "r+b")
    except OSError:
        image = open(path, "w+b")
    done = image.seek(0, 2)
    while done < size:
        done += image.write(b"\xff" * min(SECTOR_SIZE, size - done))
    return image
