# SPDX-License-Identifier: MIT
"""The evidence store: uploads in, what is held out. Nothing is said before it is durable.

record      the chain of each tag, from its certificate on      never changed, never removed
loose       runs with a gap before them                         until their place is known
fork        other records, and attestations, that contradict    never changed, never removed
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sealtrail.archive.chains import Chains
from sealtrail.archive.database import Database
from sealtrail.archive.intake import Changes, Intake
from sealtrail.archive.sequence import (
    NOT_READ,
    ReadRecord,
    Refused,
    Upload,
    read_record,
    read_upload,
)
from sealtrail.archive.statement_intake import StatementChanges, judge_statements
from sealtrail.clock import Clock
from sealtrail.errors import StorageError
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import ATTEST, SERVICE
from sealtrail.evidence.trust import TrustStore
from sealtrail.home import Home
from sealtrail.keys.shelf import Shelf
from sealtrail.model import TagCertificate

_ATTESTATIONS_MAX = 8  # for one seq


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one upload."""

    tid: bytes
    new_count: int
    known_count: int
    refused: Refused | None


class EvidenceArchive:
    """All evidence of one fleet. Thread-safe; calls block until what they say is durable."""

    def __init__(self, database: Database, home: Home, clock: Clock) -> None:
        self.database = database
        self.chains = Chains(database)
        self.trust = TrustStore(home)
        self._home = home
        self._clock = clock

    def take(
        self, body: bytes, client: str, also: Callable[[TagCertificate, ChainJudge], None]
    ) -> Taken:
        """Takes an upload of *client* in. *also* is called with the tag's lock still held.

        Raises BadRequest, BadCertificate, StorageError; after the last nothing was kept.
        """
        upload = read_upload(body, self.trust.fleet_keys())
        tid = upload.certificate.tid
        with self.chains.locked(tid):
            with self._dropped_on_failure(tid):
                taken, is_spoiled = self._take(upload, client)
            if is_spoiled:
                self.chains.drop(tid)
            also(upload.certificate, self.judge(upload))
        return taken

    def judge(self, upload: Upload) -> ChainJudge:
        """The tag's judge. For who holds its lock."""
        certificate = upload.certificate
        return self.chains.load(certificate.tid, certificate.raw, upload.public_key)

    @contextlib.contextmanager
    def _dropped_on_failure(self, tid: bytes) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.chains.drop(tid)  # it took what is not on the disk
            raise

    def _take(self, upload: Upload, client: str) -> tuple[Taken, bool]:
        tid = upload.certificate.tid
        judge = self.judge(upload)
        changes = Intake(judge, _LooseRows(self.database, tid), self._forks(tid)).take(upload)
        said = StatementChanges()
        if changes.refused is None or changes.refused is upload.refused:
            said = judge_statements(
                upload, judge, self.trust.fleet_keys(), self._known_statements(tid)
            )
        now_ms = self._clock.now_ms()
        self.database.write(lambda db: _write(db, upload, changes, said, client, now_ms))
        # What was loose on the disk and has its place now is not new: it has no index.
        placed = sum(one.index != NOT_READ for one in (*changes.chain, *changes.forks))
        new_count = placed + len(changes.loose)
        refused = changes.refused or said.refused
        return Taken(tid, new_count, changes.known_count, refused), changes.is_spoiled

    def _forks(self, tid: bytes) -> list[ReadRecord]:
        rows = self.database.rows(
            "select raw from fork where tid=? and source='record' order by seq", (tid,)
        )
        return [_stored(raw) for (raw,) in rows]

    def _known_statements(self, tid: bytes) -> list[bytes]:
        """Service certificates of this home, then all that was kept of the tag, oldest first."""
        rows = self.database.rows(
            "select raw from statement where tid=? and type=19 order by id", (tid,)
        )
        return [*(one.raw for one in Shelf(self._home).all(SERVICE)), *(raw for (raw,) in rows)]


class _LooseRows:
    """The loose records of one tag as they lie on the disk."""

    def __init__(self, database: Database, tid: bytes) -> None:
        self._database = database
        self._tid = tid
        self._count = self._first("select count(*) from loose where tid=?")

    def count(self) -> int:
        return self._count

    def hashes(self, seq: int) -> Sequence[bytes]:
        if not self._count:
            return ()
        query = "select hash from loose where tid=? and seq=?"
        return [row[0] for row in self._database.rows(query, (self._tid, seq))]

    def fetch(self, seq: int) -> Sequence[ReadRecord]:
        if not self._count:
            return ()
        query = "select raw from loose where tid=? and seq=?"
        return [_stored(raw) for (raw,) in self._database.rows(query, (self._tid, seq))]

    def seqs_below(self, seq: int) -> Sequence[int]:
        if not self._count:
            return ()
        query = "select distinct seq from loose where tid=? and seq<?"
        return [row[0] for row in self._database.rows(query, (self._tid, seq))]

    def _first(self, query: str) -> int:
        row = self._database.row(query, (self._tid,))
        return 0 if row is None else int(row[0])


def _stored(raw: bytes) -> ReadRecord:
    try:
        return read_record(raw)
    except Refusal as refusal:
        raise StorageError(
            f"the archive's disk has changed a record ({refusal.reason})",
            "Restore the archive from a back-up.",
        ) from None


def _write(
    db: sqlite3.Connection,
    upload: Upload,
    changes: Changes,
    said: StatementChanges,
    client: str,
    now_ms: int,
) -> None:
    """Everything of one upload in one transaction: all of it is there or nothing."""
    tid = upload.certificate.tid
    seen = max((one.seq for one in (*changes.chain, *changes.loose.values())), default=-1)
    seen = max(seen, said.seen_head)
    db.execute(
        "insert into tag values(?,?,?,?,?,?,?,?) on conflict(tid) do update set"
        " seen_head=max(seen_head, excluded.seen_head),"
        " confirmed_floor=max(confirmed_floor, excluded.confirmed_floor),"
        " last_seen_ms=excluded.last_seen_ms, last_client=excluded.last_client",
        (
            *(tid, upload.certificate.subject, upload.certificate.raw),
            *(seen, changes.confirmed_floor, now_ms, now_ms, client),
        ),
    )
    come = (client, now_ms)
    db.executemany(
        "insert into record values(?,?,?,?,?,?)",
        [(tid, one.seq, one.hash, one.raw, *come) for one in changes.chain],
    )
    db.executemany(
        "insert into loose values(?,?,?,?,?,?)",
        [(tid, one.seq, one.hash, one.raw, *come) for one in changes.loose.values()],
    )
    db.executemany(
        "insert or ignore into fork values(?,?,?,?,?,?,?)",
        [(tid, one.seq, one.hash, one.raw, "record", *come) for one in changes.forks]
        + [(tid, seq, one_hash, raw, "statement", *come) for seq, one_hash, raw in said.forks],
    )
    db.executemany(
        "delete from loose where tid=? and seq=? and hash=?",
        [(tid, one.seq, one.hash) for one in changes.gone],
    )
    for one_hash, kind, seq, raw in said.kept:
        db.execute(
            "insert or ignore into statement(tid, hash, type, seq, raw, client, received_ms)"
            " values(?,?,?,?,?,?,?)",
            (tid, one_hash, kind, seq, raw, *come),
        )
    for seq in {seq for _, kind, seq, _ in said.kept if kind == ATTEST}:
        db.execute(
            "delete from statement where id in (select id from statement where tid=? and type=?"
            " and seq=? order by id desc limit -1 offset ?)",
            (tid, ATTEST, seq, _ATTESTATIONS_MAX),
        )
