# SPDX-License-Identifier: MIT
"""Readings and events into the journal, durable at once; the sealer makes records of them.

    sample, event ──> journal (durable at once) ──> sealer ──> signed records
                                            64 samples, 60 minutes,
                                            or an event that seals at once

What a power cut leaves: before the journal returned, nothing; after it, the entry, which
a later boot seals in a record of kind 4 (docs/power-loss.md). A boot writes nothing until it
has something to keep or a radio to switch on. What the log refuses once it is full, and how
that is told: logspace.py.
"""

from sealwire import cbor, events, labels, statement

from .. import faults
from ..store.ringlog import RingFull
from .logspace import REFUSING, TAKING, TOLD, LogSpace
from .sealer import Sealer, payload_of

# Still kept, unsealed, while readings are refused: whether the box was opened, whether it was
# in alarm, and what the log says about itself.
_VITAL = (
    labels.EVENT_LID_OPEN,
    labels.EVENT_LID_CLOSED,
    labels.EVENT_ALARM_START,
    labels.EVENT_ALARM_END,
    labels.EVENT_LOG_FULL,
    labels.EVENT_LOG_FILLING,
    labels.EVENT_RECORDS_LOST,
    labels.EVENT_BOOT,
    labels.EVENT_CLOCK_SET,
)


