# SPDX-License-Identifier: MIT
"""The keys that one enrolment of a tag has signed with, each vouched for by the one before.

No I/O. It begins with the certificate's key; every key-epoch record (kind 3) that holds adds
one. Read with the verifier's own reader, strictly. docs/access-protocol.md, section 5.6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sealtrail.errors import EvidenceRefused
from sealtrail.evidence.cbor_strict import CborRefused, item_end
from sealtrail.evidence.certificate import key_in
from sealtrail.evidence.cose import Envelope, VerifyingKey, open_envelope
from sealtrail.evidence.payload import KEY_EPOCH, Payload, read_payload
from sealtrail.evidence.refusal import Refusal
from sealwire import protocol

_HEAD_SIZE = 8


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key and the record that put it in force: it signs from *seq* + 1 on."""

    seq: int
    key: bytes


class NotLinked(Exception):
    """A key-epoch record is not signed by the key before. *seq*: its number."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.seq = seq


class KeyChain:
    """The chain as far as it is known. *known*: what an earlier visit has verified.

    Raises EvidenceRefused for a certificate that names no key.
    """

    def __init__(self, certificate: bytes, known: Sequence[KnownKey] = ()) -> None:
        try:
            self._certified = key_in(certificate)
        except Refusal as problem:
            raise EvidenceRefused(f"the ticket's certificate: {problem.reason}") from problem
        self.known = tuple(known)

    @property
    def newest_seq(self) -> int:
        """Number of the newest key-epoch record known; -1 while there is none."""
        return self.known[-1].seq if self.known else -1

    def key_behind(self, seq: int) -> VerifyingKey:
        """The key in force behind record *seq*: it signs an attestation of that head."""
        for one in reversed(self.known):
            if one.seq <= seq:
                return VerifyingKey(one.key)
        return self._certified

    def take(self, item: bytes) -> int:
        """Adds the key of the next key-epoch record; returns its seq.

        Raises NotLinked where its signature is not of the key before, EvidenceRefused for
        everything else that is not to be believed. Nothing is added then.
        """
        envelope, payload = _read(item)
        seq, key = payload.seq, payload.next_key
        in_force = self.key_behind(self.newest_seq)
        if payload.kind != KEY_EPOCH or key is None:
            raise EvidenceRefused(f"the tag gives record {seq}, which is no key record")
        if seq <= self.newest_seq:
            raise EvidenceRefused(f"the tag gives key record {seq} behind {self.newest_seq}")
        if key == self._certified.encoded or any(key == one.key for one in self.known):
            raise EvidenceRefused(f"key record {seq} puts an earlier key in force again")
        if VerifyingKey(key).is_ed25519 != self._certified.is_ed25519:
            raise EvidenceRefused(f"key record {seq}: the key does not fit the algorithm")
        if not in_force.allows(payload.algorithm):
            raise EvidenceRefused(f"key record {seq}: the algorithm does not fit the key")
        if not in_force.holds(envelope):
            raise NotLinked(seq)
        self.known = (*self.known, KnownKey(seq, key))
        return seq

    def holds(self, signed: bytes, head_seq: int) -> bool:
        """Whether the key in force behind record *head_seq* has signed *signed*."""
        try:
            return self.key_behind(head_seq).holds(open_envelope(signed))
        except Refusal as problem:
            raise EvidenceRefused(f"attestation: {problem.reason}") from problem


def _read(item: bytes) -> tuple[Envelope, Payload]:
    """The record taken apart, strictly. Raises EvidenceRefused."""
    try:
        envelope = open_envelope(item)
        return envelope, read_payload(envelope)
    except Refusal as problem:
        raise EvidenceRefused(f"the tag gives no key record: {problem.reason}") from problem


@dataclass(frozen=True, slots=True)
class KeysAnswer:
    """What one KEYS was answered with. *next_seq* None: nothing is left."""

    held_seq: int
    next_seq: int | None
    records: tuple[bytes, ...]

    @classmethod
    def parse(cls, content: bytes, from_seq: int) -> "KeysAnswer":
        """Takes the answer to *from_seq* apart. Raises EvidenceRefused, nothing else."""
        held_seq = int.from_bytes(content[:4], "big")
        next_seq = int.from_bytes(content[4:_HEAD_SIZE], "big")
        is_last = next_seq == protocol.KEYS_END
        if len(content) < _HEAD_SIZE or held_seq < from_seq:
            raise EvidenceRefused("the tag's answer about its keys is malformed")
        if not is_last and next_seq <= from_seq:
            raise EvidenceRefused("the tag's answers about its keys go in a circle")
        return cls(held_seq, None if is_last else next_seq, _items(content[_HEAD_SIZE:]))


def _items(content: bytes) -> tuple[bytes, ...]:
    items = []
    offset = 0
    while offset < len(content):
        try:
            end = item_end(content, offset)
        except CborRefused as fault:
            raise EvidenceRefused(f"the tag's key records: {fault.reason}") from fault
        items.append(content[offset:end])
        offset = end
    return tuple(items)
