# SPDX-License-Identifier: MIT
"""esp32 on the virtual board: flash partitions, as documented for esp32.Partition."""

from nor_chip import SECTOR_SIZE

_IOCTL_BLOCK_COUNT = 4
_IOCTL_BLOCK_SIZE = 5
_IOCTL_ERASE = 6
_ENODEV = 19
_EINVAL = 22

_table = []


def install(chip, regions: list) -> None:
    """Makes one partition of each of board.json's flash regions."""
    _table[:] = [_Entry(chip, index, region) for index, region in enumerate(regions)]


class _Entry:
    def __init__(self, chip, index, region):
        self.chip = chip
        self.index = index
        self.offset = region["offset"]
        self.size = region["size"]
        self.label = region["label"]
        self.type = region["type"]
        self.subtype = region["subtype"]


class Partition:
    """Block device of 4,096-byte blocks, simple and extended protocol."""

    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, label: str):
        for entry in _table:
            if entry.label == label:
                self._entry = entry
                return
        raise OSError(_ENODEV)

    @classmethod
    def find(cls, type=TYPE_APP, subtype=0xFF, label=None, block_size=SECTOR_SIZE) -> list:
        """As on the chip, only app partitions are found unless *type* says otherwise."""
        return [
            cls(entry.label)
            for entry in _table
            if entry.type == type
            and subtype in (0xFF, entry.subtype)
            and label in (None, entry.label)
        ]

    def info(self) -> tuple:
        """(type, subtype, offset, size, label, is_encrypted)"""
        e = self._entry
        return (e.type, e.subtype, e.offset, e.size, e.label, False)

    def _address(self, block, offset, size):
        start = block * SECTOR_SIZE + offset
        if block < 0 or offset < 0 or start + size > self._entry.size:
            raise OSError(_EINVAL)
        return self._entry.offset + start

    def readblocks(self, block: int, buffer, offset: int = 0) -> None:
        address = self._address(block, offset, len(buffer))
        self._entry.chip.read(self._entry.index, address, buffer)

    def writeblocks(self, block: int, content, offset=None) -> None:
        """Programs at *offset*; without one, erases the blocks first (simple protocol)."""
        address = self._address(block, offset or 0, len(content))
        if offset is None:
            for i in range(len(content) // SECTOR_SIZE):
                self._entry.chip.erase(self._entry.index, address + i * SECTOR_SIZE)
        self._entry.chip.program(self._entry.index, address, content)

    def ioctl(self, op: int, argument: int = 0):
        if op == _IOCTL_BLOCK_COUNT:
            return self._entry.size // SECTOR_SIZE
        if op == _IOCTL_BLOCK_SIZE:
            return SECTOR_SIZE
        if op == _IOCTL_ERASE:
            self._entry.chip.erase(self._entry.index, self._address(argument, 0, SECTOR_SIZE))
            return 0
        return None
