# SPDX-License-Identifier: MIT
"""Takes an upload apart: certificate, records, statements; strictly, without believing it.

Form only (R1 to R4). What breaks a rule in the middle ends the reading there: what stands
in front of it is of use, whatever follows.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sealtrail.errors import SealtrailError, UnreadableEvidence, VerifyError
from sealtrail.evidence.certificate import FleetKey, is_certificate, judge_certificate
from sealtrail.evidence.cose import Envelope, open_envelope
from sealtrail.evidence.payload import Payload, read_payload
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import RawStatement, read_statement, statement_type
from sealtrail.evidence.verify import item_end
from sealtrail.model import TagCertificate

NOT_READ = 0  # index of a record that came from the disk, not in an upload


class BadRequest(SealtrailError):
    """The request has not the form that docs/archive.md demands."""


class BadCertificate(SealtrailError):
    """The upload's tag is not one of this fleet's."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One record of an upload: read, not believed. *index*: its place in the sequence."""

    index: int
    raw: bytes
    hash: bytes
    envelope: Envelope
    payload: Payload

    @property
    def seq(self) -> int:
        """Its sequence number."""
        return self.payload.seq


@dataclass(frozen=True, slots=True)
class Refused:
    """Where the reading or the judging of an upload ended, and why."""

    index: int
    seq: int | None
    rule: str
    reason: str
    detail: str


@dataclass(slots=True)
class Upload:
    """An upload taken apart."""

    certificate: TagCertificate
    public_key: bytes
    records: list[ReadRecord] = field(default_factory=list)
    statements: list[tuple[int, RawStatement]] = field(default_factory=list)
    refused: Refused | None = None


def read_record(raw: bytes, index: int = NOT_READ) -> ReadRecord:
    """Raises Refusal R2 to R4."""
    envelope = open_envelope(raw)
    return ReadRecord(index, raw, hashlib.sha256(raw).digest(), envelope, read_payload(envelope))


def read_upload(body: bytes, fleet: Sequence[FleetKey]) -> Upload:
    """Raises BadRequest where there is no certificate or the order is wrong, BadCertificate."""
    upload = _begun(body, fleet)
    end, index, last_seq = len(upload.certificate.raw), 0, -1
    while end < len(body) and upload.refused is None:
        index += 1
        begin, end = end, _end_of(body, end, index, upload)
        if upload.refused is not None:
            break
        _take(body[begin:end], index, upload)
        if upload.records and upload.records[-1].index == index:
            seq = upload.records[-1].seq
            if seq <= last_seq:
                raise BadRequest(f"item {index}: record {seq} after record {last_seq}")
            last_seq = seq
    return upload


def _begun(body: bytes, fleet: Sequence[FleetKey]) -> Upload:
    if not body:
        raise BadRequest("the body is empty")
    try:
        item = body[: item_end(body, 0, 0)]
        if not is_certificate(item):
            raise BadRequest("the body does not begin with a certificate")
        certificate, public_key = judge_certificate(item, fleet)
    except (VerifyError, UnreadableEvidence) as problem:
        raise BadRequest(f"the body does not begin with a certificate: {problem.reason}") from None
    except Refusal as refusal:
        raise BadCertificate(f"{refusal.reason} ({refusal.rule}): {refusal.detail}") from None
    return Upload(certificate, public_key)


def _end_of(body: bytes, offset: int, index: int, upload: Upload) -> int:
    try:
        return item_end(body, offset, index)
    except VerifyError as problem:
        upload.refused = Refused(index, None, "R1", problem.reason, problem.detail)
    except UnreadableEvidence as problem:
        upload.refused = Refused(index, None, "R1", problem.reason, "the sequence ends inside it")
    return len(body)


def _take(item: bytes, index: int, upload: Upload) -> None:
    try:
        if not _is_plainly_record(item) and statement_type(item) is not None:
            upload.statements.append((index, read_statement(item)))
        elif upload.statements:
            raise Refusal("R1", "record after a statement")
        else:
            upload.records.append(read_record(item, index))
    except Refusal as refusal:
        upload.refused = Refused(index, None, refusal.rule, refusal.reason, refusal.detail)


def _is_plainly_record(item: bytes) -> bool:
    """Whether key 0 of the payload is below 16, without decoding all of it.

    It comes first in a sorted map and takes one byte; a False says nothing yet.
    """
    payload = open_envelope(item).payload
    return len(payload) > 2 and payload[1] == 0 and payload[2] < 16