class Recorder:
    """The one entrance to the log. `begin` first; then everything else.

    *note_fault(code, text)* hears of flash that failed. *state* keeps the count of what was
    refused, None in RAM only. Other arguments: see Sealer.
    """

    def __init__(
        self, journal, records, signer, clock, uptime, note_fault, certificate, state=None
    ):
        self._journal = journal
        self.records = records
        self._clock = clock
        self._uptime = uptime
        self._note_fault = note_fault
        self._sealer = Sealer(journal, records, signer, clock, uptime, note_fault, certificate)
        self.tid = self._sealer.genesis_hash[:8]
        self.space = LogSpace(journal, records, state)
        self._opening = None  # (cause, version, up_ms) until this boot's first entry
        self._is_worth_sealing = False  # what earlier boots left
        self.on_space_change = None  # set by app: called when the room that is left has changed

    # ---- life of a boot

    def begin(self, reset_cause: int, version: str) -> None:
        """Takes up what the boot before left. Writes nothing but records of a block's worth.

        Fewer leftovers wait for this boot's first seal. A boot that ends before its first
        entry leaves flash byte-identical, and its number to the next one.
        """
        self._sealer.boot = self._sealer.recover() + 1
        self.space.load()
        if self.is_refusing and not self.records.has_spare_sector:
            # Else each boot would try, and tell of it in an entry that custody must seal.
            self._sealer.found_full()
        self._is_worth_sealing, is_due = self._sealer.look_behind()
        self._opening = (reset_cause, version, self._uptime.now_ms())
        if is_due:
            # A cut inside: the records written say which boot sealed; the next goes on.
            self._sealer.seal()

    def open_boot(self) -> bool:
        """Makes this boot's number durable, with its first events; once. False: flash refused.

        Before any entry, and before the radio: its nonces hold the number.
        """
        if self._opening is None:
            return True
        cause, version, up_ms = self._opening
        try:
            if self._sealer.is_behind and not self._is_worth_sealing:
                self._sealer.drop_leftovers()
            self._journal.append_boot(self.boot, up_ms, cause)
        except (RingFull, OSError) as e:
            self._note_fault(faults.STORAGE, "boot entry %r" % e)
            return False
        # A cut from here on: the number is used, its events are missing.
        self._opening = None
        self._take_event(up_ms, labels.EVENT_BOOT, [cause, version])
        lo_ms, hi_ms = self._clock.bounds_ms()
        if hi_ms is not None:
            # A boot that knows the time says so in its first record.
            content = [lo_ms, hi_ms - lo_ms, self._clock.source]
            self._take_event(self._uptime.now_ms(), labels.EVENT_CLOCK_SET, content)
        self._tell_news()
        return True

    @property
    def boot(self) -> int:
        """Number of this boot; 0 before `begin`."""
        return self._sealer.boot

    @property
    def sealer(self) -> Sealer:
        """Who makes the records, for key rolls and the end of the log."""
        return self._sealer

    # ---- what the tag wants kept

    def sample(self, up_ms: int, values) -> bool:
        """Keeps one sample (one value of each probe). Returns False if it was refused."""
        if not self.open_boot():
            return self._count_refused()
        if not self._takes_more():
            return self._refuse()
        if not self._sealer.block.fits_sample(up_ms, values):
            self._sealer.seal()
        if not self._commit(self._journal.append_sample, up_ms, values):
            return self._count_refused()
        self._sealer.took_sample(up_ms, values)
        self._tell_news()
        return True

    def note_event(self, code: int, content=None, seal: bool = False) -> bool:
        """Keeps one event; *content* is any CBOR value, or bytes that already are CBOR.

        With *seal* it stands in a signed record when this returns (or, if the record log
        is full, in the journal). Returns False if it was refused.
        """
        code, content = _checked(code, content)
        if not self.open_boot():
            # Without its boot entry it would be told an earlier boot.
            return self._count_refused()
        if not self._takes_more() and not (code in _VITAL and self.space.fits_vital()):
            return self._refuse()
        if not self._take_event(self._uptime.now_ms(), code, content):
            return self._count_refused()
        if seal:
            self._sealer.seal()
        self._tell_news()
        return True

    def _take_event(self, up_ms, code, content) -> bool:
        """Journal and block, whatever room is left for ordinary entries."""
        if content is not None and not isinstance(content, (bytes, bytearray)):
            content = cbor.encode(content)
        if not self._sealer.block.fits_event(up_ms, code, content):
            self._sealer.seal()
        is_urgent = code in _VITAL
        if not self._commit(self._journal.append_event, up_ms, code, content, is_urgent):
            return False
        self._sealer.took_event(up_ms, code, content)
        return True

    def _commit(self, append, *entry) -> bool:
        """Appends to the journal. Returns False, with a fault noted, if flash refused."""
        try:
            append(*entry)
        except RingFull:
            self._note_fault(faults.STORAGE, "journal full")
            return False
        except OSError as e:
            self._note_fault(faults.STORAGE, "journal errno %s" % e.args[0])
            return False
        return True

    # ---- when the log is full

    @property
    def refused_count(self) -> int:
        """Readings and events that the log did not take, since the enrolment."""
        return self.space.refused_count

    @property
    def is_refusing(self) -> bool:
        """Whether readings are refused now, for want of room."""
        return self.space.stage != TAKING

    @property
    def fill_permille(self) -> int:
        """Share of the record log that no receipt covers, 0..1000."""
        return self.space.fill_permille

    @property
    def is_tight(self) -> bool:
        """Whether visitors may write no more than custody and receipts (rule D8)."""
        return self.space.is_tight(self._sealer.is_full)

    def _takes_more(self) -> bool:
        """Whether ordinary entries are taken. Finds out what a receipt has changed since."""
        sealer, space = self._sealer, self.space
        if space.stage == TAKING:
            if not sealer.is_full or (sealer.may_have_room and sealer.seal()):
                return True
            return not sealer.has_drawn and space.fits_backlog()
        return sealer.may_have_room and self._reopen()

    def _note_draw(self):
        """What custody leaves of the reserve is for custody: no readings until a receipt."""
        if self._sealer.has_drawn and self.space.stage == TAKING:
            self.space.stage = REFUSING
            self._save_space()

    def _reopen(self) -> bool:
        """Tries an ordinary record, which says how much was refused: does it fit again?

        A cut behind the record: the stage stands, and the next boot tries and tells again.
        """
        self._tell_refused()
        if not self._sealer.seal() or self._sealer.is_full:
            return False
        self.space.stage = TAKING
        self._save_space()
        return True

    def _refuse(self) -> bool:
        """Counts one reading or event that is not kept; the first is told at once."""
        self._count_refused()
        if self.space.stage != TOLD:
            self._tell_refused()
            # The last readings that went in are signed with it, so that they can be synced.
            self._sealer.seal(True)
            self.space.stage = TOLD
            self._save_space()
        return False

    def _count_refused(self) -> bool:
        self.space.refused_count += 1
        # A cut before this: the entry was never asked for.
        self._save_space()
        return False

    def _tell_refused(self):
        """Tells what a cut cannot take back: else a later event would say less.

        A cut before the count told is durable: it is told once more.
        """
        count = self.space.durable_count
        if self._take_event(self._uptime.now_ms(), labels.EVENT_LOG_FULL, [count]):
            self.space.told_count = count
            self._save_space()

    def _save_space(self):
        try:
            self.space.save()
        except (OSError, RingFull) as e:
            self._note_fault(faults.STORAGE, "refused count %r" % e)
        self._space_changed()

    def _space_changed(self):
        if self.on_space_change:
            self.on_space_change()

    def _tell_news(self):
        """What the newest record made worth an event: fill, losses, refusals of a failed flash."""
        space = self.space
        if space.stage == TAKING and space.told_count != space.durable_count:
            self._tell_refused()
        if not space.has_news:
            return
        fill_permille, lost_count = space.news()
        self._space_changed()
        now_ms = self._uptime.now_ms()
        if fill_permille is not None:
            self._take_event(now_ms, labels.EVENT_LOG_FILLING, [fill_permille])
        if lost_count is not None:
            self._take_event(now_ms, labels.EVENT_RECORDS_LOST, [lost_count])
        if space.session_count and not self.is_tight:
            # Connections and bad doors are not counted in this version.
            content = [0, 0, space.session_count]
            if self._take_event(now_ms, labels.EVENT_COUNTS, content):
                # A cut before this: they are told twice.
                space.session_count = 0
                self._save_space()

    # ---- sealing

    def seal_if_due(self) -> None:
        """Seals a block that has been open for an hour. Called by the sampler's loop."""
        if self._sealer.is_due:
            self.seal_open_block()

    def seal_open_block(self, is_urgent: bool = False) -> bool:
        """Signs what the journal holds. Returns False if the record log did not take it.

        *is_urgent*: from the reserve of a full log, if need be.
        """
        # No news here: who rolls a key next needs an empty block.
        is_sealed = self._sealer.seal(is_urgent)
        self._note_draw()
        return is_sealed

    # ---- what visitors ask

    def head(self) -> tuple:
        """Returns (seq, hash, 32 bytes) of the newest record; (-1, hash of the certificate)."""
        return self._sealer.head()

    @property
    def unsealed_count(self) -> int:
        """Journal entries that no record covers yet."""
        return self._journal.unsealed_count

    def attest(self, nonce: bytes) -> bytes:
        """Returns the COSE_Sign1 of type 23 over head and nonce (F1): signed, not chained."""
        seq, head_hash = self.head()
        lo_ms, hi_ms = self._clock.bounds_ms()
        payload = statement.attestation_payload(
            self.tid,
            seq,
            head_hash,
            nonce,
            self.boot,
            self._uptime.now_ms(),
            lo_ms,
            hi_ms,
            self.unsealed_count,
        )
        return self._sealer.sign(payload)

    def custody_event(self, code: int, content) -> int:
        """Seals one custody event at once, with all that is before it (H3). Returns its seq.

        From the reserve of a full log, if need be. Raises RingFull if it could not be kept:
        the visitor must not be told it was.
        """
        code, content = _checked(code, content)
        self.open_boot()
        try:
            self._sealer.seal_custody(self._uptime.now_ms(), code, content)
        except OSError as e:
            self._note_fault(faults.STORAGE, "record log errno %s" % e.args[0])
            raise RingFull("custody event refused")
        self._note_draw()
        self._tell_news()
        return self.records.head_seq

    def count_session(self, is_durable: bool = True) -> None:
        """A visit that gets no event of its own (S1): counted, told with a later record.

        Not durable: who has spent his budget of bytes causes no write either (D3).
        """
        self.space.count_session()
        if is_durable:
            self._save_space()

    def has_event(self, code: int, from_seq: int) -> bool:
        """Whether an event *code* stands in a record from *from_seq* on; reads them all."""
        for _, one in self.records.records(from_seq):
            for event in payload_of(one).get(labels.EVENTS, ()):
                if event[1] == code:
                    return True
        return False


def _checked(code, content) -> tuple:
    """(code, content as CBOR bytes or None), fit for the chain.

    A verifier refuses the whole evidence for one malformed event, so none may get in: it
    is replaced by the device fault that it is.
    """
    is_encoded = isinstance(content, (bytes, bytearray))
    reason = events.judge(code, cbor.decode(content) if is_encoded else content)
    if reason is not None:
        code, content = (
            labels.EVENT_DEVICE_FAULT,
            [faults.RECORDER, "event %d: %s" % (code, reason)],
        )
        is_encoded = False
    if content is not None and not is_encoded:
        content = cbor.encode(content)
    return code, content
