# SPDX-License-Identifier: MIT
"""What recovery reads: the header of every sector, and the newest sector whole.

Reads only. What it finds is what the flash shows now; firming it is the ring's duty.
"""

import struct
from array import array

from . import ringframe
from .flashregion import RingError
from .ringframe import HEADER_SIZE, SLOT_SIZE

_BLANK_SLOT = b"\xff" * SLOT_SIZE


class Survey:
    """Headers of all sectors.

    newest   the sector with the highest sector_seq; None on a blank region
    firsts   index of each sector's first entry; an unused sector repeats its successor's
    log_id   of the log found
    is_next_valid  the sector after the newest carries a valid header
    """

    def __init__(self, flash, sector_count: int):
        """Reads every header of *flash*. Raises RingError, OSError."""
        self.newest = None
        self.log_id = 0
        self.is_next_valid = False
        self.firsts = array("I", [0] * sector_count)
        self._seqs = array("I", [0] * sector_count)
        strange_count = 0
        header = bytearray(HEADER_SIZE)
        for sector in range(sector_count):
            flash.read(sector, 0, header)
            fields = ringframe.parse_header(header)
            if fields is not None:
                self._note_header(sector, fields, sector_count)
            elif not ringframe.is_empty_header(header):
                strange_count += 1
        if self.newest is not None:
            self._keep_fitting(sector_count)
        elif strange_count > 1:
            # One is excused: a cut in the very first append or in `format` leaves anything there.
            raise RingError("foreign", "neither blank nor a log; format it to use it")

    def _note_header(self, sector, fields, sector_count):
        written_for, seq, first, _, log_id, _, _ = fields
        if written_for != sector_count:
            raise RingError("geometry", "written for %d sectors" % written_for)
        if self.newest is not None and log_id != self.log_id:
            raise RingError("mixed logs", sector)
        self.log_id = log_id
        self._seqs[sector] = seq
        self.firsts[sector] = first
        if self.newest is None or seq > self._seqs[self.newest]:
            self.newest = sector

    def _keep_fitting(self, sector_count):
        """Keeps sectors whose sector_seq fits their place; the others count as unused."""
        newest_seq = self._seqs[self.newest]
        following = self.firsts[self.newest]
        for age in range(1, sector_count):
            sector = (self.newest - age) % sector_count
            seq = self._seqs[sector]
            if seq == 0 or seq != newest_seq - age or self.firsts[sector] > following:
                self.firsts[sector] = following
            following = self.firsts[sector]
        self.is_next_valid = self._seqs[(self.newest + 1) % sector_count] != 0


class Scan:
    """One sector: its header, its frames, and where its last writes left traces.

    entry_count  entries (free marks not counted)
    freed, lost, note  newest values, of the header or the frames after it
    last_slot    slot of the last valid frame, -1 without one
    last_entry   slot of the last entry, -1 without one
    end          first slot after the last valid frame
    used         first slot after the last one that a write may have touched, >= end
    """

    def __init__(self, buffer, slot_count: int, size_max: int):
        fields = ringframe.parse_header(buffer)
        if fields is None:
            raise OSError("header unreadable")  # it was valid a moment ago
        _, self.sector_seq, self.first, self.freed, self.log_id, self.lost, self.note = fields
        self.entry_count = 0
        self.last_slot = -1
        self.last_entry = -1
        self.end = 0
        self.used = 0
        self._buffer = buffer
        self._size_max = size_max
        slot = 0
        while slot < slot_count:
            slot += self._take(slot, slot_count - slot)
        self.used = min(self.used, slot_count)

    def newest_entry(self) -> tuple | None:
        """Returns (kind, payload) of the last entry, None without one."""
        if self.last_entry < 0:
            return None
        offset = ringframe.slot_offset(self.last_entry)
        kind = ringframe.frame_kind(self._buffer, offset)
        return kind, ringframe.frame_payload(self._buffer, offset)

    def _take(self, slot, left):
        """Looks at one slot or one frame; returns how many slots were dealt with."""
        offset = ringframe.slot_offset(slot)
        count = ringframe.frame_slots(self._buffer, offset, self._size_max)
        place = ringframe.place(self.log_id, self.sector_seq, slot)
        if 0 < count <= left and ringframe.is_frame_intact(self._buffer, offset, count, place):
            self._note_frame(offset, slot, count)
            return count
        if self._buffer[offset : offset + SLOT_SIZE] != _BLANK_SLOT:
            # A torn head still tells how far its write may have reached: a page of it can
            # read blank now and programmed later.
            self.used = max(self.used, slot + max(count, 1))
        return 1

    def _note_frame(self, offset, slot, count):
        kind = ringframe.frame_kind(self._buffer, offset)
        if kind == ringframe.KIND_FREE:
            freed, lost = struct.unpack("<II", ringframe.frame_payload(self._buffer, offset))
            self.freed = max(self.freed, freed)
            self.lost = max(self.lost, lost)
        else:
            self.entry_count += 1
            self.last_entry = slot
        if kind == ringframe.KIND_NOTE:
            self.note = struct.unpack_from("<I", ringframe.frame_payload(self._buffer, offset))[0]
        self.last_slot = slot
        self.end = slot + count
        self.used = max(self.used, self.end)
