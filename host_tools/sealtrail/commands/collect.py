# SPDX-License-Identifier: MIT
"""One tag's evidence brought home: what `sync` and `gateway` do at each visit."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealtrail.commands.known_statements import Rotations, add_known_statements
from sealtrail.evidence.statements import RawStatement
from sealtrail.evidence.trust import TrustStore
from sealtrail.radio.carry import tell_rotations
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.key_memory import HomeKeyMemory
from sealtrail.radio.sync import SyncOutcome, sync_tag
from sealtrail.radio.visitor import Visitor

if TYPE_CHECKING:
    from sealtrail.commands.archive_sync import ArchivePart
    from sealtrail.commands.output import Session
    from sealtrail.keys.wallet import WalletEntry


@dataclass(frozen=True, slots=True)
class Collected:
    """*gap_seq*: the first record not here. *size*: of the file written, 0 for none."""

    outcome: SyncOutcome
    gap_seq: int
    is_whole: bool
    rotations_told: int
    revoked: RawStatement | None
    size: int


async def collect(
    session: "Session",
    entry: "WalletEntry",
    visitor: Visitor,
    part: "ArchivePart",
    target: Path | None = None,
    bar: Callable[[int, int], None] = lambda done, total: None,
) -> Collected:
    """Syncs, tells the tag what is due, and says goodbye; then writes *target*, if named.

    Killed anywhere, what was stored stays and its upload stays due. Raises what
    `sync_tag` raises, and StorageError.
    """
    home, clock = session.home, session.clock
    store_path = home.make(home.evidence) / f"{entry.serial}-{entry.tid.hex()}.store"
    part.begin(store_path)
    with EvidenceStore(store_path, entry.certificate) as store:
        # Durable before it is asked for: an answer to a number that was forgotten proves nothing.
        trust = TrustStore(home)
        nonce = trust.new_nonce(entry.tid, clock.now_ms())
        rotations = Rotations(home, entry)
        try:
            outcome = await sync_tag(
                visitor, store, nonce, lambda now: bar(now.next_seq, now.head_seq + 1)
            )
            why = await tell_rotations(visitor, rotations.due, rotations.note_taken)
            if why:
                session.detail(f"the tag was not told of the fleet's new key: {why}")
            await part.visit(visitor, store)
        finally:
            await visitor.close()
        trust.note_answer(entry.tid, nonce, clock.now_ms())
        HomeKeyMemory(home, entry.tid).learn(entry.certificate, store.records())
        revoked = add_known_statements(home, store, entry.tid)
        size = store.export(target) if target is not None else 0
        gap_seq = store.first_missing()
        is_whole = gap_seq > store.head_seq
    return Collected(outcome, gap_seq, is_whole, rotations.taken_count, revoked, size)
