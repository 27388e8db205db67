# SPDX-License-Identifier: MIT
"""Rolls the signing key: the old key signs the new one, then the old seed is erased (K1, K2).

    seal the open block -> new key beside the old -> note (keyepoch) -> key-epoch record,
    signed by the old key, read back and verified -> new key done, old erased -> signer swapped

A cut at any step leaves what `open_signer` makes one key of, the one the log names (K3).
Nothing here waits, so nothing else is sealed in between. A roll that fails leaves the old
key in force; where it is not known which key the flash would name, sealing halts and the
journal keeps everything until it is known (`settle`).
"""

from micropython import const

from sealwire import labels, record

from .. import faults
from ..store.ringlog import RingError, RingFull
from .entropy import EntropyError
from .keystore import KeyStoreError
from .standins import HaltedSigner, LostSigner, VerifiedSigner

_ROLL_MS = const(86_400_000)
_ROLL_S = const(86_400)
_RETRY_MS = const(3_600_000)
_READ_TRIES = const(3)
# How far behind the head an accept is looked for whose roll a cut prevented.
_OWED_LOOK_BACK = const(8)


def open_signer(keys, epoch, records) -> tuple:
    """At boot, once the record log has recovered (K3): (signer, "" or why the key is lost).

    A log that went over to unsigned records never comes back (R16), whatever the slots hold.
    """
    lost = LostSigner(_algorithm_of(epoch.public_key))
    if _is_unsigned(records):
        return lost, "unsigned since an earlier boot"
    why = "no key of the chain"
    for _ in range(_READ_TRIES):
        try:
            epoch.load()
            signer = keys.recover(epoch.public_key)
        except (OSError, RingError, KeyStoreError) as e:
            # Nothing was erased: a key that cannot be read now may be sound.
            why = "unreadable: %s" % e.args[0]
            continue
        if signer is not None:
            _settle_note(epoch)
            return signer, ""
    return lost, why


def is_lost_at_boot(keys, epoch, records) -> bool:
    """Whether `open_signer` will find the key lost. Neither key store nor note is changed."""
    if _is_unsigned(records):
        return True
    for _ in range(_READ_TRIES):
        try:
            epoch.load()
            return not keys.holds(epoch.public_key)
        except (OSError, RingError, KeyStoreError):
            continue
    return True


def _algorithm_of(public_key) -> int:
    # 33 bytes: compressed P-256, record-format.md NEXT_KEY.
    return labels.ALG_ES256 if len(public_key) == 33 else labels.ALG_EDDSA


def _settle_note(epoch):
    try:
        epoch.settle()
    except (OSError, RingFull):
        pass  # the note still says which record to ask


def _is_unsigned(records) -> bool:
    if records.head_seq < 0:
        return False
    return record.head_of(records.read(records.head_seq))[1] == labels.KIND_UNSIGNED


