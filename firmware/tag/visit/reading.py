# SPDX-License-Identifier: MIT
"""Commands that read: STATUS, SYNC, ACK, ATTEST, KEYS, and the bulk stream of one session."""

from micropython import const

from sealwire import protocol
from sealwire.protocol import BAD_FORM, BAD_STATE, NO_SCOPE, OK
from sealwire.sync import TagSync, parse_sync

from ..keys.keylist import list_keys
from ..store.flashregion import RingError

# What a record costs beyond its entries, which would be sealed later anyway.
_SEAL_PRICE = const(200)


class Reading:
    """One session's. Every command: (args, who) -> (code, content)."""

    def __init__(self, recorder, trip, key_roll, budget):
        self._recorder = recorder
        self._trip = trip
        self._key_roll = key_roll
        self._budget = budget  # ByteBudget
        self.restart()

    def restart(self) -> None:
        """A new visitor on the same link: no stream."""
        self._stream = TagSync(self._recorder.records.read)

    def next_chunk(self, size_max: int):
        """The next bytes of the stream, None while there are none."""
        try:
            return self._stream.next_chunk(size_max)
        except (IndexError, RingError):
            return None  # overwritten meanwhile, or damaged: who asks again is told where to go on

    def status(self, args, who) -> tuple:
        """STATUS: the head's seq."""
        return OK, (self._recorder.head()[0] & 0xFFFFFFFF).to_bytes(4, "big")

    def begin_sync(self, args, who) -> tuple:
        """SYNC: a stream from the seq asked for up to the head of now. Raises SyncError."""
        first_seq, credit = parse_sync(args)
        if who.trip and first_seq < self._trip.from_seq:
            return NO_SCOPE, self._trip.from_seq.to_bytes(4, "big")  # T9
        # Who asks for what is there gets that; who holds it all gets the open block too.
        if self._stream.is_new or first_seq > self._recorder.head()[0]:
            self._seal_for(who)
        head_seq, head_hash = self._recorder.head()
        if first_seq <= head_seq:
            try:
                self._recorder.records.read(first_seq)
            except IndexError:
                # Overwritten: receipted, or lost by a tag that was told to overwrite.
                return BAD_STATE, self._recorder.records.first_seq.to_bytes(4, "big")
            except RingError:
                # Flash lost it: as gone as an overwritten one.
                next_seq = self._recorder.records.first_readable(first_seq + 1)
                return BAD_STATE, next_seq.to_bytes(4, "big")
        self._stream.begin(first_seq, credit, head_seq)
        return OK, (head_seq & 0xFFFFFFFF).to_bytes(4, "big") + head_hash

    def _seal_for(self, who):
        """D6: out of the visitor's own budget; else he gets what is sealed."""
        if not self._budget.has(who.tno, _SEAL_PRICE):
            return
        head_seq = self._recorder.records.head_seq
        self._recorder.seal_open_block()
        if self._recorder.records.head_seq != head_seq:
            self._budget.pay(who.tno, _SEAL_PRICE)

    def acknowledge(self, args, who) -> tuple:
        """ACK: durable up to a seq, and credit for more. Raises SyncError."""
        self._stream.acknowledge(*parse_sync(args))
        return OK, b""

    def attest(self, args, who) -> tuple:
        """ATTEST: the head and the visitor's nonce, signed, not chained (F1)."""
        if len(args) != protocol.NONCE_SIZE:
            return BAD_FORM, b""
        if self._key_roll.is_lost:
            return BAD_STATE, b""  # an attestation without a key would prove nothing
        return OK, self._recorder.attest(bytes(args))

    def keys(self, args, who) -> tuple:
        """KEYS: key-epoch records from a seq on (5.6)."""
        if len(args) != 4:
            return BAD_FORM, b""
        from_seq = int.from_bytes(args, "big")
        return OK, list_keys(self._recorder.records, self._key_roll.epoch_seq, from_seq)
