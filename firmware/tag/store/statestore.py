# SPDX-License-Identifier: MIT
"""Small durable values of the tag by number: the latest `put` wins, whatever gets cut.

Ring entries: put = key u8 | value; delete = key u8. The ring never fills: before an append,
while more than a third of the sectors are in use, the oldest sector's living values are
appended again, then its entries are freed. So one `put` writes at most what one sector holds,
per sector that it gains.

Overwritten and deleted values stay readable in flash until their sector is reused: secrets
go for certain only with `wipe` or `scrub`.
"""

from micropython import const

from .ringlog import RingFull

# Keys.
ACCESS_KEY = const(1)
CERTIFICATE = const(2)
FLEET_KEY = const(3)
FLEET_NEXT_HASH = const(4)
PROFILE = const(5)
TRIP = const(6)
PENDING_OFFER = const(7)
BOOT = const(8)
SESSION_NUMBER = const(9)
REVOCATION = const(10)
LOCKS = const(11)
CLOCK = const(12)
ALARM_SPENT = const(13)
REFUSED = const(14)  # readings and events that a full log did not take: logspace.py
FULL_POLICY = const(15)  # u8: 0 refuse new readings when the log is full, 1 overwrite old records
KEY_EPOCH = const(16)
SERIAL = const(17)
ENDED = const(18)  # after decommissioning: every secret is erased
_FILLER = const(255)

# What belongs to visitors of one enrolment.
_VISITOR_KEYS = (ACCESS_KEY, TRIP, PENDING_OFFER, SESSION_NUMBER, REVOCATION, LOCKS, ALARM_SPENT)
# What one enrolment learns besides, and the next must not inherit.
_ENROLMENT_KEYS = (KEY_EPOCH, ENDED, REFUSED, FULL_POLICY)
# What stays for the host until the log is purged: the records mean nothing without it.
_KEPT_AFTER_END = (CERTIFICATE, SERIAL)

VALUE_SIZE_MAX = const(640)
_PUT = const(1)
_DELETE = const(2)


class StateStore:
    """Values by key 0..255 in *ring*; RAM holds one index a key."""

    def __init__(self, ring):
        self._ring = ring
        self._indexes = None  # key -> index of its newest put; read when first asked for
        self._sectors_max = max(1, ring.sector_count // 3)

    def open(self) -> None:
        """Opens the ring unless it is. Raises RingError, OSError."""
        if not self._ring.is_open:
            self._ring.open()
        self._indexes = None

    def get(self, key: int) -> bytes | None:
        """Returns the value, or None."""
        index = self._living().get(key)
        return None if index is None else self._ring.read(index)[1][1:]

    def put(self, key: int, value) -> None:
        """Commits *value* (up to 640 B). A cut leaves the old or the new one, never neither.

        A value that is there already costs no write. Raises RingFull if the living values
        leave no room (nothing changed), OSError (old or new).
        """
        if not 0 <= key <= 255 or len(value) > VALUE_SIZE_MAX:
            raise ValueError("key or value")
        value = bytes(value)
        if self.get(key) == value:
            return
        self._compact()
        self._living()[key] = self._ring.append(_PUT, bytes((key,)) + value)

    def delete(self, key: int) -> None:
        """Commits that *key* has no value."""
        if key not in self._living():
            return
        self._compact()
        self._ring.append(_DELETE, bytes((key,)))
        del self._living()[key]

    def wipe_visitors(self) -> None:
        """Deletes what belongs to the visitors of one enrolment, one key after the other."""
        for key in _VISITOR_KEYS + _ENROLMENT_KEYS:
            self.delete(key)

    def delete_all_but_certificate(self) -> None:
        """Deletes what a decommissioned tag has no use for. A cut inside: call it again."""
        for key in sorted(self._living()):
            if key not in _KEPT_AFTER_END:
                self.delete(key)

    def scrub(self) -> None:
        """Writes the ring once around: no deleted or overwritten value is in flash any more.

        Living values survive a cut anywhere inside; then some dead ones do too: scrub again.
        Each sector is erased once; takes about a second.
        """
        start = self._sector_seq()
        # A sector holds at least one value, so this many fill every one of them.
        for number in range(256 * self._ring.sector_count):
            if self._sector_seq() - start >= self._ring.sector_count:
                break
            self.put(_FILLER, bytes((number & 255,)) * VALUE_SIZE_MAX)
        self.delete(_FILLER)

    def _sector_seq(self):
        """Number of the sector that holds the newest entry; it counts up for ever."""
        return self._ring.place_of(self._ring.next - 1)[1] if self._ring.next else 0

    def wipe(self) -> None:
        """Zeroes and erases all values, old ones too. A cut inside leaves some: wipe again."""
        self._ring.wipe()
        self._indexes = None

    def _living(self):
        if self._indexes is None:
            indexes = {}
            for index, kind, payload in self._ring.entries(self._ring.freed):
                if kind == _PUT:
                    indexes[payload[0]] = index
                else:
                    indexes.pop(payload[0], None)
            self._indexes = indexes
        return self._indexes

    def _compact(self):
        """Gains sectors until a third of them is in use; at most one round of the ring."""
        for _ in range(self._ring.sector_count):
            if self._ring.kept_sectors <= self._sectors_max:
                return
            self._move_oldest()
        raise RingFull

    def _move_oldest(self):
        """Appends the oldest sector's living values again, then frees its entries.

        A cut between leaves both copies, which are equal.
        """
        ring = self._ring
        living = self._living()
        end = ring.place_of(ring.freed)[3]
        for index, kind, payload in ring.entries(ring.freed, end):
            if kind == _PUT and living.get(payload[0]) == index:
                living[payload[0]] = ring.append(_PUT, payload)
        ring.free(end)
