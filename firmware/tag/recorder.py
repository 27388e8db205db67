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

from sealwire import cbor, events, labels, record, statement

from . import faults
from .journal import BOOT_ENTRY, SAMPLE_ENTRY
from .recordlog import recover_pair
from .ringlog import RingFull

_BLOCK_SAMPLES_MAX = const(64)
_BLOCK_MS_MAX = const(3_600_000)


class Recorder:
    """Owns journal, record log and signer. `begin` first; then everything else.

    *certificate* is the tag certificate's bytes: the genesis record names its hash.
    *note_fault(code, text)* hears of flash that failed.
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
        self._block = record.BlockBuilder(record.RECORD_SIZE_MAX)
        self._block_since_ms = None  # uptime of the open block's first entry
        # True while the journal holds more than the block: the next seal reads it from flash.
        self._is_behind = False
        self.boot = 0
        # Readings and events that flash refused since the last that went in.
        self.refused_count = 0

    # ---- life of a boot

    def begin(self, reset_cause: int, version: str) -> None:
        """Seals what a crash left unsealed, then opens this boot with its first entry.

        Nothing is written before this call: a boot that never gets here leaves flash
        byte-identical. A cut inside leaves a state that the next `begin` completes.
        """
        recover_pair(self._journal, self.records)
        last_boot = max(self._restore_from_head(), self._journal.read_last_boot())
        self.boot = last_boot + 1
        self._is_behind = self._journal.unsealed_count > 0
        self.seal_open_block()
        # A cut here: this boot number was never used, and the next boot takes it.
        self._journal.append_boot(self.boot, self._uptime.now_ms(), reset_cause)
        self.note_event(labels.EVENT_BOOT, [reset_cause, version])

    def _restore_from_head(self) -> int:
        """Takes the last boot number and lower time bound from the newest record."""
        if self.records.head_seq < 0:
            return 0
        fields = _payload_of(self.records.read(self.records.head_seq))
        if labels.UTC in fields:
            self._clock.restore(fields[labels.UTC][0] * 1000)
        return max(fields[labels.UPTIME][0], fields.get(labels.SEALED_BY_BOOT, 0))

    # ---- what the tag wants kept

    def sample(self, up_ms: int, values) -> bool:
        """Keeps one sample (one value of each probe). Returns False if flash refused it."""
        if not self._block.fits_sample(up_ms, values):
            self.seal_open_block()
        if not self._commit(self._journal.append_sample, up_ms, values):
            return False
        if not self._is_behind:
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
        code, content = _checked(code, content)
        up_ms = self._uptime.now_ms()
        if not self._block.fits_event(up_ms, code, content):
            self.seal_open_block()
        if not self._commit(self._journal.append_event, up_ms, code, content):
            return False
        if not self._is_behind:
            self._block.add_event(up_ms, code, content)
        self._opened(up_ms)
        if seal:
            self.seal_open_block()
        return True

    def _commit(self, append, *entry) -> bool:
        """Appends to the journal. What flash refuses is counted, and told when it takes again."""
        try:
            append(*entry)
        except RingFull:
            self._refused("journal full")
            return False
        except OSError as e:
            self._refused("journal errno %s" % e.args[0])
            return False
        if self.refused_count:
            count, self.refused_count = self.refused_count, 0
            self.note_event(labels.EVENT_LOG_FULL, [count])
        return True

    def _refused(self, why):
        self.refused_count += 1
        self._note_fault(faults.STORAGE, why)

    def _opened(self, up_ms):
        if self._block_since_ms is None:
            self._block_since_ms = up_ms

    # ---- sealing

    def seal_if_due(self) -> None:
        """Seals a block that has been open for an hour. Called by the sampler's loop."""
        since_ms = self._block_since_ms
        if since_ms is not None and self._uptime.now_ms() - since_ms >= _BLOCK_MS_MAX:
            self.seal_open_block()

    def seal_open_block(self) -> bool:
        """Signs what the journal holds. Returns False if the record log did not take it."""
        try:
            if self._is_behind:
                return self._seal_from_flash()
            if self._block.is_empty:
                return True
            now_ms = self._uptime.now_ms()
            utc = self._clock.utc()
            return self._seal(self.boot, now_ms, utc, self._journal.next)
        except OSError as e:
            return self._fall_behind("record log errno %s" % e.args[0])

    def _seal_from_flash(self) -> bool:
        """Seals every entry that no record covers, each boot's in records of its own.

        After a crash, and after the record log was full. A cut anywhere inside leaves the
        rest for the next boot: each record says how far it reaches.
        """
        self._block.clear()
        boot = end_ms = 0
        for entry in self._journal.entries():
            if not self._block.is_empty and (entry.boot != boot or not self._fits(entry)):
                if not self._seal(boot, end_ms, None, entry.index):
                    return False
                end_ms = 0
            if entry.kind != BOOT_ENTRY:
                boot, end_ms = entry.boot, max(end_ms, entry.up_ms)
                self._take(entry)
        if not self._block.is_empty and not self._seal(boot, end_ms, None, self._journal.next):
            return False
        self._is_behind = False
        self._journal.free(self._journal.next)
        return True

    def _fits(self, entry) -> bool:
        if entry.kind == SAMPLE_ENTRY:
            full = self._block.sample_count >= _BLOCK_SAMPLES_MAX
            return not full and self._block.fits_sample(entry.up_ms, entry.values)
        return self._block.fits_event(entry.up_ms, entry.code, entry.content)

    def _take(self, entry):
        if entry.kind == SAMPLE_ENTRY:
            self._block.add_sample(entry.up_ms, entry.values)
            return
        self._block.add_event(entry.up_ms, entry.code, entry.content)
        if entry.code == labels.EVENT_CLOCK_SET:
            self._clock.restore(cbor.decode(entry.content)[0])

    def _seal(self, boot, up_ms, utc, journal_next) -> bool:
        """Makes the block a record. An earlier boot's content makes it one of kind 4."""
        is_crash = boot != self.boot
        payload = self._block.payload(
            labels.KIND_CRASH_BLOCK if is_crash else labels.KIND_BLOCK,
            self.records.head_seq + 1,
            self.head()[1],
            boot,
            up_ms,
            utc,
            sealed_by_boot=self.boot if is_crash else None,
        )
        try:
            self.records.append(self._sign(payload), journal_next)
        except RingFull:
            return self._fall_behind("record log full")
        # A cut here leaves record and journal entries: `recover_pair` frees them by the frame.
        self._journal.free(journal_next)
        self._block.clear()
        self._block_since_ms = None
        return True

    def _fall_behind(self, why) -> bool:
        """The entries stay in the journal, safe; a later seal reads them from there."""
        self._note_fault(faults.STORAGE, why)
        self._block.clear()
        self._is_behind = True
        return False

    def _sign(self, payload) -> bytes:
        algorithm = self._signer.algorithm
        parts = record.sig_structure_parts(record.protected_header(algorithm), payload)
        return record.envelope(payload, self._signer.sign(parts), algorithm)

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

    def has_event(self, code: int, from_seq: int) -> bool:
        """Whether an event *code* stands in a record from *from_seq* on; reads them all."""
        for _, one in self.records.records(from_seq):
            for event in _payload_of(one).get(labels.EVENTS, ()):
                if event[1] == code:
                    return True
        return False


def _payload_of(signed) -> dict:
    """The payload map of a record that this tag wrote itself; judges nothing."""
    return cbor.decode(record.parse_envelope(signed)[1])


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
