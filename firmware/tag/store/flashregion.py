# SPDX-License-Identifier: MIT
"""A run of flash sectors: read, program, zero, erase. Knows pages, nothing of their content.

The device speaks the extended block protocol of esp32.Partition. A program only clears bits;
`writeblocks` is never called without an offset, which would erase.
"""

from micropython import const

SECTOR_SIZE = const(4096)
# A program command of the chip touches one page; the driver waits before the next.
PAGE_SIZE = const(256)

_IOCTL_SECTOR_COUNT = const(4)
_IOCTL_SECTOR_SIZE = const(5)
_IOCTL_ERASE = const(6)
_IS_ENCRYPTED = const(5)  # index in what esp32.Partition.info() returns
_ZEROS = bytes(PAGE_SIZE)


class RingError(Exception):
    """The flash region must not be used; args are (reason, detail). Nothing was written."""


_FAULTS = {
    "encrypted": "the partition is encrypted; the log needs one without that flag",
    "block size": "the flash has sectors of %s B, not 4096",
    "too small": "the partition has only %s sectors",
    "foreign": "the partition holds something that is no log",
    "geometry": "the log was %s, the partition has another size now",
    "mixed logs": "sector %s belongs to another log",
    "pair": "journal and record log do not belong together (%s)",
    "corrupt": "entry %s is damaged",
}


def fault_text(error) -> str:
    """A RingError in words for a person: where, if it is known, and what."""
    reason, detail = error.args[:2]
    text = _FAULTS.get(reason, str(reason) + " %s")
    if "%s" in text:
        text = text % detail
    return "%s: %s" % (error.args[2], text) if len(error.args) > 2 else text


class FlashRegion:
    """*sector_count* sectors of *device* from *first_sector* on, numbered from 0."""

    def __init__(self, device, first_sector: int, sector_count: int):
        self._device = device
        self._first_sector = first_sector
        self._sector_count = sector_count

    def check(self) -> None:
        """Raises RingError if the device is encrypted, too small or of another block size."""
        info = getattr(self._device, "info", None)
        if info is not None and info()[_IS_ENCRYPTED]:
            # Blank would not read as 0xFF nor zeros as zeros: no guard would hold.
            raise RingError("encrypted", "use a partition without the encrypted flag")
        size = self._device.ioctl(_IOCTL_SECTOR_SIZE, 0)
        if size != SECTOR_SIZE:
            raise RingError("block size", size)
        count = self._device.ioctl(_IOCTL_SECTOR_COUNT, 0)
        if count < self._first_sector + self._sector_count:
            raise RingError("too small", count)

    def read(self, sector: int, offset: int, buffer) -> None:
        """Fills *buffer* from *offset* of *sector*."""
        self._device.readblocks(self._first_sector + sector, buffer, offset)

    def program(self, sector: int, offset: int, content) -> None:
        """Clears bits. Durable on return; a cut inside may leave any part of it."""
        self._device.writeblocks(self._first_sector + sector, content, offset)

    def zero(self, sector: int, start: int, end: int) -> None:
        """Programs zeros from offset *start* to *end*, page by page from the end.

        So a cut inside leaves the beginning of the range as it was.
        """
        while end > start:
            page_start = max(start, (end - 1) // PAGE_SIZE * PAGE_SIZE)
            self.program(sector, page_start, memoryview(_ZEROS)[: end - page_start])
            end = page_start

    def erase(self, sector: int) -> None:
        """Sets all bits of *sector*. A cut inside may leave anything."""
        self._device.ioctl(_IOCTL_ERASE, self._first_sector + sector)
