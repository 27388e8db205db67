# SPDX-License-Identifier: MIT
"""How much room the log has left: what is still taken, what was refused, what must be told.

    TAKING ──2 journal sectors unsealed, or custody drew on the reserve──> REFUSING
       ^                                                                      │ first refusal
       └──────────── an ordinary record fits again ──────────────── TOLD <────┘

The count of refused readings and events is durable with each of them and never falls during
an enrolment, so that a report said twice does no harm.

State value: refused u32, of these told in an event u32, stage u8, sessions not itemised u16;
little-endian. A cut before a put: the entry was never asked for, or is told once more.
"""

import struct

from micropython import const

from ..store import statestore

FILLING_PERMILLE = const(800)
_CALM_PERMILLE = const(750)  # falling below it makes the next crossing worth an event
TIGHT_PERMILLE = const(950)
# Unsealed entries that a full record log still lets into the journal: 508 slots, whose
# records fit its reserve of 508 slots with room for custody (docs/full-log.md, section 3).
BACKLOG_SECTORS_MAX = const(2)
# What a tag that refuses readings still keeps of lid and alarms, unsealed.
VITAL_SECTORS_MAX = const(1)

TAKING = const(0)
REFUSING = const(1)
TOLD = const(2)

_FORMAT = "<IIBH"
_SESSIONS_MAX = const(0xFFFF)


class LogSpace:
    """*state* keeps the count; None keeps it in RAM only (tests)."""

    def __init__(self, journal, records, state=None):
        self._journal = journal
        self._records = records
        self._state = state
        self.refused_count = 0  # readings and events, since the enrolment
        self.durable_count = 0  # of these, what a cut now would leave; only that may be told
        self.told_count = 0  # of these, what the newest LOG_FULL event says
        self.stage = TAKING
        self.session_count = 0  # visits without an event of their own, not told yet
        self._is_calm = True
        self._told_lost = 0
        self._seen_seq = -2

    def load(self) -> None:
        """Takes up what the boot before left. Raises OSError."""
        kept = self._state.get(statestore.REFUSED) if self._state else None
        if kept is not None:
            fields = struct.unpack(_FORMAT, kept)
            self.refused_count, self.told_count, self.stage, self.session_count = fields
        self.durable_count = self.refused_count
        self._is_calm = self.fill_permille < FILLING_PERMILLE

    def save(self) -> None:
        """Makes the counts durable. Raises OSError, RingFull."""
        if self._state:
            content = struct.pack(
                _FORMAT, self.refused_count, self.told_count, self.stage, self.session_count
            )
            self._state.put(statestore.REFUSED, content)
        self.durable_count = self.refused_count

    @property
    def fill_permille(self) -> int:
        """Share of the record log that may not be overwritten, 0..1000."""
        return self._records.fill_permille

    @property
    def is_filling(self) -> bool:
        """Whether it is time to bring a receipt."""
        return self.fill_permille >= FILLING_PERMILLE

    def is_tight(self, is_full: bool) -> bool:
        """Whether visitors may write no more than custody and receipts (rule D8)."""
        if self._records.overwrites:
            return False
        return is_full or self.stage != TAKING or self.fill_permille > TIGHT_PERMILLE

    def fits_backlog(self) -> bool:
        """Whether a full record log's reserve has room for one entry more, and custody."""
        return self._journal.kept_sectors <= BACKLOG_SECTORS_MAX

    def fits_vital(self) -> bool:
        """Whether lid and alarms are still kept while readings are refused."""
        return self._journal.kept_sectors <= VITAL_SECTORS_MAX

    def count_session(self) -> None:
        """One more visit that has no event of its own."""
        self.session_count = min(self.session_count + 1, _SESSIONS_MAX)

    # ---- what changed since the last look

    @property
    def has_news(self) -> bool:
        """Whether a record was written since the last call of `news`."""
        return self._records.head_seq != self._seen_seq

    def news(self) -> tuple:
        """(fill in permille or None, lost records or None): what is to be told in an event now.

        The fill once each time it passes 800, again after it was below 750; the lost ones
        whenever their number changed and once in each boot.
        """
        self._seen_seq = self._records.head_seq
        fill, lost = self.fill_permille, self._records.lost
        is_crossing = self._is_calm and fill >= FILLING_PERMILLE
        if fill >= FILLING_PERMILLE or fill < _CALM_PERMILLE:
            self._is_calm = fill < _CALM_PERMILLE
        is_lost_new = lost != self._told_lost
        self._told_lost = lost
        return fill if is_crossing else None, lost if is_lost_new else None
