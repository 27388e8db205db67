# SPDX-License-Identifier: MIT
"""Finds a ring's newest sector at boot: cold by every header, warm by a hint from a reset ago.

    cold   one header a sector, then the newest sector whole
    warm   the sector of the hint whole, then the header of the next one: 2 reads

A hint is believed only if flash shows the same log, sector and sector_seq there, and no sign
of a successor: the next header is the one of a lap ago, or blank in the first lap. While the
ring is unbroken that proves the sector to be the newest. All else is read cold. So a hint
that is stale, torn or foreign costs reads and changes nothing.
"""

from array import array

from . import ringframe
from .ringframe import HEADER_SIZE
from .ringscan import Scan, Survey
from .sectormap import UNKNOWN


class Found:
    """A ring as flash shows it.

    sector         the newest one; *scan* of it, *buffer* its content
    firsts         first index by sector, UNKNOWN where a warm start did not look
    is_next_valid  the sector after the newest carries a valid header
    """

    def __init__(self, sector: int, scan, buffer, firsts, is_next_valid: bool):
        self.sector = sector
        self.scan = scan
        self.buffer = buffer
        self.firsts = firsts
        self.is_next_valid = is_next_valid

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
    buffer = bytearray(ringframe.slot_offset(slot_count))
    found = None
    if hint is not None and hint[1] < sector_count:
        found = _find_warm(flash, sector_count, slot_count, size_max, hint, buffer)
    if found is not None:
        return found
    survey = Survey(flash, sector_count)
    if survey.newest is None:
        return None
    flash.read(survey.newest, 0, buffer)
    scan = Scan(buffer, slot_count, size_max)
    return Found(survey.newest, scan, buffer, survey.firsts, survey.is_next_valid)


def _find_warm(flash, sector_count, slot_count, size_max, hint, buffer):
    log_id, sector, seq, first = hint
    flash.read(sector, 0, buffer)
    fields = ringframe.parse_header(buffer)
    if fields is None or (fields[0], fields[1], fields[4]) != (sector_count, seq, log_id):
        return None
    following = (sector + 1) % sector_count
    header = bytearray(HEADER_SIZE)
    flash.read(following, 0, header)
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
    return Found(sector, scan, buffer, firsts, not is_first_lap)
