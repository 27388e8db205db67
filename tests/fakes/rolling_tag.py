# SPDX-License-Identifier: MIT
"""The tag's parts in memory, with a signing key that rolls: real key-epoch records and seals."""

from sealwire import cbor, labels
from tests.fakes.access_parts import TagParts, verify
from tests.vectors.chain import TAG, Ed25519Key, Key, cose_sign1


def epoch_key(number: int) -> Key:
    """The key of epoch *number*; 0 is the certificate's."""
    return TAG if number == 0 else Ed25519Key(f"tag epoch {number}")


def key_record(
    seq: int,
    prev: bytes,
    signer: Key,
    following: Key,
    protected: bytes | None = None,
    **changes: object,
) -> bytes:
    """A record of kind 3, signed by *signer*. *changes*: payload keys as k8=..., None drops."""
    fields: dict[int, object] = {
        labels.KIND: labels.KIND_KEY_EPOCH,
        labels.SEQ: seq,
        labels.PREV: prev,
        labels.UPTIME: [1, 60_000 * seq],
        labels.NEXT_KEY: following.public,
    }
    for name, value in changes.items():
        fields[int(name[1:])] = value
    payload = cbor.encode({key: fields[key] for key in sorted(fields) if fields[key] is not None})
    return cose_sign1(signer, payload, protected)


class RollingTag(TagParts):
    """A tag whose attestations and key-epoch records are signed by the key in force."""

    def __init__(self, **changes: object) -> None:
        super().__init__(verify=verify, **changes)
        self.set_clock()
        self.epoch = 0
        self.recorder.sign = self._sign

    def _sign(self, parts: object) -> bytes:
        return self.key.sign(b"".join(map(bytes, parts)))  # type: ignore[call-overload]

    @property
    def key(self) -> Key:
        """In force now."""
        return epoch_key(self.epoch)

    def log(self, count: int) -> None:
        """Seals *count* ordinary records."""
        for _ in range(count):
            self.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)

    def roll(self, **changes: object) -> bytes:
        """Hands over to the next key; returns the record."""
        self.recorder.seal_open_block()
        seq, previous = self.recorder.head()
        following = epoch_key(self.epoch + 1)
        one = key_record(seq + 1, previous, self.key, following, **changes)
        self.records.all.append(one)
        self.epoch += 1
        self.key_roll.epoch_seq = seq + 1
        return one

    def overwrite(self, first_seq: int) -> None:
        """Forgets what is before *first_seq*."""
        self.records.first_seq = first_seq
