# SPDX-License-Identifier: MIT
"""Brings one tag's evidence home: records, then an attestation over the last of them.

Loss of the link is normal: it connects again and resumes at the first record not held.
What is checked here is that the records continue each other; whether they are to be
believed is for `verify`, which needs neither radio nor tag.
"""

import asyncio
from dataclasses import dataclass

from sealtrail.errors import LinkError, TagAbsent
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.visitor import Attestation, Head, ProgressCallback, Visitor

_FRUITLESS_MAX = 4  # connections in a row that brought no record
_ABSENT_MAX = 2  # searches in a row without a sign of a tag that was connected before
_ROUNDS_MAX = 4  # times the tag may seal more while it is being read
_PAUSE_FIRST_S = 0.5
_PAUSE_MAX_S = 8.0


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What one sync brought. *is_complete*: the attested head is the last record held."""

    head_seq: int
    record_count: int  # new ones
    size: int  # bytes of the new ones
    connection_count: int
    refetch_count: int
    attestation: Attestation
    is_complete: bool
    gone_count: int = 0  # records the tag has overwritten that are not here either


async def sync_tag(
    visitor: Visitor, store: EvidenceStore, nonce: bytes, progress: ProgressCallback | None = None
) -> SyncOutcome:
    """Syncs *store* to the tag's head and has the tag attest that head for *nonce* (16 B).

    All that it returns for is on the disk. Raises LinkError after four connections in a
    row without a new record; TagAbsent after the first search for a tag that this sync never
    reached, and after two for one whose link it lost. Raises at once what repeating does not
    cure (AccessRefused, EvidenceRefused, StorageError).
    """
    count_before, size_before = store.record_count, store.record_size
    connection_count = fruitless_count = absent_count = 0
    was_reached = False
    while True:
        held_before = store.record_count
        try:
            if not visitor.is_connected:
                connection_count += 1
                await visitor.connect()
            was_reached, absent_count = True, 0
            attestation = await _read_all(visitor, store, nonce, progress)
            break
        except LinkError as problem:
            await visitor.close()
            fruitless_count = 0 if store.record_count > held_before else fruitless_count + 1
            absent_count += isinstance(problem, TagAbsent)
            is_gone = absent_count >= (_ABSENT_MAX if was_reached else 1)
            if is_gone or fruitless_count >= _FRUITLESS_MAX:
                raise
            await asyncio.sleep(min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2**fruitless_count))
    return SyncOutcome(
        head_seq=attestation.head.seq,
        record_count=store.record_count - count_before,
        size=store.record_size - size_before,
        connection_count=connection_count,
        refetch_count=visitor.refetch_count,
        attestation=attestation,
        is_complete=_is_whole(store, attestation.head),
        gone_count=visitor.gone_count,
    )


async def _read_all(
    visitor: Visitor, store: EvidenceStore, nonce: bytes, progress: ProgressCallback | None
) -> Attestation:
    """Reads and attests until the attested head is the last record held."""
    for _ in range(_ROUNDS_MAX):
        await visitor.sync(store, progress)
        attestation = await visitor.attest(nonce)
        if store.head_seq == attestation.head.seq:
            break
    # Kept in any case: it proves the tag's head, though not that all of it is here.
    store.add_statement(attestation.signed)
    return attestation


def _is_whole(store: EvidenceStore, head: Head) -> bool:
    """Whether the last record held is the attested one."""
    return store.head_seq == head.seq and store.prev_hash(head.seq + 1) == head.record_hash
