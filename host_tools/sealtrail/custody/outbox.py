# SPDX-License-Identifier: MIT
"""What is to be uploaded, kept on this machine until the server has stored it.

    queued -> maybe -> sent -> stored
                 \\-> rejected | unknown      (a person has to look)

`maybe` is committed before the first byte leaves: after a crash or a lost answer the server
may have the document, and must be asked before it is sent again. Documents and evidence are
frozen bytes here. SQLite in WAL mode with synchronous FULL: each change is durable on
return. One process uploads at a time; a killed one frees the lock by dying.

KNOWN LIMIT: stored documents and their evidence stay in the file; nothing prunes it yet.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sealtrail.errors import StorageError, UsageError

_LOCK_WAIT_S = 10.0
_SCHEMA = """
create table if not exists evidence(
  sha256 blob primary key, content blob not null) without rowid;
create table if not exists document(
  id integer primary key,
  server text not null,
  sha256 blob not null,
  content blob not null,
  evidence blob not null references evidence(sha256),
  state text not null,
  attempt_count integer not null default 0,
  job_url text,
  detail text not null default '',
  created_ms integer not null,
  updated_ms integer not null,
  unique(server, sha256));
"""


class State(Enum):
    """Where a document stands. See the diagram on top."""

    QUEUED = "queued"
    MAYBE = "maybe"
    SENT = "sent"
    STORED = "stored"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens without a person."""
        return self in (State.STORED, State.REJECTED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One document for one server."""

    entry_id: int
    server: str
    sha256: bytes
    document: bytes
    evidence_sha256: bytes
    state: State
    attempt_count: int
    job_url: str | None
    detail: str
    created_ms: int
    updated_ms: int


_COLUMNS = (
    "id, server, sha256, content, evidence, state, attempt_count, job_url, detail, "
    "created_ms, updated_ms"
)


class Outbox:
    """The queue on disk. Every method is durable on return; raises StorageError."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with _storage(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=_LOCK_WAIT_S)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Closes the file. Nothing is lost without it."""
        self._db.close()

    def queue(self, server: str, document: bytes, evidence: bytes, now_ms: int) -> Entry:
        """Keeps a document and its evidence; the same pair again returns what is there.

        A document that a person had to look at is queued again by queueing it again.
        Raises UsageError when the document was queued with other evidence before.
        """
        digest, proof = hashlib.sha256(document).digest(), hashlib.sha256(evidence).digest()
        with _storage(self.path), self._transaction():
            self._refuse_other_evidence(server, digest, proof)
            self._db.execute("insert or ignore into evidence values(?,?)", (proof, evidence))
            self._db.execute(
                "insert into document(server, sha256, content, evidence, state, created_ms,"
                " updated_ms) values(?,?,?,?,?,?,?) on conflict(server, sha256) do update set"
                # `maybe`, not `queued`: an earlier attempt may have got through.
                " state='maybe', detail='', updated_ms=excluded.updated_ms"
                " where state in ('rejected', 'unknown')",
                (server, digest, document, proof, State.QUEUED.value, now_ms, now_ms),
            )
            row = self._db.execute(
                f"select {_COLUMNS} from document where server=? and sha256=?", (server, digest)
            ).fetchone()
        return _entry(row)

    def _refuse_other_evidence(self, server: str, document: bytes, evidence: bytes) -> None:
        row = self._db.execute(
            "select evidence from document where server=? and sha256=?", (server, document)
        ).fetchone()
        if row is not None and row[0] != evidence:
            raise UsageError(
                f"this document was queued before with other evidence, {row[0].hex()[:16]}...",
                "Write the custody document anew with the next --revision, and upload that.",
            )

    def entry(self, entry_id: int) -> Entry:
        """One entry as it is now."""
        with _storage(self.path):
            row = self._db.execute(
                f"select {_COLUMNS} from document where id=?", (entry_id,)
            ).fetchone()
        if row is None:
            raise StorageError(f"{self.path}: no entry {entry_id}")
        return _entry(row)

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        with _storage(self.path):
            rows = self._db.execute(f"select {_COLUMNS} from document order by id").fetchall()
        return [_entry(row) for row in rows]

    def evidence(self, sha256: bytes) -> bytes:
        """The evidence of an entry, byte for byte."""
        with _storage(self.path):
            row = self._db.execute(
                "select content from evidence where sha256=?", (sha256,)
            ).fetchone()
        if row is None or hashlib.sha256(row[0]).digest() != sha256:
            raise StorageError(f"{self.path}: evidence {sha256.hex()[:16]} is missing or damaged")
        return bytes(row[0])

    def note(
        self,
        entry: Entry,
        state: State,
        now_ms: int,
        *,
        detail: str = "",
        job_url: str | None = None,
        is_attempt: bool = False,
    ) -> Entry:
        """Moves an entry to *state*. A power cut before leaves the old state, after the new."""
        with _storage(self.path):
            self._db.execute(
                "update document set state=?, detail=?, job_url=?, updated_ms=?,"
                " attempt_count=attempt_count+? where id=?",
                (state.value, detail[:2000], job_url, now_ms, int(is_attempt), entry.entry_id),
            )
        return self.entry(entry.entry_id)

    def note_failure(self, entry: Entry, detail: str, *, is_attempt: bool) -> Entry:
        """Keeps why a try failed. State and `updated_ms` stay: patience counts from those."""
        with _storage(self.path):
            self._db.execute(
                "update document set detail=?, attempt_count=attempt_count+? where id=?",
                (detail[:2000], int(is_attempt), entry.entry_id),
            )
        return self.entry(entry.entry_id)

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """Holds the right to upload. Raises StorageError while another process has it."""
        with _storage(self.path):
            lock = sqlite3.connect(
                self.path.with_name(self.path.name + ".lock"), isolation_level=None, timeout=0.5
            )
        try:
            try:
                # The database lock is the operating system's: a killed process frees it.
                lock.execute("begin exclusive")
            except sqlite3.OperationalError as problem:
                raise StorageError(
                    f"{self.path}: another upload is running", "Wait for it, then run again."
                ) from problem
            yield
        finally:
            lock.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as problem:
        raise StorageError(
            f"{path}: outbox not usable: {problem}", "Check free space and rights of the folder."
        ) from problem


def _entry(row: tuple[object, ...]) -> Entry:
    (entry_id, server, sha256, content, evidence, state, count, job_url, detail, made, moved) = row
    return Entry(
        entry_id=int(str(entry_id)),
        server=str(server),
        sha256=bytes(_blob(sha256)),
        document=bytes(_blob(content)),
        evidence_sha256=bytes(_blob(evidence)),
        state=State(state),
        attempt_count=int(str(count)),
        job_url=None if job_url is None else str(job_url),
        detail=str(detail),
        created_ms=int(str(made)),
        updated_ms=int(str(moved)),
    )


def _blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise StorageError("outbox: damaged row")
    return value
