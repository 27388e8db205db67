# SPDX-License-Identifier: MIT
"""Which sector of a ring holds which entries: 4 B of RAM a sector, nothing per entry.

    physical   0    1    2    3    4         active = 2
    age        3    4    5    1    2         the next sector, 3, is the oldest

A sector's entries end where its successor's begin. A sector without entries (never used, or
given up for reuse) repeats its successor's first index.
"""

from array import array


class SectorMap:
    """Maps entry indexes to sectors. No I/O."""

    def __init__(self, sector_count: int):
        self._count = sector_count
        self.clear(0)

    def clear(self, index: int) -> None:
        """An empty ring whose first entry gets *index*; sector 0 is next."""
        self.active = self._count - 1
        self.active_seq = 0
        self._firsts = array("I", [index] * self._count)

    def adopt(self, active: int, active_seq: int, firsts) -> None:
        """Takes what recovery found."""
        self.active = active
        self.active_seq = active_seq
        self._firsts = firsts

    def next_sector(self) -> int:
        """Returns the sector after the active one: the oldest, the next to be reused."""
        return (self.active + 1) % self._count

    def first(self) -> int:
        """Returns the index of the oldest entry."""
        return self._firsts[self.next_sector()]

    def is_next_below(self, freed: int, spared: int = 0) -> bool:
        """True if all entries of the next sector and *spared* more are below *freed*."""
        return self._firsts[(self.active + 2 + spared) % self._count] <= freed

    def drop_next(self) -> None:
        """The next sector's entries are gone."""
        self._firsts[self.next_sector()] = self._firsts[(self.active + 2) % self._count]

    def advance(self, index: int) -> None:
        """The next sector is the active one, empty; its first entry will be *index*."""
        self.active = self.next_sector()
        self.active_seq += 1
        self._firsts[self.active] = index

    def place_of(self, index: int, next_index: int) -> tuple:
        """Returns (sector, its sector_seq, its first index, first index after it)."""
        low, high = 1, self._count  # by age
        while low < high:
            middle = (low + high + 1) // 2
            if self._firsts[(self.active + middle) % self._count] <= index:
                low = middle
            else:
                high = middle - 1
        sector = (self.active + low) % self._count
        end = next_index if sector == self.active else self._firsts[(sector + 1) % self._count]
        return sector, self.active_seq - (self._count - low), self._firsts[sector], end

    def count_kept(self, freed: int, next_index: int) -> int:
        """Returns how many sectors hold an entry in [*freed*, *next_index*) or lie between."""
        kept = 1 if next_index > max(freed, self._firsts[self.active]) else 0
        for back in range(self._count - 1):
            # Sector `active - back - 1` ends where `active - back` begins.
            if self._firsts[(self.active - back) % self._count] <= freed:
                break
            kept += 1
        return kept
