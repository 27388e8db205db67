# SPDX-License-Identifier: MIT
"""The archive's SQLite file: one thread writes, many jobs in one commit; everybody reads.

WAL with synchronous FULL: `write` returns when the job's changes are on the disk. A kill or
power cut before leaves nothing of the job, after all of it. Jobs wait for each other only
as long as one flush takes: whatever came meanwhile goes into the next commit together.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from sealtrail.errors import SealtrailError, StorageError

Job = Callable[[sqlite3.Connection], Any]
_GROUP_MAX = 64  # jobs in one commit
_BUSY_WAIT_S = 10.0  # `archive client add` beside a running server
_SCHEMA = """
create table if not exists tag(
  tid blob primary key, serial text not null, certificate blob not null,
  seen_head integer not null default -1, confirmed_floor integer not null default 0,
  first_seen_ms integer not null, last_seen_ms integer not null,
  last_client text not null) without rowid;
create table if not exists record(
  tid blob not null, seq integer not null, hash blob not null, raw blob not null,
  client text not null, received_ms integer not null, primary key(tid, seq)) without rowid;
create table if not exists loose(
  tid blob not null, seq integer not null, hash blob not null, raw blob not null,
  client text not null, received_ms integer not null,
  primary key(tid, seq, hash)) without rowid;
create table if not exists fork(
  tid blob not null, seq integer not null, hash blob not null, raw blob not null,
  source text not null, client text not null, received_ms integer not null,
  primary key(tid, seq, hash)) without rowid;
create table if not exists statement(
  id integer primary key, tid blob not null, hash blob not null, type integer not null,
  seq integer not null, raw blob not null, client text not null,
  received_ms integer not null, unique(tid, hash));
create table if not exists receipt(
  tid blob not null, seq integer not null, kid blob not null, raw blob not null,
  made_ms integer not null, primary key(tid, kid, seq)) without rowid;
create table if not exists client(
  name text primary key, role text not null, token_hash blob not null unique,
  public_key blob, made_ms integer not null, revoked_ms integer) without rowid;
create table if not exists setting(name text primary key, value text not null) without rowid;
"""


class Database:
    """One archive's file. Raises StorageError for whatever the disk or the file refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._open: list[sqlite3.Connection] = []
        self._open_lock = threading.Lock()
        self._is_closed = False
        with self._storage():
            self._writer = self._connected()
            self._writer.execute("pragma journal_mode=wal")
            self._writer.execute("pragma synchronous=full")
            self._writer.executescript(_SCHEMA)
        self._thread = threading.Thread(target=self._work, name="archive writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finishes what was asked for and closes the file. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join()
        with self._open_lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def write(self, job: Job) -> Any:
        """Runs *job* in the writer's transaction; returns its result once that is durable.

        *job* may run twice: a group that fails is done again one by one. What it raises of
        ours comes out here, and nothing of it is written.
        """
        if self._is_closed:
            raise StorageError(f"{self.path}: is closed")
        future: Future[Any] = Future()
        self._jobs.put((job, future))
        return future.result()

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query, as committed."""
        with self._storage(), self._reader() as reader:
            return reader.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row of one query, None where there is none."""
        with self._storage(), self._reader() as reader:
            found: tuple[Any, ...] | None = reader.execute(query, values).fetchone()
        return found

    # ---- the writer's thread

    def _work(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            group, is_last = [first], False
            while len(group) < _GROUP_MAX and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    is_last = True
                    break
                group.append(following)
            self._do(group)
            if is_last:
                return

    def _do(self, group: list[tuple[Job, Future[Any]]]) -> None:
        try:
            outcomes = self._committed([job for job, _ in group])
        except Exception as problem:  # of SQLite, or a defect: the thread must live on
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("rollback")
            if len(group) > 1:
                for one in group:  # only the one at fault is to hear of it
                    self._do([one])
                return
            outcomes = [self._named(problem)]
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _committed(self, jobs: list[Job]) -> list[Any]:
        """The jobs' results, or what of ours they raised; durable on return."""
        outcomes: list[Any] = []
        self._writer.execute("begin immediate")
        for job in jobs:
            self._writer.execute("savepoint job")
            try:
                outcomes.append(job(self._writer))
            except SealtrailError as problem:
                self._writer.execute("rollback to job")
                outcomes.append(problem)
            self._writer.execute("release job")
        # A cut before this line: none of the group is there, and nobody was told so.
        self._writer.execute("commit")
        return outcomes

    def _named(self, problem: BaseException) -> BaseException:
        if isinstance(problem, (sqlite3.Error, OSError)):
            return _storage_error(self.path, problem)
        return problem

    # ---- connections

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, timeout=_BUSY_WAIT_S, check_same_thread=False
        )
        with self._open_lock:
            self._open.append(connection)
        return connection

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection nobody else uses now. Threads come and go; these are used again."""
        try:
            reader = self._idle.get_nowait()
        except queue.Empty:
            reader = self._connected()
        try:
            yield reader
        finally:
            self._idle.put(reader)

    @contextlib.contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise _storage_error(self.path, problem) from problem


def _storage_error(path: Path, problem: BaseException) -> StorageError:
    return StorageError(
        f"{path}: archive not usable: {problem}", "Check free space and rights of the folder."
    )
