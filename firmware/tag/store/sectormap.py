# SPDX-License-Identifier: MIT
"""Which sector of a ring holds which entries: 4 B of RAM a sector, nothing per entry.

    physical   0    1    2    3    4         active = 2
    age        3    4    5    1    2         the next sector, 3, is the oldest

A sector's entries end where its successor's begin. A sector without entries (never used, or
given up for reuse) repeats its successor's first index. After a warm start most first indexes
are not known; each costs one read of a header when it is first asked for.
"""

from array import array

from micropython import const

from . import ringframe
from .ringframe import HEADER_SIZE

UNKNOWN = const(0xFFFFFFFF)


class SectorMap:
    """Maps entry indexes to sectors of *flash*. Raises OSError where a header must be read."""

    def __init__(self, flash, sector_count: int):
        self._flash = flash
        self._count = sector_count
        self.clear(0)

    def clear(self, index: int) -> None:
        """An empty ring whose first entry gets *index*; sector 0 is next."""
        self.active = self._count - 1
        self.active_seq = 0
        self._log_id = 0
        self._firsts = array("I", [index] * self._count)

    def adopt(self, active: int, active_seq: int, log_id: int, firsts) -> None:
        """Takes what recovery found; *firsts* by sector, UNKNOWN where it did not look."""
        self.active = active
        self.active_seq = active_seq
        self._log_id = log_id
        self._firsts = firsts

    def next_sector(self) -> int:
        """Returns the sector after the active one: the oldest, the next to be reused."""
        return (self.active + 1) % self._count

    def first(self) -> int:
        """Returns the index of the oldest entry."""
        return self._first_of(1)

    def is_next_below(self, freed: int, spared: int = 0) -> bool:
        """True if all entries of the next sector and *spared* more are below *freed*."""
        return self._first_of(2 + spared) <= freed

    def drop_next(self) -> None:
        """The next sector's entries are gone."""
        self._firsts[self.next_sector()] = self._first_of(2)

    def advance(self, index: int) -> None:
        """The next sector is the active one, empty; its first entry will be *index*."""
        self.active = self.next_sector()
        self.active_seq += 1
        self._firsts[self.active] = index

    def place_of(self, index: int, next_index: int) -> tuple:
        """Returns (sector, its sector_seq, its first index, first index after it)."""
        age = self._count
        if index < self._first_of(age):
            # What is asked for most lies in the newest sectors: no search, few headers.
            age -= 1
            if index < self._first_of(age):
                age = self._age_at(index)
        sector = (self.active + age) % self._count
        end = next_index if age == self._count else self._first_of(age + 1)
        return sector, self.active_seq - (self._count - age), self._firsts[sector], end

    def count_kept(self, freed: int, next_index: int) -> int:
        """Returns how many sectors hold an entry in [*freed*, *next_index*) or lie between."""
        kept = 1 if next_index > max(freed, self._first_of(self._count)) else 0
        return kept + self._count - max(1, self._age_at(freed))

    def learn_all(self):
        """Reads every header not known and returns the first indexes, by sector."""
        following = self._firsts[self.active]
        for age in range(self._count - 1, 0, -1):
            sector = (self.active + age) % self._count
            if self._firsts[sector] == UNKNOWN:
                first = self._read_first(age)
                # As recovery does: what does not fit its place counts as unused.
                self._firsts[sector] = following if first is None else min(first, following)
            following = self._firsts[sector]
        return self._firsts

    def _age_at(self, index):
        """Returns the highest age whose first index is not above *index*; 1 if none is."""
        low, high = 1, self._count
        while low < high:
            middle = (low + high + 1) // 2
            if self._first_of(middle) <= index:
                low = middle
            else:
                high = middle - 1
        return low

    def _first_of(self, age):
        sector = (self.active + age) % self._count
        if self._firsts[sector] == UNKNOWN:
            first = self._read_first(age)
            if first is None:
                self.learn_all()
            else:
                self._firsts[sector] = first
        return self._firsts[sector]

    def _read_first(self, age):
        """Returns the first index in the header of a sector, None if it is not of this lap."""
        header = bytearray(HEADER_SIZE)
        self._flash.read((self.active + age) % self._count, 0, header)
        fields = ringframe.parse_header(header)
        expected = (self._count, self.active_seq - (self._count - age), self._log_id)
        if fields is None or (fields[0], fields[1], fields[4]) != expected:
            return None
        return fields[2]
