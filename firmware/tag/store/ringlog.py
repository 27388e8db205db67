# SPDX-License-Identifier: MIT
"""Append-only ring of framed entries on raw NOR flash: the base of every store of the tag.

Promises, whatever moment the power fails at (proof table: docs/power-loss.md):
* an entry is durable when `append` returns, whole and bit-exact, else absent;
* entries are numbered 0, 1, 2, ... without gap; no number is ever given twice;
* nothing that was not freed is overwritten: a full ring raises RingFull; or, if it is told to
  overwrite, it counts what it gave up, exactly;
* opening programs only bits that are there already: boots that append nothing burn nothing.

    sector j+1        sector j (active)
    [old entries]     [H|e e e F e e ..........]     H header, e entry, F free mark
     reused next, once all its entries are freed

What a power cut may have left after the last valid frame (torn frames, bits that read blank
now and programmed later) is zeroed before the first append of a life, not at boot.
"""

import os
import struct

from micropython import const

from . import ringframe, ringopen, ringread
from .flashregion import SECTOR_SIZE, FlashRegion, RingError  # noqa: F401 (RingError: users)
from .ringframe import SLOT_COUNT
from .ringtail import Tail
from .sectormap import SectorMap

_SECTORS_MIN = const(3)
_LOST_AT = const(4)  # in a mark, after freed


class RingFull(Exception):
    """No room without overwriting entries that are not freed. Nothing was written."""


