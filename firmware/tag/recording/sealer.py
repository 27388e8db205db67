# SPDX-License-Identifier: MIT
"""The journal into signed records: what a block holds, when it is full, what signs it.

    journal (durable) ──> block builder (RAM) ──> signature ──> record log ──> journal.free

A cut between record and free leaves both; the record's frame says how far into the journal
it reaches, so nothing is sealed twice (docs/power-loss.md). What an earlier boot left, and
what the record log did not take, is behind the journal and is read from flash.

Ordinary records leave the record log's reserve alone; custody may draw on it, with all that
is before it, so that the chain stays one chain (docs/full-log.md).
"""

import hashlib

from micropython import const

from sealwire import cbor, labels, record

from .. import faults
from ..store.journal import SAMPLE_ENTRY
from ..store.recordlog import recover_pair
from ..store.ringlog import RingFull
from . import leftovers

_BLOCK_SAMPLES_MAX = const(64)
_BLOCK_MS_MAX = const(3_600_000)


class Sealer:
    """Owns the open block and the signer; the only writer of records.

    *certificate*: the tag certificate's bytes, whose hash the genesis record names.
    """

    def __init__(self, journal, records, signer, clock, uptime, note_fault, certificate):
        self._journal = journal
        self.records = records
        self.signer = signer
        self._clock = clock
        self._uptime = uptime
        self._note_fault = note_fault
        self.genesis_hash = hashlib.sha256(certificate).digest()
        self.block = record.BlockBuilder(record.RECORD_SIZE_MAX)
        self._since_ms = None  # uptime of the open block's first entry
        self._sample_count = 0  # of this boot, since the last seal or try
        # True while the journal holds more than the block: the next seal reads it from flash.
        self.is_behind = False
        # True while the record log has only its reserve left, and since then nothing was freed.
        self.is_full = False
        self.has_drawn = False  # a record went into the reserve since the log is full
        self._acknowledged = None  # what was, when it was found full
        self._head_boot = self._head_up_ms = 0  # UPTIME of the newest record
        self.boot = 0

    def recover(self) -> int:
        """Settles what a cut left between record and journal; returns the last boot's number.

        Takes the lower bound of the time from the newest record. Idempotent.
        """
        recover_pair(self._journal, self.records)
        self.is_behind = self._journal.unsealed_count > 0
        return max(self._restore_from_head(), self._journal.read_last_boot())

    def _restore_from_head(self) -> int:
        if self.records.head_seq < 0:
            return 0
        fields = payload_of(self.records.read(self.records.head_seq))
        if labels.UTC in fields:
            self._clock.restore(fields[labels.UTC][0] * 1000)
        self._head_boot, self._head_up_ms = fields[labels.UPTIME]
        return max(self._head_boot, fields.get(labels.SEALED_BY_BOOT, 0))

    def head(self) -> tuple:
        """Returns (seq, hash, 32 bytes) of the newest record; (-1, hash of the certificate)."""
        if self.records.head_seq < 0:
            return -1, self.genesis_hash
        return self.records.head_seq, self.records.head_hash

    # ---- what earlier boots left

    def look_behind(self) -> tuple:
        """Looks through what earlier boots left unsealed: (is worth a record, is due now).

        Takes over the lower bound of the time that stands there.
        """
        if not self.is_behind:
            return False, False
        return leftovers.look_through(self._journal, self._restore_from)

    def drop_leftovers(self) -> None:
        """Frees leftovers that are not worth a record. Raises OSError.

        A cut here: they are free, or they are looked at again.
        """
        self._journal.free(self._journal.next)
        self.is_behind = False

    # ---- the open block

    def took_sample(self, up_ms: int, values) -> None:
        """The journal has this sample: it joins the block; 64 of them seal it."""
        if not self.is_behind:
            self.block.add_sample(up_ms, values)
        self._opened(up_ms)
        self._sample_count += 1
        if self._sample_count >= _BLOCK_SAMPLES_MAX:
            self.seal()

    def took_event(self, up_ms: int, code: int, content) -> None:
        """The journal has this event: it joins the block."""
        if not self.is_behind:
            self.block.add_event(up_ms, code, content)
        self._opened(up_ms)

    def _opened(self, up_ms):
        if self._since_ms is None:
            self._since_ms = up_ms

    @property
    def is_due(self) -> bool:
        """Whether the block has been open for an hour."""
        since_ms = self._since_ms
        return since_ms is not None and self._uptime.now_ms() - since_ms >= _BLOCK_MS_MAX

    # ---- sealing

    @property
    def may_have_room(self) -> bool:
        """Whether an ordinary record may fit: not found full since the last receipt."""
        return not self.is_full or self.records.acknowledged != self._acknowledged

    def found_full(self) -> None:
        """No ordinary record fits until a receipt comes."""
        self.is_full = True
        self._acknowledged = self.records.acknowledged

    def seal(self, is_urgent: bool = False) -> bool:
        """Signs what the journal holds. Returns False if the record log did not take it.

        *is_urgent*: from the reserve, if need be. A full log costs no signature to find out.
        """
        if not self.is_behind and self.block.is_empty:
            return True
        if not is_urgent and not self.may_have_room:
            return self._fall_behind()
        try:
            if self.is_behind:
                return self._seal_from_flash(is_urgent)
            now_ms, next_index = self._uptime.now_ms(), self._journal.next
            return self._seal_block(self.boot, now_ms, self._clock.utc(), next_index, is_urgent)
        except OSError as e:
            self._note_fault(faults.STORAGE, "record log errno %s" % e.args[0])
            return self._fall_behind()

    def seal_custody(self, up_ms: int, code: int, content) -> None:
        """Seals one custody event, behind all that is unsealed; it never was in the journal.

        So a cut leaves it in a record or nowhere. Raises RingFull if even the reserve has no
        room, OSError: it is nowhere then, for this life.
        """
        has_room = not self.is_behind and self.block.fits_event(up_ms, code, content)
        if not has_room and not self.seal(True):
            raise RingFull
        kind = self._kind_of(self.boot)[0]
        self.block.add_event(up_ms, code, content)
        try:
            self._write(kind, self.boot, up_ms, self._clock.utc(), self._journal.next, True)
        except (RingFull, OSError):
            # The block holds what must not be sealed later: the journal has the rest.
            self._fall_behind()
            self.is_behind = self._journal.unsealed_count > 0
            raise
        # The event stands: what comes now must neither seal it again nor deny it.
        self._sealed()
        try:
            # A cut here: `recover_pair` frees what the record covers.
            self._journal.free(self._journal.next)
        except OSError as e:
            self._note_fault(faults.STORAGE, "journal errno %s" % e.args[0])

    def _seal_from_flash(self, is_urgent) -> bool:
        """Seals every entry that no record covers, each boot's in records of its own.

        A cut anywhere inside leaves the rest for the next boot: each record says how far it
        reaches.
        """
        self.block.clear()
        boot = end_ms = 0
        for entry in leftovers.worth_sealing(self._journal, self.boot):
            is_next = not self.block.is_empty and (entry.boot != boot or not self._fits(entry))
            if is_next and not self._seal_block(boot, end_ms, None, entry.index, is_urgent):
                return False
            if entry.boot != boot:
                boot, end_ms = entry.boot, 0
            end_ms = max(end_ms, entry.up_ms)
            self._take(entry)
        utc = None
        if boot == self.boot:
            end_ms, utc = self._uptime.now_ms(), self._clock.utc()
        if not self.block.is_empty and not self._seal_block(
            boot, end_ms, utc, self._journal.next, is_urgent
        ):
            return False
        self._journal.free(self._journal.next)
        self._sealed()
        return True

    def _fits(self, entry) -> bool:
        if entry.kind == SAMPLE_ENTRY:
            full = self.block.sample_count >= _BLOCK_SAMPLES_MAX
            return not full and self.block.fits_sample(entry.up_ms, entry.values)
        return self.block.fits_event(entry.up_ms, entry.code, entry.content)

    def _take(self, entry):
        if entry.kind == SAMPLE_ENTRY:
            self.block.add_sample(entry.up_ms, entry.values)
            return
        self.block.add_event(entry.up_ms, entry.code, entry.content)
        self._restore_from(entry)

    def _restore_from(self, entry):
        if entry.boot != self.boot and entry.code == labels.EVENT_CLOCK_SET and entry.content:
            self._clock.restore(cbor.decode(entry.content)[0])

    def _seal_block(self, boot, up_ms, utc, journal_next, is_urgent) -> bool:
        """Makes the block a record of the kind that its content and the key call for."""
        kind, sealed_by = self._kind_of(boot)
        try:
            self._write(kind, boot, up_ms, utc, journal_next, is_urgent, sealed_by_boot=sealed_by)
        except RingFull:
            return self._fall_behind()
        # A cut here leaves record and journal entries: `recover_pair` frees them by the frame.
        self._journal.free(journal_next)
        if self.is_behind:
            self.block.clear()
        else:
            self._sealed()
        return True

    def _sealed(self):
        """Everything is in records."""
        self.block.clear()
        self.is_behind = False
        self._since_ms = None
        self._sample_count = 0

    def _kind_of(self, boot) -> tuple:
        """(kind, boot that seals it or None): an earlier boot's content has a kind of its own."""
        if self.signer.public_key is None:
            return labels.KIND_UNSIGNED, None  # the key is lost; signed kinds are over (R16)
        if boot != self.boot:
            return labels.KIND_CRASH_BLOCK, self.boot
        return labels.KIND_BLOCK, None

    def _write(self, kind, boot, up_ms, utc, journal_next, is_urgent=False, **fields):
        """Appends the block, as one record of *kind*, durable on return. Raises RingFull."""
        seq, prev_hash = self.head()
        if boot == self._head_boot:
            # An entry that a seal overtook: within a boot no UPTIME falls (R11).
            up_ms = max(up_ms, self._head_up_ms)
        payload = self.block.payload(kind, seq + 1, prev_hash, boot, up_ms, utc, **fields)
        signed = self.sign(payload)
        try:
            self.records.append(signed, journal_next)
        except RingFull:
            self.found_full()
            if not is_urgent:
                raise
            self.records.append(signed, journal_next, True)
            self.has_drawn = True
        else:
            self.is_full = self.has_drawn = False
        self._head_boot, self._head_up_ms = boot, up_ms

    def _fall_behind(self) -> bool:
        """The entries stay in the journal, safe; a later seal reads them from there."""
        self.block.clear()
        self.is_behind = True
        # The next regular try comes after another block or another hour.
        self._since_ms = self._uptime.now_ms()
        self._sample_count = 0
        return False

    def sign(self, payload) -> bytes:
        """Returns the COSE_Sign1 over *payload* by the tag's key."""
        algorithm = self.signer.algorithm
        parts = record.sig_structure_parts(record.protected_header(algorithm), payload)
        return record.envelope(payload, self.signer.sign(parts), algorithm)


def payload_of(signed) -> dict:
    """The payload map of a record that this tag wrote itself; judges nothing."""
    return cbor.decode(record.parse_envelope(signed)[1])
