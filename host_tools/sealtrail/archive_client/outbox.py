# SPDX-License-Identifier: MIT
"""Which tags' evidence an archive has yet to get: archive_outbox.sqlite in the home.

The evidence itself lies in the evidence stores, durable before a tag hears of it; here
stands only that it is due. A row is written before a visit begins and goes when the archive
has said that it holds all: killed anywhere between, it stays, and sending again is harmless.

    due -> (row removed)          the archive holds all
     \\-> refused                 it named a rule that is broken: a person has to look
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealtrail.errors import StorageError
from sealtrail.home import Home

_LOCK_WAIT_S = 10.0
_SCHEMA = """
create table if not exists due(
  url text not null, tid blob not null, serial text not null, store text not null,
  since_ms integer not null, state text not null default 'due',
  attempt_count integer not null default 0, detail text not null default '',
  generation integer not null default 0,
  primary key(url, tid)) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One tag whose evidence one archive has yet to get. *store*: file name in evidence/."""

    url: str
    tid: bytes
    serial: str
    store: str
    since_ms: int
    state: str
    attempt_count: int
    detail: str
    generation: int  # rises with every `put`


class ArchiveOutbox:
    """The queue on disk. Every method is durable on return; raises StorageError."""

    def __init__(self, home: Home) -> None:
        self.path = home.root / "archive_outbox.sqlite"
        with _storage(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=_LOCK_WAIT_S)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Closes the file. Nothing is lost without it."""
        self._db.close()

    def put(self, url: str, tid: bytes, serial: str, store: Path, now_ms: int) -> None:
        """Makes a tag's evidence due. Again: a refused one is tried again, too."""
        with _storage(self.path):
            self._db.execute(
                "insert into due(url, tid, serial, store, since_ms) values(?,?,?,?,?)"
                " on conflict(url, tid) do update set state='due', store=excluded.store,"
                " generation=generation+1",
                (url, tid, serial, store.name, now_ms),
            )

    def waiting(self, url: str | None = None) -> list[Due]:
        """What is due and what was refused, oldest first."""
        with _storage(self.path):
            rows = self._db.execute(
                "select url, tid, serial, store, since_ms, state, attempt_count, detail,"
                " generation from due where url=? or ? is null order by since_ms, tid",
                (url, url),
            ).fetchall()
        return [Due(*row) for row in rows]

    def done(self, due: Due) -> None:
        """The archive holds all of what was due; what became due meanwhile stays."""
        with _storage(self.path):
            self._db.execute(
                "delete from due where url=? and tid=? and generation=?",
                (due.url, due.tid, due.generation),
            )

    def note(self, due: Due, detail: str, state: str = "due") -> None:
        """Keeps why it is still here."""
        with _storage(self.path):
            self._db.execute(
                "update due set detail=?, state=?, attempt_count=attempt_count+1"
                " where url=? and tid=?",
                (detail[:500], state, due.url, due.tid),
            )


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as problem:
        raise StorageError(
            f"{path}: outbox not usable: {problem}", "Check free space and rights of the folder."
        ) from problem