class Ring:
    """Ring log in *sector_count* sectors of *device*, from *first_sector* on.

    *device* speaks the extended block protocol (esp32.Partition). *entry_size_max*: longest
    payload, bytes. *reserve_slots*: slots that entries of a full ring leave to free marks.
    *reserve_sectors*: sectors that ordinary entries of a full ring leave to urgent ones.
    *overwrites*: a full ring gives up its oldest sector, freed or not, and counts in `lost`.
    An entry never spans sectors, so up to slots_for(entry_size_max) - 1 slots at the end of a
    sector stay unused. *slot_count*: slots of a sector, smaller in tests only. *hint* keeps
    (log_id, sector, sector_seq, first) over a reset (rtcmemory.RingHint) or is None.
    *entropy(size)* gives the random log_id.
    """

    def __init__(
        self,
        device,
        first_sector: int,
        sector_count: int,
        *,
        entry_size_max: int,
        reserve_slots: int,
        reserve_sectors: int = 0,
        overwrites: bool = False,
        slot_count: int = SLOT_COUNT,
        hint=None,
        entropy=os.urandom,
    ):
        if sector_count < _SECTORS_MIN:
            raise ValueError("sector_count")
        if not 0 <= reserve_sectors <= sector_count - _SECTORS_MIN:
            raise ValueError("reserve_sectors")
        if ringframe.slots_for(entry_size_max) > slot_count - reserve_slots:
            raise ValueError("entry_size_max")
        self.flash = FlashRegion(device, first_sector, sector_count)
        self.sector_count = sector_count
        self.slot_count = slot_count
        self.entry_size_max = entry_size_max
        self.overwrites = overwrites
        self._reserve_slots = reserve_slots
        self._reserve_sectors = reserve_sectors
        self._hint = hint
        self._entropy = entropy
        self.is_open = False
        self.log_id = 0  # random, one per format
        self.next = 0  # index the next entry gets; moves when the entry is durable
        self.freed = 0  # entries below may be overwritten, or were
        self._noted = 0  # of freed, what flash says; less only after a failed sector change
        self.lost = 0  # entries overwritten that were not freed, since the format
        self.note = 0  # newest KIND_NOTE word
        self._map = SectorMap(self.flash, sector_count)
        self._tail = Tail(self.flash, self._map, slot_count, entry_size_max)
        self._mark = bytearray(8)
        self._reader = ringread.Reader(self)

    # ---- recovery

    def open(self) -> None:
        """Recovers the ring: one read a sector, one of the newest; at most two programs.

        One or two reads if the hint holds. Raises RingError (encrypted, block size, too small,
        foreign, geometry, mixed logs) and then has written nothing; OSError from the device.
        """
        self.flash.check()
        self.is_open = False
        hint = self._hint.load() if self._hint else None
        found = ringopen.find(
            self.flash, self.sector_count, self.slot_count, self.entry_size_max, hint
        )
        if found is None:
            self._start_blank(0)
        else:
            self._adopt(found)
        self.is_open = True

    def _start_blank(self, index):
        """An empty ring: the first append opens sector 0. Writes nothing."""
        self.log_id = struct.unpack("<I", self._entropy(4))[0]
        self.next = self.freed = self._noted = index
        self.note = self.lost = 0
        self._map.clear(index)
        self._reader.reset()
        self._tail.clear()

    def _adopt(self, found):
        """Takes the newest sector as the active one and makes what it says firm."""
        scan = found.scan
        self.log_id, self.note = scan.log_id, scan.note
        self._map.adopt(found.sector, scan.sector_seq, scan.log_id, found.firsts)
        self.next = scan.first + scan.entry_count
        # A cut can fall between the erase of the next sector and the header that would say
        # what is gone with it. That was not freed durably, so it counts.
        self.freed = self._noted = max(scan.freed, self.first)
        self.lost = scan.lost + self.freed - scan.freed
        self._tail.adopt(scan, found.is_next_valid)
        found.firm_last_write(self.flash)
        if self.lost > scan.lost and not found.is_next_valid:
            # Before anybody is told: an old header that comes back would bring them back.
            self._tail.zero_next_header()
        self._remember()
        self._reader.reset()
        if scan.last_entry >= 0:
            # The newest entry is what the user reads first: no search, no read for it.
            self._reader.place(found.sector, scan.sector_seq, scan.last_entry, self.next - 1)
            self._reader.hold(self.next - 1, scan.newest_entry())
        elif found.before is not None and self.next > self.first:
            ringread.hold_from(self, self._reader, scan.sector_seq - 1, found.before)

    def _remember(self):
        """Keeps where the newest sector is over the next reset. No promise rests on it."""
        if self._hint:
            sectors = self._map
            first = sectors.first() if sectors.active_seq < self.sector_count else 0
            self._hint.store(self.log_id, sectors.active, sectors.active_seq, first)

    # ---- writing

    def append(self, kind: int, payload, is_urgent: bool = False) -> int:
        """Commits one entry in one program call; returns its index.

        *kind* is 1..6. When this returns, the entry survives power loss. *is_urgent*: it may
        use the reserved sectors. Raises RingFull (nothing written). Raises OSError if the
        promise cannot be kept: the entry is absent for the rest of this life, and the next
        `open` may or may not find it.
        """
        size = len(payload)
        if not 1 <= kind <= ringframe.KIND_MAX or size > self.entry_size_max:
            raise ValueError("kind or size")
        count = ringframe.slots_for(size)
        self._make_room(count, 0 if is_urgent else self._reserve_sectors)
        self._tail.put(kind, payload, count)
        index = self.next
        self.next = index + 1
        if kind == ringframe.KIND_NOTE:
            self.note = struct.unpack_from("<I", payload, 0)[0]
        self._reader.release()
        return index

    def free(self, index: int) -> None:
        """Commits that entries below *index* may be overwritten. Idempotent, never moves back.

        Raises RingFull if there is no slot for the mark and it would free no sector either;
        OSError: the next `open` may or may not find the mark.
        """
        if index <= self._noted:
            return
        if index > self.next:
            raise ValueError("index")
        index = max(index, self.freed)
        self._tail.clear_suspects()
        if self._tail.left:
            struct.pack_into("<I", self._mark, 0, index)
            struct.pack_into("<I", self._mark, _LOST_AT, self.lost)
            self._tail.put(ringframe.KIND_FREE, self._mark, 1)
            self.freed = self._noted = index
        elif self._map.is_next_below(index):
            # The mark has no slot but frees the next sector, whose header will carry it. A cut
            # before that header leaves the sector empty and counts it (see _adopt).
            self._open_sector(index)
        else:
            raise RingFull

    def _make_room(self, count, spared):
        """Makes *count* slots free, in the next sector if need be. Raises RingFull.

        Leaves *spared* sectors that could still be opened. An entry that leaves fewer is
        refused even if the active sector, opened by an urgent one, has room for it. What is
        refused burns no slot.
        """
        left = self._tail.left
        if not (self.overwrites or self._map.is_next_below(self.freed, spared)):
            is_reserve_begun = spared and not self._map.is_next_below(self.freed, spared - 1)
            if is_reserve_begun or count > left - self._reserve_slots:
                raise RingFull
        self._tail.clear_suspects()
        if count > left:
            self._open_sector(self.freed)

    def _open_sector(self, freed):
        """Makes the next sector the active one; its header says freed, and what was lost."""
        before = max(freed, self.first)
        # Readers must see at once that these entries are gone, and so must a second try.
        self._map.drop_next()
        self.lost += max(0, self.first - before)
        self.freed = max(self.freed, self.first)
        freed = max(freed, self.first)
        seq = self._map.active_seq + 1
        self._tail.open_next(
            (self.sector_count, seq, self.next, freed, self.log_id, self.lost, self.note)
        )
        self.freed = self._noted = freed
        self._remember()

    def settle(self) -> None:
        """Makes sure that an entry which is not there now never comes to life later.

        For who decides something elsewhere by an entry's absence. Costs what the first append
        of a life costs; nothing after it. A cut here: the entry is still undecided.
        """
        self._tail.clear_suspects()

    # ---- reading

    def read(self, index: int) -> tuple:
        """Returns (kind, payload). Raises IndexError, RingError("corrupt"), OSError."""
        return self._reader.read(index)

    def read_newest(self) -> tuple:
        """Returns (kind, payload) of the newest entry: no read right after `open`, else few.

        Raises IndexError without one, RingError("corrupt"), OSError.
        """
        return ringread.read_newest(self, self._reader)

    def entries(self, from_index: int = 0, end: int | None = None):
        """Yields (index, kind, payload) of what is held now, from *from_index* to before *end*.

        Appends may go on meanwhile; entries overwritten under the reader are a step in index.
        """
        return ringread.entries(self, from_index, self.next if end is None else end)

    @property
    def first(self) -> int:
        """Index of the oldest entry held; `next` if none is."""
        return self._map.first()

    @property
    def kept_sectors(self) -> int:
        """Sectors that may not be overwritten."""
        return self._map.count_kept(self.freed, self.next)

    @property
    def fill_permille(self) -> int:
        """Share of the sectors that may not be overwritten, 0..1000."""
        return self.kept_sectors * 1000 // self.sector_count

    @property
    def has_spare_sector(self) -> bool:
        """Whether an ordinary entry could open another sector."""
        return self.overwrites or self._map.is_next_below(self.freed, self._reserve_sectors)

    def place_of(self, index: int) -> tuple:
        """Returns (sector, its sector_seq, its first index, first index after it). For readers."""
        return self._map.place_of(index, self.next)

    # ---- erasing

    def format(self, first_index: int = 0) -> None:
        """Erases every sector; the ring is empty. A cut inside leaves part of it: format again.

        With *first_index*, numbers go on from there, durably.
        """
        for sector in range(self.sector_count):
            self.flash.erase(sector)
        self._start_blank(first_index)
        self.is_open = True
        if first_index:
            self._open_sector(first_index)

    def wipe(self) -> None:
        """Zeroes, then erases every sector, oldest first: no secret stays, not even weakly."""
        for age in range(1, self.sector_count + 1):
            self.flash.zero((self._map.active + age) % self.sector_count, 0, SECTOR_SIZE)
        self.format()
