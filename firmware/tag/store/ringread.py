# SPDX-License-Identifier: MIT
"""Reads entries of a ring by index, one after the other at one or two reads each.

Programmed slots never change, so a reader needs no lock. Only the reuse of a whole sector can
take an entry away under it: the ring moves `first` before it touches the sector, and the
reader looks at `first` again after its read.
"""

from . import ringframe
from .flashregion import RingError
from .ringframe import HEADER_SIZE, SLOT_SIZE
from .ringscan import Scan


class Reader:
    """A position in *ring*. Reading index, index + 1, ... costs no search."""

    def __init__(self, ring):
        self._ring = ring
        self._head = bytearray(SLOT_SIZE)
        self._held = None
        self.reset()

    def reset(self) -> None:
        """Forgets the position, and what is held."""
        self._held = None
        self.place(-1, 0, 0, 0)

    def hold(self, index: int, entry) -> None:
        """Keeps *entry*, (kind, payload), that recovery read on its way, until `release`."""
        self._held = (index, entry)

    def release(self) -> None:
        """Gives the memory of what is held back."""
        self._held = None

    def is_held(self, index: int) -> bool:
        """True if entry *index* can be had without a read."""
        return self._held is not None and self._held[0] == index

    def place(self, sector: int, sector_seq: int, slot: int, index: int) -> None:
        """Sets the position: entry *index* is the first at or after *slot*."""
        self._sector = sector
        self._sector_seq = sector_seq
        self._slot = slot
        self._index = index

    def read(self, index: int) -> tuple:
        """Returns (kind, payload). Raises IndexError if the ring does not hold *index*.

        Also when it was overwritten during the read. Raises RingError("corrupt", index) if
        the flash lost it, OSError from the device.
        """
        ring = self._ring
        if not ring.first <= index < ring.next:
            raise IndexError(index)
        if self.is_held(index):
            return self._held[1]
        self._seek(index)
        count = self._skip_to(index)
        buffer = self._head
        if count > 1:
            buffer = bytearray(count * SLOT_SIZE)
            ring.flash.read(self._sector, ringframe.slot_offset(self._slot), buffer)
        if index < ring.first:
            raise IndexError(index)
        frame_place = ringframe.place(ring.log_id, self._sector_seq, self._slot)
        if not ringframe.is_frame_intact(buffer, 0, count, frame_place):
            raise RingError("corrupt", index)
        self._slot += count
        self._index = index + 1
        return ringframe.frame_kind(buffer, 0), ringframe.frame_payload(buffer, 0)

    def _seek(self, index):
        """Goes to the start of the entry's sector, unless it lies ahead in this one."""
        sector, sector_seq, first, _ = self._ring.place_of(index)
        if (sector, sector_seq) != (self._sector, self._sector_seq) or self._index > index:
            self.place(sector, sector_seq, 0, first)

    def _skip_to(self, index):
        """Walks frame heads up to the entry's; returns its slot count."""
        ring = self._ring
        while self._slot < ring.slot_count:
            ring.flash.read(self._sector, ringframe.slot_offset(self._slot), self._head)
            count = ringframe.frame_slots(self._head, 0, ring.entry_size_max)
            is_entry = count and ringframe.frame_kind(self._head, 0) != ringframe.KIND_FREE
            if is_entry and self._index == index:
                if self._slot + count > ring.slot_count:
                    break
                return count
            if is_entry:
                self._index += 1
            self._slot += count or 1
        self.reset()
        if index < ring.first:
            raise IndexError(index)
        raise RingError("corrupt", index)


def entries(ring, start: int, end: int):
    """Yields (index, kind, payload) for the entries in [start, end), oldest first.

    The ring may grow and rotate meanwhile; entries overwritten under the reader show as a
    step in the index. Raises as `Reader.read`, IndexError excepted.
    """
    reader = Reader(ring)
    index = max(start, ring.first)
    while index < min(end, ring.next):
        try:
            kind, payload = reader.read(index)
        except IndexError:
            index = max(index + 1, ring.first)
            continue
        yield index, kind, payload
        index += 1


def read_newest(ring, reader) -> tuple:
    """Returns (kind, payload) of the newest entry of *ring*; see `Ring.read_newest`."""
    index = ring.next - 1
    if index < ring.first or reader.is_held(index):
        return reader.read(index)
    # Far from its sector's start, most likely: one read of the whole is cheaper than a walk.
    # No header is asked for first, as a map that started warm would have to.
    active, seq, first, _ = ring.place_of(ring.next)
    buffer = bytearray(ringframe.slot_offset(ring.slot_count))
    for age in range(0 if index >= first else 1, ring.sector_count):
        ring.flash.read((active - age) % ring.sector_count, 0, buffer)
        scan = _scan_of(ring, seq - age, buffer)
        if scan is None or scan.first + scan.entry_count != ring.next:
            break  # something rotted: the map decides
        if scan.entry_count:
            return scan.newest_entry()
    return reader.read(index)


def hold_from(ring, reader, sector_seq: int, buffer) -> None:
    """Keeps the newest entry of *ring* if *buffer*, sector *sector_seq* whole, ends with it."""
    scan = _scan_of(ring, sector_seq, buffer)
    if scan and scan.entry_count and scan.first + scan.entry_count == ring.next:
        reader.hold(ring.next - 1, scan.newest_entry())


def _scan_of(ring, sector_seq: int, buffer):
    """Returns the Scan of a sector's content, None if it is not *sector_seq* of *ring*."""
    fields = ringframe.parse_header(buffer)
    expected = (ring.sector_count, sector_seq, ring.log_id)
    if fields is None or (fields[0], fields[1], fields[4]) != expected:
        return None
    return Scan(buffer, ring.slot_count, ring.entry_size_max)


def note_before(ring, index: int) -> tuple:
    """Returns (note, start): the note in force where the sector that holds *index* starts.

    The entries from *start* up to *index* may hold newer ones.
    """
    sector, _, start, _ = ring.place_of(index)
    header = bytearray(HEADER_SIZE)
    ring.flash.read(sector, 0, header)
    fields = ringframe.parse_header(header)
    # A blank ring has no header yet.
    return (ring.note if fields is None else fields[6]), start
