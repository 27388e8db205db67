# SPDX-License-Identifier: MIT
"""Where a ring writes: the free slots of its active sector, and the change to the next one.

    slots of the active sector   e e e F e x x x x . . . .
                                           |       |
                                         slot   suspect_end

Slots from `slot` up to `suspect_end` may hold traces of an interrupted write; they are zeroed
before anything else is written. What a cut leaves at each step: docs/power-loss.md.
"""

from . import ringframe
from .ringframe import HEADER_SIZE
from .ringstage import FrameStage


class Tail:
    """The writing end of a ring in *flash*; *sectors* is its SectorMap."""

    def __init__(self, flash, sectors, slot_count: int, entry_size_max: int):
        self._flash = flash
        self._map = sectors
        self._slot_count = slot_count
        self._header = bytearray(HEADER_SIZE)
        self._stage = FrameStage(entry_size_max)
        self.clear()

    def clear(self) -> None:
        """No sector is open yet: the first frame opens one."""
        self.slot = self.suspect_end = self._slot_count
        # False while the next sector may hold a header that turns valid later.
        self.is_next_firm = False

    def adopt(self, scan, is_next_firm: bool) -> None:
        """Goes on after what *scan* found in the active sector."""
        self.slot = scan.end
        self.suspect_end = min(ringframe.page_end_slot(scan.used), self._slot_count)
        self.is_next_firm = is_next_firm
        self._stage.set_sector(scan.log_id, scan.sector_seq)

    @property
    def left(self) -> int:
        """Slots that can still take frames."""
        return self._slot_count - self.suspect_end

    def clear_suspects(self) -> None:
        """Makes sure that no trace of an interrupted write can come to life later.

        The head of a torn entry goes last, because it tells how far the trace may reach. A
        cut here leaves a state that the next life clears again.
        """
        if not self.is_next_firm:
            self.zero_next_header()
        if self.suspect_end == self.slot:
            return
        start = ringframe.slot_offset(self.slot)
        self._flash.zero(self._map.active, start, ringframe.slot_offset(self.suspect_end))
        self.slot = self.suspect_end

    def zero_next_header(self) -> None:
        """The next sector is not a listed one, now and later."""
        self._flash.zero(self._map.next_sector(), 0, HEADER_SIZE)
        self.is_next_firm = True

    def put(self, kind: int, payload, count: int) -> None:
        """Programs one frame of *count* slots. Raises OSError: then these slots are suspect."""
        frame = self._stage.put(kind, payload, self.slot)
        # Set before the program: if it raises, these slots are suspect.
        self.suspect_end = self.slot + count
        self._flash.program(self._map.active, ringframe.slot_offset(self.slot), frame)
        self.slot = self.suspect_end

    def open_next(self, fields) -> None:
        """Erases the next sector and makes it the active one, with header *fields*.

        A cut up to the header's last bit leaves that sector unused and the active one as it
        is. A header that reads invalid then is zeroed before the next append.
        """
        sector = self._map.next_sector()
        self.is_next_firm = False
        # Else a torn erase could leave a valid header over missing frames.
        self._flash.zero(sector, 0, HEADER_SIZE)
        self._flash.erase(sector)
        _, seq, first, _, log_id, _, _ = fields
        ringframe.pack_header(self._header, fields)
        self._flash.program(sector, 0, self._header)
        self._map.advance(first)
        self.slot = self.suspect_end = 0
        self.is_next_firm = True
        self._stage.set_sector(log_id, seq)
