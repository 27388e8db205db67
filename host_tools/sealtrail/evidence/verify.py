# SPDX-License-Identifier: MIT
"""Verifies a whole evidence file: the certificate, each item in order, then freshness.

`verify_evidence` returns the verified object or raises; there is no half-verified result.
The order of the rules is that of docs/record-format.md section 9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sealtrail.errors import StorageError, UnreadableEvidence, VerifyError
from sealtrail.evidence import cbor_strict
from sealtrail.evidence.certificate import FleetKey, is_certificate, judge_certificate
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.cose import Envelope, common_envelope, open_envelope
from sealtrail.evidence.payload import Payload, read_payload
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import (
    ATTEST,
    PERSON,
    REVOCATION,
    SERVICE,
    RawStatement,
    StatementJudge,
    read_statement,
    statement_type,
)
from sealtrail.evidence.story import RECORDS_LOST, Material, highest_count, tell
from sealtrail.evidence.trust import Asked, KnownHead
from sealtrail.model import Completeness, Freshness, TagCertificate, VerifiedEvidence

EVIDENCE_SIZE_MAX = 64 << 20
ITEM_SIZE_MAX = 1024
_BATCH = 256  # signatures verified at once


class Trust(Protocol):
    """What the verifier brings along (trust.TrustStore)."""

    def fleet_keys(self) -> Sequence[FleetKey]: ...

    def nonces(self, tid: bytes) -> Mapping[bytes, Asked]: ...

    def known_head(self, tid: bytes) -> KnownHead | None: ...

    def statements(self, tid: bytes) -> Sequence[bytes]: ...


@dataclass(slots=True)
class Judged:
    """Everything that passed rules R1 to R20, in file order."""

    certificate: TagCertificate
    chain: ChainJudge
    payloads: list[Payload]
    sizes: list[int]
    statements: list[tuple[RawStatement, str]]
    statement_indexes: list[int]


def verify_evidence(raw: bytes, trust: Trust) -> VerifiedEvidence:
    """The verified content of *raw*. Pure: reads no file, no clock.

    Raises VerifyError at the first rule that does not hold, UnreadableEvidence where the
    file is empty or ends inside an item.
    """
    fleet = trust.fleet_keys()
    judged = judge(raw, fleet)
    stored = _judge_stored(trust.statements(judged.certificate.tid), judged, fleet)
    nonces = trust.nonces(judged.certificate.tid)
    known = trust.known_head(judged.certificate.tid)
    freshness = _judge_freshness(judged, nonces, known, _last_trusted(judged, stored))
    return tell(
        Material(
            certificate=judged.certificate,
            payloads=judged.payloads,
            hashes=judged.chain.hashes,
            sizes=judged.sizes,
            statements=judged.statements,
            freshness=freshness,
            nonces=nonces,
            raw=raw,
            known=stored,
        )
    )


def judge(raw: bytes, fleet: Sequence[FleetKey]) -> Judged:
    """Rules R1 to R20, for all items. Raises as `verify_evidence`."""
    if not raw:
        raise UnreadableEvidence("evidence empty", 0)
    if len(raw) > EVIDENCE_SIZE_MAX:
        raise VerifyError("R1", "evidence too long", 0, None, f"{len(raw)} bytes")
    end = item_end(raw, 0, 0)
    item = raw[:end]
    try:
        if not is_certificate(item):
            _why_no_certificate(item)
        certificate, public_key = judge_certificate(item, fleet)
    except Refusal as refusal:
        raise _refused(refusal, 0, None) from None
    judged = Judged(certificate, ChainJudge(item, public_key), [], [], [], [])
    statements = StatementJudge(certificate.tid, judged.chain, fleet)
    try:
        _judge_items(raw, end, judged, statements)
    except (VerifyError, UnreadableEvidence) as problem:
        _settle(judged.chain)  # what is wrong first may be a signature
        if isinstance(problem, VerifyError) and problem.rule == "R8":
            raise _with_loss(problem, raw, end) from None
        raise
    _settle(judged.chain)
    _judge_revocations(judged)
    return judged


def _why_no_certificate(item: bytes) -> None:
    """Raises the Refusal of an item that cannot be the certificate."""
    try:
        payload = cbor_strict.decode(open_envelope(item).payload)
    except cbor_strict.CborRefused as fault:
        raise Refusal("R3", fault.reason) from None
    if isinstance(payload, dict) and 0 not in payload:
        return
    raise Refusal("R1", "certificate missing", "the file begins with something else")


def _judge_items(raw: bytes, end: int, judged: Judged, statements: StatementJudge) -> None:
    """All items behind the certificate, which ends at *end*; some signatures stay due."""
    index = 1
    while end < len(raw):
        begin, (end, envelope) = end, _next_item(raw, end, index)
        _judge_item(raw[begin:end], envelope, index, judged, statements)
        index += 1
        if len(judged.chain.due) >= _BATCH:
            _settle(judged.chain)


def _with_loss(problem: VerifyError, raw: bytes, end: int) -> VerifyError:
    """R8, with what the records themselves say of the gap: a tag may have overwritten some.

    Nothing of what is read here is verified, and it is told as such.
    """
    payloads = []
    while end < len(raw):
        begin = end
        try:
            end = item_end(raw, end, 0)
            payloads.append(read_payload(open_envelope(raw[begin:end])))
        except (VerifyError, UnreadableEvidence):
            break
        except Refusal:
            continue  # a statement
    lost = highest_count(payloads, RECORDS_LOST)
    if not lost:
        return problem
    said = f"the records say that the tag overwrote {lost:,} before any archive had them"
    detail = f"{problem.detail}; {said} (not verified)"
    return VerifyError(problem.rule, problem.reason, problem.index, problem.seq, detail)


def _settle(chain: ChainJudge) -> None:
    """R10 for the records since the last time. Raises VerifyError."""
    seq = chain.settle()
    if seq is not None:
        detail = "changed after signing, or by another key"
        raise VerifyError("R10", "record signature wrong", seq + 1, seq, detail) from None


def _next_item(raw: bytes, offset: int, index: int) -> tuple[int, Envelope | None]:
    """R1: (end of the item at *offset*, its envelope where it has the form of nearly all)."""
    common = common_envelope(raw, offset)
    if common is not None and common[0] - offset <= ITEM_SIZE_MAX:
        return common
    return item_end(raw, offset, index), None


def _judge_item(
    item: bytes,
    envelope: Envelope | None,
    index: int,
    judged: Judged,
    statements: StatementJudge,
) -> None:
    seq: int | None = None
    try:
        if _is_record(item, envelope):
            seq = judged.chain.count
            if judged.statements:
                raise Refusal("R1", "record after a statement")
            envelope = envelope or open_envelope(item)
            payload = read_payload(envelope)
            judged.chain.take(item, envelope, payload)
            judged.payloads.append(payload)
            judged.sizes.append(len(item))
        else:
            judged.statements.append(statements.take(item))
            judged.statement_indexes.append(index)
    except Refusal as refusal:
        raise _refused(refusal, index, seq) from None


def _is_record(item: bytes, envelope: Envelope | None) -> bool:
    """Section 8: everything is a record but a map whose key 0 is 16 or more."""
    # Key 0 comes first in a sorted map, and the kinds of records take one byte.
    if envelope is not None and envelope.payload[1] == 0 and envelope.payload[2] < 16:
        return True
    return statement_type(item) is None


def item_end(raw: bytes, offset: int, index: int) -> int:
    """R1: where the item at *offset* ends. Raises VerifyError, UnreadableEvidence."""
    window = raw[offset : offset + ITEM_SIZE_MAX]
    try:
        size = cbor_strict.item_end(window, 0)
    except cbor_strict.CborRefused as fault:
        if fault.reason != cbor_strict.TRUNCATED:
            raise VerifyError("R1", fault.reason, index, None, "not a CBOR item") from None
        if len(window) == ITEM_SIZE_MAX:
            raise VerifyError("R1", "item too long", index, None, "over 1,024 bytes") from None
        raise UnreadableEvidence("evidence cut", index) from None
    return offset + size


def _judge_revocations(judged: Judged) -> None:
    """R20: nothing beyond the last trusted record, whatever time it claims."""
    for (statement, _), index in zip(judged.statements, judged.statement_indexes, strict=True):
        if statement.type == REVOCATION:
            _judge_revocation(statement, judged.chain.count, f"item {index}")


def _judge_stored(
    items: Sequence[bytes], judged: Judged, fleet: Sequence[FleetKey]
) -> list[RawStatement]:
    """What the trust store holds beside the file: revocations (R20), and who is who.

    A revocation that does not hold stops the work: to pass over it would let the thief
    through. A person or service key of another fleet only names nobody.
    """
    held: list[RawStatement] = []
    judge_of_stored = StatementJudge(judged.certificate.tid, judged.chain, fleet)
    for item in items:
        try:
            statement, _ = judge_of_stored.take(item)
        except Refusal as refusal:
            if statement_type(item) in (SERVICE, PERSON):
                continue
            raise _stored_refused(refusal, item) from None
        held.append(statement)
        if statement.type == REVOCATION:
            _judge_revocation(statement, judged.chain.count, "the trust store")
    return held


def _stored_refused(refusal: Refusal, item: bytes) -> StorageError | VerifyError:
    detail = f"revocation in the trust store: {refusal.detail or refusal.reason}"
    if refusal.rule == "R19":
        seq = read_statement(item).number(2)
        return VerifyError(refusal.rule, refusal.reason, seq + 1, seq, detail)
    return StorageError(
        f"this computer's revocation of the tag does not hold ({refusal.rule})",
        "Check that fleet.pub is the newest; take the revocation in again.",
    )


def _judge_revocation(statement: RawStatement, count: int, source: str) -> None:
    if statement.number(2) < count - 1:
        seq = statement.number(2) + 1
        detail = f"{source} revokes all after record {seq - 1}"
        raise VerifyError("R20", "record beyond the revocation", seq + 1, seq, detail)


def _last_trusted(judged: Judged, stored: Sequence[RawStatement]) -> int:
    """The last record that revocations of the tag leave; -1 without one."""
    told = [*(one for one, _ in judged.statements), *stored]
    return min((one.number(2) for one in told if one.type == REVOCATION), default=-1)


def _judge_freshness(
    judged: Judged, nonces: Mapping[bytes, Asked], known: KnownHead | None, last_trusted: int
) -> Freshness:
    """R21. Raises VerifyError where a known head was replaced."""
    count = judged.chain.count
    if known is not None and known.seq >= count:
        end = f"ends at record {count - 1}" if count else "holds no record"
        detail = f"{end}, but record {known.seq} was seen before"
        return Freshness(Completeness.STALE, detail)
    if known is not None and judged.chain.hashes[known.seq] != known.sha256:
        detail = "this verifier has seen another record of that number"
        raise VerifyError("R21", "fork of a known head", known.seq + 1, known.seq, detail)
    if last_trusted >= count:
        # Else a thief with the key would fork off before it, and attest the fork's end.
        detail = f"ends before record {last_trusted}, which the tag's revocation names"
        return Freshness(Completeness.STALE, detail)
    attested = [
        one
        for one, _ in judged.statements
        if one.type == ATTEST and one.number(2) == count - 1 and count
    ]
    for one in attested:
        asked = nonces.get(one.octets(4))
        if asked is not None:
            detail = f"the tag attested record {count - 1} as its last to this verifier"
            return Freshness(
                Completeness.PROVED, detail, asked.asked_ms, asked.answered_ms, one.number(7)
            )
    if attested:
        detail = f"record {count - 1} was attested as the last, but not to this verifier"
        return Freshness(
            Completeness.FOREIGN_NONCE, detail, unsealed_entries=attested[0].number(7)
        )
    if not count:
        return Freshness(Completeness.UNPROVED, "holds no record")
    return Freshness(Completeness.UNPROVED, f"nothing attests that record {count - 1} is the last")


def _refused(refusal: Refusal, index: int, seq: int | None) -> VerifyError:
    detail = refusal.detail or "docs/record-format.md says how it must be"
    return VerifyError(refusal.rule, refusal.reason, index, seq, detail)
