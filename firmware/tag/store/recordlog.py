# SPDX-License-Identifier: MIT
"""Record log: the signed records in order; a record's ring index is its seq.

Ring entry: journal_next u32 (little-endian) | record. journal_next says how far into the
journal the record reaches. So a cut between "record written" and "journal freed" is decided
at boot by one number: `recover_pair` frees the journal up to it. Nothing is sealed twice.
"""

import hashlib
import struct

from micropython import const

from .flashregion import RingError

RECORD_ENTRY = const(1)
_NEXT_SIZE = const(4)


class RecordLog:
    """Sealed records in *ring*. Records are kept until a receipt covers them."""

    def __init__(self, ring):
        self._ring = ring
        self._journal_next = None  # of the newest record; read when first asked for
        self._head_hash = None

    def open(self) -> None:
        """Opens the ring unless it is. Raises RingError, OSError."""
        if not self._ring.is_open:
            self._ring.open()
        self._journal_next = self._head_hash = None

    @property
    def head_seq(self) -> int:
        """Seq of the newest record; -1 without one."""
        return self._ring.next - 1

    @property
    def head_hash(self) -> bytes | None:
        """SHA-256 of the newest record; None without one. Read from flash when first asked."""
        self._load_head()
        return self._head_hash

    @property
    def journal_next(self) -> int:
        """Journal entries below are in a record."""
        self._load_head()
        return self._journal_next or 0

    def _load_head(self):
        """Reads the newest record once in a life, for both numbers that stand in it."""
        if self._head_hash is None and self.head_seq >= 0:
            payload = self._ring.read_newest()[1]
            self._journal_next = struct.unpack_from("<I", payload)[0]
            self._head_hash = hashlib.sha256(payload[_NEXT_SIZE:]).digest()

    @property
    def first_seq(self) -> int:
        """Seq of the oldest record held; head_seq + 1 without one."""
        return self._ring.first

    @property
    def fill_permille(self) -> int:
        """Share of the sectors that may not be overwritten, 0..1000."""
        return self._ring.fill_permille

    @property
    def has_spare_sector(self) -> bool:
        """Whether an ordinary record could open another sector."""
        return self._ring.has_spare_sector

    @property
    def lost(self) -> int:
        """Records overwritten that no receipt covered, since the format; exact after any cut."""
        return self._ring.lost

    @property
    def overwrites(self) -> bool:
        """Whether a full log gives up its oldest records instead of refusing new ones."""
        return self._ring.overwrites

    @overwrites.setter
    def overwrites(self, is_on: bool) -> None:
        self._ring.overwrites = is_on

    def append(self, record: bytes, journal_next: int, is_urgent: bool = False) -> int:
        """Commits one record with how far into the journal it reaches. Returns its seq.

        An urgent one may use the reserved sectors of a full log. Raises as `Ring.append`.
        After OSError the same record may be appended again: its first try stays absent in
        this life.
        """
        seq = self._ring.append(RECORD_ENTRY, struct.pack("<I", journal_next) + record, is_urgent)
        # A cut here: the record is in, the journal not freed. `recover_pair` frees it.
        self._journal_next = journal_next
        self._head_hash = hashlib.sha256(record).digest()
        return seq

    def settle(self) -> None:
        """Makes sure that a record which is not there now never comes to life later."""
        self._ring.settle()

    def read(self, seq: int) -> bytes:
        """Returns the record. Raises IndexError if it is not held, RingError, OSError."""
        return self._ring.read(seq)[1][_NEXT_SIZE:]

    def first_readable(self, seq: int) -> int:
        """Returns the first seq from *seq* on whose record is held and whole; head_seq + 1
        without one. Raises OSError."""
        for one in range(max(seq, self.first_seq), self.head_seq + 1):
            try:
                self.read(one)
                return one
            except (IndexError, RingError):
                pass
        return self.head_seq + 1

    def records(self, from_seq: int = 0):
        """Yields (seq, record) of what is held now, from *from_seq* on; appends may go on."""
        for seq, _, payload in self._ring.entries(from_seq):
            yield seq, payload[_NEXT_SIZE:]

    @property
    def acknowledged(self) -> int:
        """Highest seq that a receipt covers; -1 without one."""
        return self._ring.freed - 1

    def acknowledge(self, seq: int) -> None:
        """Commits that a receipt covers the records up to and including *seq*.

        Never moves back. Raises ValueError beyond the head, RingFull, OSError.
        """
        self._ring.free(seq + 1)


def recover_pair(journal, records) -> None:
    """Frees the journal entries that the newest record covers. Both are open. Idempotent.

    Raises RingError("pair") if the record claims entries the journal never had: one of the
    two was formatted alone.
    """
    journal_next = records.journal_next
    if journal_next > journal.next:
        raise RingError("pair", "record log ahead of the journal")
    journal.free(journal_next)
