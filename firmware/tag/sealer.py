# SPDX-License-Identifier: MIT
"""The journal into signed records: what a block holds, when it is full, what signs it.

    journal (durable) ──> block builder (RAM) ──> signature ──> record log ──> journal.free

A cut between record and free leaves both; the record's frame says how far into the journal
it reaches, so nothing is sealed twice (docs/power-loss.md). After a crash, and after the
record log took nothing, the block is behind the journal and is read from flash.
"""

import hashlib

from micropython import const

from sealwire import cbor, labels, record

from . import faults
from .journal import BOOT_ENTRY, SAMPLE_ENTRY
from .recordlog import recover_pair
from .ringlog import RingFull

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
        # True while the journal holds more than the block: the next seal reads it from flash.
        self.is_behind = False
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
        return max(fields[labels.UPTIME][0], fields.get(labels.SEALED_BY_BOOT, 0))

    def head(self) -> tuple:
        """Returns (seq, hash, 32 bytes) of the newest record; (-1, hash of the certificate)."""
        if self.records.head_seq < 0:
            return -1, self.genesis_hash
        return self.records.head_seq, self.records.head_hash

    # ---- the open block

    def took_sample(self, up_ms: int, values) -> None:
        """The journal has this sample: it joins the block; 64 of them seal it."""
        if not self.is_behind:
            self.block.add_sample(up_ms, values)
        self._opened(up_ms)
        if self.block.sample_count >= _BLOCK_SAMPLES_MAX:
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

    def seal(self) -> bool:
        """Signs what the journal holds. Returns False if the record log did not take it."""
        try:
            if self.is_behind:
                return self._seal_from_flash()
            if self.block.is_empty:
                return True
            now_ms = self._uptime.now_ms()
            return self._seal_block(self.boot, now_ms, self._clock.utc(), self._journal.next)
        except OSError as e:
            return self._fall_behind("record log errno %s" % e.args[0])

    def _seal_from_flash(self) -> bool:
        """Seals every entry that no record covers, each boot's in records of its own.

        A cut anywhere inside leaves the rest for the next boot: each record says how far it
        reaches.
        """
        self.block.clear()
        boot = end_ms = 0
        for entry in self._journal.entries():
            if not self.block.is_empty and (entry.boot != boot or not self._fits(entry)):
                if not self._seal_block(boot, end_ms, None, entry.index):
                    return False
                end_ms = 0
            if entry.kind != BOOT_ENTRY:
                boot, end_ms = entry.boot, max(end_ms, entry.up_ms)
                self._take(entry)
        if not self.block.is_empty and not self._seal_block(
            boot, end_ms, None, self._journal.next
        ):
            return False
        self.is_behind = False
        self._journal.free(self._journal.next)
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
        if entry.code == labels.EVENT_CLOCK_SET:
            self._clock.restore(cbor.decode(entry.content)[0])

    def _seal_block(self, boot, up_ms, utc, journal_next) -> bool:
        """Makes the block a record of the kind that its content and the key call for."""
        kind, sealed_by = self._kind_of(boot)
        try:
            self._write(kind, boot, up_ms, utc, journal_next, sealed_by_boot=sealed_by)
        except RingFull:
            return self._fall_behind("record log full")
        # A cut here leaves record and journal entries: `recover_pair` frees them by the frame.
        self._journal.free(journal_next)
        self.block.clear()
        self._since_ms = None
        return True

    def _kind_of(self, boot) -> tuple:
        """(kind, boot that seals it or None): an earlier boot's content has a kind of its own."""
        if self.signer.public_key is None:
            return labels.KIND_UNSIGNED, None  # the key is lost; signed kinds are over (R16)
        if boot != self.boot:
            return labels.KIND_CRASH_BLOCK, self.boot
        return labels.KIND_BLOCK, None

    def _write(self, kind, boot, up_ms, utc, journal_next, **fields):
        """Appends the block, as one record of *kind*, durable on return. Raises RingFull."""
        seq, prev_hash = self.head()
        payload = self.block.payload(kind, seq + 1, prev_hash, boot, up_ms, utc, **fields)
        self.records.append(self.sign(payload), journal_next)

    def _fall_behind(self, why) -> bool:
        """The entries stay in the journal, safe; a later seal reads them from there."""
        self._note_fault(faults.STORAGE, why)
        self.block.clear()
        self.is_behind = True
        return False

    def sign(self, payload) -> bytes:
        """Returns the COSE_Sign1 over *payload* by the tag's key."""
        algorithm = self.signer.algorithm
        parts = record.sig_structure_parts(record.protected_header(algorithm), payload)
        return record.envelope(payload, self.signer.sign(parts), algorithm)


def payload_of(signed) -> dict:
    """The payload map of a record that this tag wrote itself; judges nothing."""
    return cbor.decode(record.parse_envelope(signed)[1])
