# SPDX-License-Identifier: MIT
"""One thread writes for all, many jobs in one commit; a job that fails takes no other along."""

import sqlite3
import threading
from pathlib import Path

import pytest

from sealtrail.archive.database import Database
from sealtrail.errors import StorageError, UsageError
from tests.archive.parts import database

__all__ = ["database"]


def put(name: str, value: str = "x") -> object:
    return lambda db: db.execute("insert into setting values(?,?)", (name, value)).rowcount


def names(database: Database) -> set[str]:
    return {name for (name,) in database.rows("select name from setting")}


def test_what_was_written_is_read_by_others(database: Database):
    assert database.write(put("a")) == 1
    other = sqlite3.connect(database.path)
    assert other.execute("select name from setting").fetchall() == [("a",)]
    other.close()


def test_many_writers_share_commits_and_all_are_kept(database: Database):
    threads = [
        threading.Thread(target=lambda n=n: [database.write(put(f"{n}-{i}")) for i in range(20)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 160


def grouped(database: Database, jobs: list[object]) -> list[object]:
    """Runs *jobs* in one group: the writer is held up until all wait."""
    gate, outcomes = threading.Event(), [None] * len(jobs)

    def run(index: int) -> None:
        try:
            outcomes[index] = database.write(jobs[index])
        except (StorageError, UsageError) as problem:
            outcomes[index] = problem

    holding = threading.Thread(target=lambda: database.write(lambda db: gate.wait(10)))
    holding.start()
    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in (holding, *threads):
        thread.join()
    return outcomes


def test_a_job_that_sqlite_refuses_leaves_the_others_of_its_group(database: Database):
    outcomes = grouped(database, [put("a"), put("b"), put("a"), put("c")])
    assert sum(isinstance(one, StorageError) for one in outcomes) == 1
    assert names(database) == {"a", "b", "c"}


def test_a_job_that_says_no_writes_nothing_and_leaves_the_others(database: Database):
    def changes_its_mind(db: sqlite3.Connection) -> None:
        db.execute("insert into setting values('half', 'x')")
        raise UsageError("no")

    outcomes = grouped(database, [put("a"), changes_its_mind, put("b")])
    assert [type(one) for one in outcomes] == [int, UsageError, int]
    assert names(database) == {"a", "b"}


def test_a_defect_in_a_job_comes_out_and_the_writer_lives_on(database: Database):
    def defect(db: sqlite3.Connection) -> None:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        database.write(defect)
    database.write(put("a"))
    assert names(database) == {"a"}


def test_a_full_disk_is_a_storage_error_and_nothing_is_half_there(database: Database):
    pages = database.row("pragma page_count")[0]
    database.write(lambda db: db.execute(f"pragma max_page_count={pages}"))

    def two(db: sqlite3.Connection) -> None:
        db.execute("insert into setting values('first', 'x')")
        db.execute("insert into setting values('second', ?)", ("x" * 200_000,))

    with pytest.raises(StorageError, match="full"):
        database.write(two)
    assert names(database) == set()
    database.write(lambda db: db.execute("pragma max_page_count=1000000"))
    database.write(two)
    assert names(database) == {"first", "second"}


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path):
    path = tmp_path / "archive.sqlite"
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StorageError, match="not a database"):
        Database(path)


def test_a_closed_archive_takes_nothing(tmp_path: Path):
    made = Database(tmp_path / "archive.sqlite")
    made.close()
    made.close()
    with pytest.raises(StorageError, match="closed"):
        made.write(put("a"))


def test_readers_of_many_threads_share_few_connections(database: Database):
    for _ in range(30):
        thread = threading.Thread(target=names, args=(database,))
        thread.start()
        thread.join()
    assert len(database._open) <= 3