class KeyRoll:
    """Rolls the key of *recorder*. *note_fault(code, text)* hears why a roll was not made."""

    def __init__(self, keys, epoch, recorder, clock, uptime, note_fault):
        self._keys = keys
        self._epoch = epoch
        self._recorder = recorder
        self._sealer = recorder.sealer
        self._clock = clock
        self._uptime = uptime
        self._note_fault = note_fault
        self._since_ms = 0  # uptime of the last roll of this boot, or its start
        self._not_before_ms = 0  # after a failure the daily roll waits an hour
        self._unsettled = None  # the old public key, while the log's answer is unknown
        self._is_owed = False

    @property
    def is_lost(self) -> bool:
        """Whether there is no key: records are of kind 6, nothing can be attested."""
        return self._sealer.signer.public_key is None

    @property
    def epoch_seq(self) -> int:
        """Seq of the newest key-epoch record; -1 while the certified key is in force."""
        return self._epoch.seq

    # ---- when

    def resume(self, trip) -> None:
        """After boot: rolls if a cut fell between an accept and its roll, or one is due."""
        if trip.is_open:
            head_seq = self._recorder.records.head_seq
            from_seq = max(self._epoch.seq + 1, trip.from_seq, head_seq - _OWED_LOOK_BACK)
            self._is_owed = self._recorder.has_event(labels.EVENT_ACCEPT, from_seq)
        self.roll_if_due(trip)

    def roll_if_due(self, trip) -> None:
        """K1: once in each trip, and every 24 h of it while the log has room.

        Called every minute or so.
        """
        if self._unsettled is not None:
            self.settle()
        elif self._is_due(trip):
            self.roll()

    def _is_due(self, trip) -> bool:
        if not trip.is_open or self._uptime.now_ms() < self._not_before_ms:
            return False
        if self._is_owed or self._epoch.seq < trip.from_seq:
            return True
        if self._recorder.is_refusing or not self._sealer.may_have_room:
            return False  # a roll a day would use up the reserve, which is for custody
        if self._uptime.now_ms() - self._since_ms >= _ROLL_MS:
            return True
        since_s = self._epoch.since_s
        return since_s > 0 and self._now_s() - since_s >= _ROLL_S

    def _now_s(self) -> int:
        return max(0, self._clock.bounds_ms()[0] // 1000)

    # ---- K2

    def roll(self) -> bool:
        """Puts a new key in force. Returns False, with a fault noted, if the old one stays."""
        if self.is_lost:
            return False
        why = self._try_roll()
        if why:
            self._note_fault(faults.SIGNER, "no key roll: " + why)
            self._not_before_ms = self._uptime.now_ms() + _RETRY_MS
            return False
        self._is_owed = False
        self._since_ms = self._uptime.now_ms()
        return True

    def _try_roll(self) -> str:
        """Returns "" or what was in the way."""
        if self._unsettled is not None and not self.settle():
            return "flash"
        if not self._recorder.open_boot() or not self._recorder.seal_open_block(True):
            return "open block not sealed"
        try:
            seq = self._sealer.records.head_seq + 1
            public_key = self._begin(seq)
            # A cut here: no record of that seq, so the old key stays (K3).
            self._epoch.intend(seq, self._now_s(), public_key)
            self._hand_over(public_key)
        except EntropyError as e:
            return "random source: %s" % e.args[0]
        except (KeyStoreError, RingFull, OSError) as e:
            return repr(e)
        # A cut here: the log names the new key, and the boot marks it done.
        return "" if self.settle() else "flash"

    def _begin(self, seq) -> bytes:
        # After an OSError the failed record may still lie in flash, and a boot may find it,
        # until another one takes its place: so its key must not be erased, but named again.
        public_key = self._epoch.intended_key(seq)
        if public_key is None:
            public_key = self._keys.begin(self._epoch.number + 1)
        return public_key

    def _hand_over(self, public_key):
        """Seals the key-epoch record with the old key. Raises RingFull, OSError."""
        old_key = self._sealer.signer.public_key
        write_verified(
            self._keys,
            self._sealer,
            labels.KIND_KEY_EPOCH,
            self._uptime.now_ms(),
            self._clock.utc(),
            next_key=public_key,
        )
        self._unsettled = old_key

    def settle(self) -> bool:
        """Reads the hand-over back, verifies it, and brings key store and signer in line.

        Returns False while flash does not answer: sealing is halted then, and the journal
        keeps everything. Call it again.
        """
        try:
            self._settle()
        except (OSError, RingError, RingFull, KeyStoreError) as e:
            self._note_fault(faults.SIGNER, "key roll unsettled: %r" % e)
            if not isinstance(self._sealer.signer, HaltedSigner):
                self._swap(HaltedSigner(self._sealer.signer))
            return False
        return True

    def _settle(self):
        records = self._sealer.records
        signed = records.read(records.head_seq)
        if not _is_signed_by(self._keys, self._unsettled, signed):
            raise KeyStoreError("hand-over not verified")
        self._epoch.load()
        signer = self._finish()
        if signer is None:
            raise KeyStoreError("new key missing")
        self._swap(signer)
        self._unsettled = None
        _settle_note(self._epoch)
        self.note_waste()

    def note_waste(self) -> None:
        """Says so if an old key may live on in the key store: the next boot destroys it."""
        if self._keys.waste_fault:
            self._note_fault(faults.SIGNER, "old key not destroyed: " + self._keys.waste_fault)

    def _finish(self):
        """K2 steps 3 and 4: the new key done, the old one erased. Returns the signer."""
        try:
            return self._keys.finish()
        except (OSError, KeyStoreError):
            # Half done: go on as the next boot would.
            return self._keys.recover(self._epoch.public_key)

    def _swap(self, signer):
        old, self._sealer.signer = self._sealer.signer, signer
        old.wipe()


def write_verified(keys, sealer, kind, up_ms, utc, **fields) -> None:
    """Seals a record without content, from the reserve if need be; the block must be empty.

    Its signature is verified before flash sees it: a faulty one in a key-epoch record or a
    farewell would end the chain for every verifier. Raises KeyStoreError for one, RingFull,
    OSError.
    """
    signer = sealer.signer
    sealer.signer = VerifiedSigner(keys, signer)
    try:
        # Its reach into the journal is the last record's: it holds nothing itself.
        reach = sealer.records.journal_next
        sealer._write(kind, sealer.boot, up_ms, utc, reach, is_urgent=True, **fields)
    finally:
        sealer.signer = signer


def _is_signed_by(keys, public_key, signed) -> bool:
    """Whether the record *signed* holds under *public_key*."""
    protected, payload, signature = record.parse_envelope(signed)
    return keys.verify(public_key, signature, record.sig_structure_parts(protected, payload))
