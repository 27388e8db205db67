# SPDX-License-Identifier: MIT
"""Finds a ring's newest sector at boot: cold by every header, warm by a hint from a reset ago.

    cold   one header a sector, then the newest sector whole
    warm   the sector of the hint whole with the header of the next one behind it: 1 read;
           at the end of the region that header, then the last two sectors whole: 2 reads

A hint is believed only if flash shows the same log, sector and sector_seq there, and no sign
of a successor: the next header is the one of a lap ago, or blank in the first lap. While the
ring is unbroken that proves the sector to be the newest. All else is read cold. So a hint
that is stale, torn or foreign costs reads and changes nothing.
"""

from array import array

from . import ringframe
from .flashregion import SECTOR_SIZE
from .ringframe import HEADER_SIZE
from .ringscan import Scan, Survey
from .sectormap import UNKNOWN


class Found:
    """A ring as flash shows it.

    sector         the newest one; *scan* of it, *buffer* its content
    firsts         first index by sector, UNKNOWN where a warm start did not look
    is_next_valid  the sector after the newest carries a valid header
    before         the sector before the newest, if it was read on the way; else None
    """

    def __init__(self, sector: int, scan, buffer, firsts, is_next_valid: bool, before=None):
        self.sector = sector
        self.scan = scan
        self.buffer = buffer
        self.firsts = firsts
        self.is_next_valid = is_next_valid
        self.before = before

    def firm_last_write(self, flash) -> None:
        """Programs the newest frame again, the same bits, so that weak zeros become firm.

        Before any reader sees it: else it could be sealed or sent, and then vanish. A cut here
        leaves what was there. Without a frame, the header was the last write.
        """
        offset, end = 0, HEADER_SIZE
        if self.scan.last_slot >= 0:
            offset = ringframe.slot_offset(self.scan.last_slot)
            end = ringframe.slot_offset(self.scan.end)
        flash.program(self.sector, offset, memoryview(self.buffer)[offset:end])


def find(flash, sector_count: int, slot_count: int, size_max: int, hint) -> Found | None:
    """Returns what the ring holds, None on a blank region. Reads only.

    *hint*: (log_id, sector, sector_seq, first index of the ring) or None. Raises RingError
    (foreign, geometry, mixed logs), OSError.
    """
    if hint is not None and hint[1] < sector_count:
        found = _find_warm(flash, sector_count, slot_count, size_max, hint)
        if found is not None:
            return found
    buffer = bytearray(ringframe.slot_offset(slot_count))
    survey = Survey(flash, sector_count)
    if survey.newest is None:
        return None
    flash.read(survey.newest, 0, buffer)
    scan = Scan(buffer, slot_count, size_max)
    return Found(survey.newest, scan, buffer, survey.firsts, survey.is_next_valid)


def _find_warm(flash, sector_count, slot_count, size_max, hint):
    log_id, sector, seq, first = hint
    buffer, header, before = _read_both(flash, sector, sector_count)
    fields = ringframe.parse_header(buffer)
    if fields is None or (fields[0], fields[1], fields[4]) != (sector_count, seq, log_id):
        return None
    following = (sector + 1) % sector_count
    firsts = array("I", [UNKNOWN] * sector_count)
    is_first_lap = seq < sector_count
    if is_first_lap:
        if sector != seq - 1 or not ringframe.is_blank_header(header):
            return None
        for unused in range(following, sector_count):
            firsts[unused] = first
    else:
        old = ringframe.parse_header(header)
        expected = (sector_count, seq + 1 - sector_count, log_id)
        if old is None or (old[0], old[1], old[4]) != expected:
            return None
        firsts[following] = old[2]
    firsts[sector] = fields[2]
    scan = Scan(buffer, slot_count, size_max)
    return Found(sector, scan, buffer, firsts, not is_first_lap, before)


def _read_both(flash, sector, sector_count):
    """Returns (*sector* whole, the header of the next one, the sector before or None)."""
    if sector + 1 < sector_count:
        buffer = bytearray(SECTOR_SIZE + HEADER_SIZE)
        flash.read(sector, 0, buffer)
        return buffer, buffer[SECTOR_SIZE:], None
    # The next header is far off and costs a read of its own. So the sector before comes with
    # this one, in case the newest entry stands there.
    header = bytearray(HEADER_SIZE)
    flash.read(0, 0, header)
    buffer = bytearray(2 * SECTOR_SIZE)
    flash.read(sector - 1, 0, buffer)
    return buffer[SECTOR_SIZE:], header, buffer
