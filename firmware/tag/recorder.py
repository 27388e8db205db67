# SPDX-License-Identifier: MIT
"""Readings and events into the journal, durable at once; the sealer makes records of them.

    sample, event ──> journal (durable at once) ──> sealer ──> signed records
                                            64 samples, 60 minutes,
                                            or an event that seals at once

What a power cut leaves: before the journal returned, nothing; after it, the entry, which
the next boot seals in a record of kind 4 (docs/power-loss.md).
"""

from sealwire import cbor, events, labels, statement

from . import faults
from .ringlog import RingFull
from .sealer import Sealer, payload_of


class Recorder:
    """The one entrance to the log. `begin` first; then everything else.

    *note_fault(code, text)* hears of flash that failed. Other arguments: see Sealer.
    """

    def __init__(self, journal, records, signer, clock, uptime, note_fault, certificate):
        self._journal = journal
        self.records = records
        self._clock = clock
        self._uptime = uptime
        self._note_fault = note_fault
        self._sealer = Sealer(journal, records, signer, clock, uptime, note_fault, certificate)
        self.tid = self._sealer.genesis_hash[:8]
        # Readings and events that flash refused since the last that went in.
        self.refused_count = 0

    # ---- life of a boot

    def begin(self, reset_cause: int, version: str) -> None:
        """Seals what a crash left unsealed, then opens this boot with its first entry.

        Nothing is written before this call: a boot that never gets here leaves flash
        byte-identical. A cut inside leaves a state that the next `begin` completes.
        """
        self._sealer.boot = self._sealer.recover() + 1
        self._sealer.seal()
        # A cut here: this boot number was never used, and the next boot takes it.
        self._journal.append_boot(self.boot, self._uptime.now_ms(), reset_cause)
        self.note_event(labels.EVENT_BOOT, [reset_cause, version])

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
        """Keeps one sample (one value of each probe). Returns False if flash refused it."""
        if not self._sealer.block.fits_sample(up_ms, values):
            self._sealer.seal()
        if not self._commit(self._journal.append_sample, up_ms, values):
            return False
        self._sealer.took_sample(up_ms, values)
        return True

    def note_event(self, code: int, content=None, seal: bool = False) -> bool:
        """Keeps one event; *content* is any CBOR value, or bytes that already are CBOR.

        With *seal* it stands in a signed record when this returns (or, if the record log
        is full, in the journal). Returns False if flash refused it.
        """
        code, content = _checked(code, content)
        up_ms = self._uptime.now_ms()
        if not self._sealer.block.fits_event(up_ms, code, content):
            self._sealer.seal()
        if not self._commit(self._journal.append_event, up_ms, code, content):
            return False
        self._sealer.took_event(up_ms, code, content)
        if seal:
            self._sealer.seal()
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

    # ---- sealing

    def seal_if_due(self) -> None:
        """Seals a block that has been open for an hour. Called by the sampler's loop."""
        if self._sealer.is_due:
            self._sealer.seal()

    def seal_open_block(self) -> bool:
        """Signs what the journal holds. Returns False if the record log did not take it."""
        return self._sealer.seal()

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
        """Journals and seals one custody event at once (H3). Returns the new head's seq.

        Raises RingFull if it could not be kept: the visitor must not be told it was.
        """
        if not self.note_event(code, content, seal=True):
            raise RingFull("custody event refused")
        return self.records.head_seq

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
