# SPDX-License-Identifier: MIT
"""Judges the statements of one upload (R17 to R19). An attestation that the tag signed and
that contradicts the chain is no bad statement but the proof of a fork.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sealtrail.archive.sequence import Refused, Upload
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import (
    ATTEST,
    FLEET,
    PERSON,
    RECEIPT,
    SERVICE,
    TIME,
    RawStatement,
    StatementJudge,
)


@dataclass(slots=True)
class StatementChanges:
    """*kept*: (hash, type, seq or -1, bytes); *forks*: (seq, the other hash, the proof)."""

    kept: list[tuple[bytes, int, int, bytes]] = field(default_factory=list)
    forks: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    seen_head: int = -1
    refused: Refused | None = None


def judge_statements(
    upload: Upload, chain: ChainJudge, fleet: Sequence[FleetKey], known: Sequence[bytes]
) -> StatementChanges:
    """*known*: statements held already; service certificates among them vouch for others."""
    changes = StatementChanges()
    tid = upload.certificate.tid
    judge = StatementJudge(tid, chain, fleet)
    for raw in known:
        try:
            judge.take(raw)
        except Refusal:
            continue  # of another time or fleet: it vouches for nothing here
    for index, one in upload.statements:
        try:
            judge.take(one.raw)
        except Refusal as refusal:
            if refusal.rule == "R19" and _is_contradiction(one, tid):
                changes.forks.append((one.number(2), one.octets(3), one.raw))
                continue
            changes.refused = Refused(index, None, refusal.rule, refusal.reason, refusal.detail)
            break
        if one.type != FLEET:  # the home's own shelf has those
            changes.kept.append((hashlib.sha256(one.raw).digest(), one.type, _seq(one), one.raw))
        if one.type == ATTEST:
            changes.seen_head = max(changes.seen_head, one.number(2))
    return changes


def _is_contradiction(one: RawStatement, tid: bytes) -> bool:
    """Whether a statement about this tag, whose signature held, names another record."""
    return one.type in (ATTEST, RECEIPT) and one.octets(1) == tid


def _seq(one: RawStatement) -> int:
    return -1 if one.type in (TIME, SERVICE, PERSON) else one.number(2)
