# SPDX-License-Identifier: MIT
"""Readings and events into the journal, the journal into signed records. The only writer.

    sample, event ──> journal (durable at once) ──> block builder (RAM)
                                                        │ 64 samples, 60 minutes,
                                                        │ or an event that seals at once
                                                        v
                      journal.free  <── record log <── signature over the block

What a power cut leaves: before the journal returned, nothing; after it, the entry, which
the next boot seals in a record of kind 4; between record and free, both, and the record's
frame says how far it reaches, so nothing is sealed twice (docs/power-loss.md).
"""

import hashlib

from micropython import const
from sealwire import cbor, labels, record, statement

from . import faults
from .journal import BOOT_ENTRY, EVENT_ENTRY, SAMPLE_ENTRY
from .recordlog import recover_pair
from .ringlog import RingFull

_BLOCK_SAMPLES_MAX = const(64)
_BLOCK_MS_MAX = const(3_600_000)


class Recorder:
    """Owns journal, record log and signer. `begin` first; then everything else.

    *certificate* is the tag certificate's bytes: the genesis record names its hash.
    """

    def __init__(self, journal, records, signer, clock, uptime, note_fault, certificate):
        self._journal = journal
        self.records = records
        self._signer = signer
        self._clock = clock
        self._uptime = uptime
        self._note_fault = note_fault
        self._genesis_hash = hashlib.sha256(certificate).digest()
        self.tid = self._genesis_hash[:8]
        self._block = record.BlockBuilder(labels.RECORD_SIZE_MAX)
        self._block_since_ms = None
        self.boot = 0
        # Readings and events that a full flash refused since the last that went in.
        self.refused_count = 0

    # ---- life of a boot

    def begin(self, reset_cause: int, version: str) -> None:
        """Seals what a crash left unsealed, then opens this boot with its first entry.

        Nothing is written before this call: a boot that never gets here leaves flash
        byte-identical. A cut inside leaves a state that the next `begin` completes.
        """
        recover_pair(self._journal, self.records)
        last_boot = self._restore_from_head()
        leftovers = list(self._journal.entries())
        for entry in leftovers:
            last_boot = max(last_boot, entry.boot)
        self.boot = last_boot + 1
        self._seal_leftovers(leftovers)
        self._journal.append_boot(self.boot, self._uptime.now_ms())
        self.note_event(labels.EVENT_BOOT, [reset_cause, version])

    def _restore_from_head(self) -> int:
        """Takes the last boot number and lower time bound from the newest record."""
        if self.records.head_seq < 0:
            return 0
        head = record.parse_record(self.records.read(self.records.head_seq))
        if head.utc:
            self._clock.restore(head.utc[0] * 1000)
        return max(head.boot, head.sealed_by_boot or 0)

    def _seal_leftovers(self, leftovers):
        boot = None
        up_ms = 0
        for entry in leftovers:
            crossing = boot is not None and entry.boot != boot
            if crossing or not self._fits(entry):
                self._seal_crash_block(boot, up_ms, entry.index)
            boot, up_ms = entry.boot, entry.up_ms
            self._take(entry)
        if boot is not None:
            self._seal_crash_block(boot, up_ms, self._journal.next)

    def _seal_crash_block(self, boot, up_ms, journal_next):
        if not self._block.is_empty:
            self._seal(labels.KIND_CRASH_BLOCK, boot, up_ms, None, journal_next, self.boot)

    def _fits(self, entry) -> bool:
        if entry.kind == SAMPLE_ENTRY:
            full = self._block.sample_count >= _BLOCK_SAMPLES_MAX
            return not full and self._block.fits_sample(entry.up_ms, entry.values)
        if entry.kind == EVENT_ENTRY:
            return self._block.fits_event(entry.up_ms, entry.code, entry.content)
        return True

    def _take(self, entry):
        if entry.kind == SAMPLE_ENTRY:
            self._block.add_sample(entry.up_ms, entry.values)
        elif entry.kind == EVENT_ENTRY:
            self._block.add_event(entry.up_ms, entry.code, entry.content)
            if entry.code == labels.EVENT_CLOCK_SET:
                self._clock.restore(cbor.decode(entry.content)[0])
        elif entry.kind == BOOT_ENTRY:
            pass  # its number is in the record itself

    # ---- what the tag wants kept

    def sample(self, up_ms: int, values) -> bool:
        """Keeps one sample (one value of each probe). Returns False if flash refused it."""
        if not self._block.fits_sample(up_ms, values):
            self.seal_open_block()
        try:
            self._journal.append_sample(up_ms, values)
        except RingFull:
            self.refused_count += 1
            return False
        self._block.add_sample(up_ms, values)
        self._opened(up_ms)
        if self._block.sample_count >= _BLOCK_SAMPLES_MAX:
            self.seal_open_block()
        return True

    def note_event(self, code: int, content=None, seal: bool = False) -> bool:
        """Keeps one event; *content* is any CBOR value, or bytes that already are CBOR.

        With *seal* it stands in a signed record when this returns (or, if the record log
        is full, in the journal). Returns False if flash refused it.
        """
        if content is not None and not isinstance(content, (bytes, bytearray)):
            content = cbor.encode(content)
        up_ms = self._uptime.now_ms()
        if not self._block.fits_event(up_ms, code, content):
            self.seal_open_block()
        try:
            self._journal.append_event(up_ms, code, content)
        except RingFull:
            self.refused_count += 1
            return False
        self._block.add_event(up_ms, code, content)
        self._opened(up_ms)
        return self.seal_open_block() if seal else True

    def seal_if_due(self) -> None:
        """Seals a block that has been open for an hour. Called by the sampler's loop."""
        since_ms = self._block_since_ms
        if since_ms is not None and self._uptime.now_ms() - since_ms >= _BLOCK_MS_MAX:
            self.seal_open_block()

    def seal_open_block(self) -> bool:
        """Signs what is in the journal. Returns False if the record log has no room."""
        if self._block.is_empty:
            return True
        return self._seal(
            labels.KIND_BLOCK,
            self.boot,
            self._uptime.now_ms(),
            self._clock.utc(),
            self._journal.next,
            None,
        )

    def _seal(self, kind, boot, up_ms, utc, journal_next, sealed_by_boot) -> bool:
        payload = self._block.payload(
            kind,
            self.records.head_seq + 1,
            self.head()[1],
            boot,
            up_ms,
            utc,
            sealed_by_boot=sealed_by_boot,
        )
        signed = self._sign(payload)
        try:
            self.records.append(signed, journal_next)
        except RingFull:
            # The entries stay in the journal, safe, until a receipt frees the record log.
            self._note_fault(faults.STORAGE, "record log full")
            return False
        # A cut here leaves record and journal entries: `recover_pair` frees them by the frame.
        self._journal.free(journal_next)
        self._block.clear()
        self._block_since_ms = None
        return True

    def _sign(self, payload) -> bytes:
        protected = record.protected_header(self._signer.algorithm)
        signature = self._signer.sign(record.sig_structure_parts(protected, payload))
        return record.envelope(payload, signature, self._signer.algorithm)

    def _opened(self, up_ms):
        if self._block_since_ms is None:
            self._block_since_ms = up_ms

    # ---- what visitors ask

    def head(self) -> tuple:
        """Returns (seq, hash, 32 bytes) of the newest record; (-1, hash of the certificate)."""
        if self.records.head_seq < 0:
            return -1, self._genesis_hash
        return self.records.head_seq, self.records.head_hash

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
        return self._sign(payload)

    def custody_event(self, code: int, content) -> int:
        """Journals and seals one custody event at once (H3). Returns the new head's seq.

        Raises RingFull if it could not be kept: the visitor must not be told it was.
        """
        if not self.note_event(code, content, seal=True):
            raise RingFull("custody event refused")
        return self.records.head_seq
