# SPDX-License-Identifier: MIT
"""Where everything durable lies, by the flash map of board.json (design: flash map).

keys  sector 0, 1   epoch seeds, a sector each     (KeySlots)
      sector 2..    state ring                     (StateStore)
log   sector 0..15  journal                        (Journal)
      the rest      record log                     (RecordLog)
"""

from micropython import const

from . import rtcmemory
from .flashregion import RingError
from .journal import Journal
from .keyslots import KeySlots
from .recordlog import RecordLog
from .ringlog import Ring
from .rtcmemory import RingHint
from .statestore import StateStore

_SEED_SECTORS = const(2)
_JOURNAL_SECTORS = const(16)
_JOURNAL_ENTRY_MAX = const(768)
_RECORD_ENTRY_MAX = const(1100)
_STATE_ENTRY_MAX = const(768)
# Slots kept free so that a full ring can still take the mark that frees it: an unclean boot
# may burn 16 of them (docs/power-loss.md), and marks need a few more.
_RESERVE_SLOTS = const(24)
# Sectors that a full log keeps for urgent entries: receipts, custody, the end of a trip.
_RECORD_RESERVE_SECTORS = const(2)
_JOURNAL_RESERVE_SECTORS = const(1)
# Block protocol, ioctl: number of sectors.
_IOCTL_SECTOR_COUNT = const(4)


class Storage:
    """The four stores, opened. *keys* and *log* are block devices (esp32.Partition).

    *rtc* has `memory()` and `memory(bytes)`, which survive a reset: the logs then start warm.
    """

    def __init__(self, keys, log, rtc=None):
        self._keys = keys
        self.key_slots = KeySlots(keys, 0, 1)
        state_sectors = keys.ioctl(_IOCTL_SECTOR_COUNT, 0) - _SEED_SECTORS
        record_sectors = log.ioctl(_IOCTL_SECTOR_COUNT, 0) - _JOURNAL_SECTORS
        self._state_ring = _ring(keys, _SEED_SECTORS, state_sectors, _STATE_ENTRY_MAX)
        self._journal_ring = _ring(
            log,
            0,
            _JOURNAL_SECTORS,
            _JOURNAL_ENTRY_MAX,
            _JOURNAL_RESERVE_SECTORS,
            RingHint(rtc, rtcmemory.JOURNAL) if rtc else None,
        )
        # A log of a few sectors, as in tests, can spare fewer.
        spared = min(_RECORD_RESERVE_SECTORS, record_sectors // 4)
        self._record_ring = _ring(
            log,
            _JOURNAL_SECTORS,
            record_sectors,
            _RECORD_ENTRY_MAX,
            spared,
            RingHint(rtc, rtcmemory.RECORDS) if rtc else None,
        )
        self.state = StateStore(self._state_ring)
        self.journal = Journal(self._journal_ring)
        self.records = RecordLog(self._record_ring)

    def open(self) -> None:
        """Recovers every store; idempotent. Raises RingError on a device it must not use."""
        for name, ring in (
            ("keys, state", self._state_ring),
            ("log, journal", self._journal_ring),
            ("log, records", self._record_ring),
        ):
            try:
                ring.open()
            except RingError as e:
                # Which region it is decides what its owner has to do.
                raise RingError(e.args[0], e.args[1], name)
        self.state.open()
        self.journal.open()
        self.records.open()

    def format_log(self) -> None:
        """Erases journal and records: a new chain begins. The caller has asked permission."""
        self._journal_ring.format()
        self._record_ring.format()
        self.journal.open()
        self.records.open()

    @property
    def fill_permille(self) -> int:
        """How much of the record log may not be overwritten, 0..1000."""
        return self._record_ring.fill_permille


def _ring(device, first_sector, sector_count, entry_size_max, reserve_sectors=0, hint=None):
    return Ring(
        device,
        first_sector,
        sector_count,
        entry_size_max=entry_size_max,
        reserve_slots=_RESERVE_SLOTS,
        reserve_sectors=reserve_sectors,
        hint=hint,
    )
