# SPDX-License-Identifier: MIT
"""Which key epoch is in force: a note in the state store, decided by the record log.

Before a key-epoch record is sealed, the note names its seq and its key, durable. So a boot
reads one record, not the log: the one at that seq either hands over to that key, or was never
sealed (another took its place, or none), and the key before is in force.

    {0: epoch}              settled
    {0: epoch, 1: epoch}    the second is in force if the record at its seq says so
    epoch = [number, seq of its key-epoch record or -1, lower bound of UTC in s, public key]
"""

from sealwire import cbor, labels, record

from ..recording.sealer import payload_of
from ..store import statestore

_IN_FORCE = 0
_INTENDED = 1
NUMBER, SEQ, SINCE_S, PUBLIC_KEY = 0, 1, 2, 3


class KeyEpoch:
    """The epoch in force in *records*. *certified_key*: the public key of the certificate."""

    def __init__(self, state, records, certified_key):
        self._state = state
        self._records = records
        self._certified = [0, -1, 0, bytes(certified_key)]
        self._epoch = self._certified
        self._intended = None

    def load(self) -> None:
        """Reads the note and what the log says of it. Raises OSError, RingError."""
        stored = self._state.get(statestore.KEY_EPOCH)
        note = {_IN_FORCE: self._certified} if stored is None else cbor.decode(stored)
        self._epoch = note[_IN_FORCE]
        self._intended = note.get(_INTENDED)
        if self._intended is None:
            return
        if self._is_sealed(self._intended):
            self._epoch = self._intended
        else:
            # The begun key is erased next: the record that names it must not turn up later.
            self._records.settle()

    def _is_sealed(self, epoch) -> bool:
        try:
            fields = payload_of(self._records.read(epoch[SEQ]))
        except IndexError:
            return False
        return fields.get(labels.NEXT_KEY) == epoch[PUBLIC_KEY]

    @property
    def number(self) -> int:
        """0 for the certified key, one more with each roll."""
        return self._epoch[NUMBER]

    @property
    def seq(self) -> int:
        """Of the record that began this epoch; -1 for the first."""
        return self._epoch[SEQ]

    @property
    def since_s(self) -> int:
        """Lower bound of the UTC at which it began, s; 0: unknown."""
        return self._epoch[SINCE_S]

    @property
    def public_key(self) -> bytes:
        """The key that signs the records from `seq` + 1 on."""
        return self._epoch[PUBLIC_KEY]

    def intended_key(self, seq: int):
        """The key that an earlier try of this life named for the record *seq*, or None."""
        intended = self._intended
        return intended[PUBLIC_KEY] if intended and intended[SEQ] == seq else None

    def intend(self, seq: int, since_s: int, public_key: bytes) -> None:
        """Commits that the record *seq*, sealed next, shall hand over to *public_key*."""
        self._intended = [self.number + 1, seq, since_s, public_key]
        note = {_IN_FORCE: self._epoch, _INTENDED: self._intended}
        self._state.put(statestore.KEY_EPOCH, cbor.encode(note))

    def settle(self) -> None:
        """Commits what `load` found, once the key store agrees. Costs no write if it stands."""
        self._intended = None
        if self._epoch is not self._certified:
            self._state.put(statestore.KEY_EPOCH, cbor.encode({_IN_FORCE: self._epoch}))


def certified_key(certificate) -> bytes:
    """The public key that a tag certificate certifies: 32 bytes, P-256 compressed to 33."""
    key = cbor.decode(record.parse_envelope(certificate)[1])[8][1]
    if -3 in key:
        return bytes((2 | key[-3][-1] & 1,)) + key[-2]
    return key[-2]
