# SPDX-License-Identifier: MIT
"""Which record of a tag this computer trusted last: for `revoke`, from what it verified.

Asked in this order: a file the user names, the records that syncs brought, records read
over the serial line, and the head that an earlier `verify` noted. Only a record whose
chain verifies from the tag's first on is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealtrail.commands.evidence import verified
from sealtrail.commands.output import Session
from sealtrail.errors import EvidenceRefused, UsageError, VerifyError
from sealtrail.evidence.trust import TrustStore
from sealtrail.evidence.verify import judge
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.radio.evidence_store import EvidenceStore


@dataclass(frozen=True, slots=True)
class TrustedRecord:
    """A record to be named in a revocation, and where it was found."""

    tid: bytes
    seq: int
    sha256: bytes
    source: str


def trusted_record(
    session: Session, serial: str, last_seq: int | None, evidence: Path | None
) -> TrustedRecord:
    """Record *last_seq* of the tag's present enrolment; None: the last one that is here.

    Raises UsageError where it is not here, EvidenceRefused where what is here is no chain.
    """
    if evidence is not None:
        return _of_file(session, serial, last_seq, evidence)
    tid = _tid(session, serial)
    held = _held(session, serial, tid)
    if held is not None and (last_seq is None or last_seq < len(held[1])):
        source, hashes = held
        seq = len(hashes) - 1 if last_seq is None else last_seq
        return TrustedRecord(tid, seq, hashes[seq], source)
    head = TrustStore(session.home).known_head(tid)
    if head is not None and last_seq in {None, head.seq}:
        return TrustedRecord(tid, head.seq, head.sha256, "the trust store")
    what = f"no record {last_seq}" if last_seq is not None else "no record"
    raise UsageError(
        f"this home holds {what} of {serial}", "Name a file that has it with --evidence."
    )


def _of_file(session: Session, serial: str, last_seq: int | None, evidence: Path) -> TrustedRecord:
    found = verified(session, evidence, None)
    if found.certificate.subject != serial:
        raise UsageError(f"{evidence}: is evidence of {found.certificate.subject}, not {serial}")
    seq = len(found.records) - 1 if last_seq is None else last_seq
    if not 0 <= seq < len(found.records):
        raise UsageError(f"{evidence}: holds no record {max(seq, 0)}")
    return TrustedRecord(found.certificate.tid, seq, found.records[seq].sha256, str(evidence))


def _tid(session: Session, serial: str) -> bytes:
    if (session.home.tag(serial) / "current").exists():
        return TagFolder.current(session.home, serial).tid
    stores = sorted(session.home.evidence.glob(f"{serial}-*.store"))
    if len(stores) != 1:
        count = "none" if not stores else f"{len(stores)} enrolments"
        raise UsageError(
            f"which enrolment of {serial}? this home knows {count}",
            "Name a file of it with --evidence.",
        )
    return bytes.fromhex(stores[0].stem.rsplit("-", 1)[1])


def _held(session: Session, serial: str, tid: bytes) -> tuple[str, list[bytes]] | None:
    """(source, hashes by seq) of the longest verified chain that is here."""
    fleet = TrustStore(session.home).fleet_keys()
    best: tuple[str, list[bytes]] | None = None
    refused: VerifyError | None = None
    for source, raw in _sources(session, serial, tid):
        try:
            hashes = judge(raw, fleet).chain.hashes
        except VerifyError as problem:
            refused = problem
            continue
        if hashes and (best is None or len(hashes) > len(best[1])):
            best = source, list(hashes)
    if best is None and refused is not None:
        raise EvidenceRefused(
            f"the records of {serial} here are refused: {refused.message}",
            "Name a file that verifies with --evidence.",
        )
    return best


def _sources(session: Session, serial: str, tid: bytes) -> Iterator[tuple[str, bytes]]:
    folder = session.home.evidence
    path = folder / f"{serial}-{tid.hex()}.store"
    if path.exists():
        with EvidenceStore(path, read_only=True) as store:
            # Without statements: an earlier revocation must not stand in the way of one more.
            records = list(store.records())[: store.first_missing()]
            yield path.name, store.certificate + b"".join(records)
    for dump in sorted(folder.glob(f"dumps/{tid.hex()}-*.seal")):
        yield dump.name, dump.read_bytes()
