# SPDX-License-Identifier: MIT
"""The queue on disk: what was queued is there, once, whatever happened since."""

import hashlib
import sqlite3
from pathlib import Path

import pytest

from sealtrail.custody.outbox import Outbox, State
from sealtrail.errors import StorageError, UsageError

SERVER = "https://epcis.example.com"


def test_queueing_the_same_document_twice_keeps_one(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db")
    first = outbox.queue(SERVER, b"doc", b"evidence", 1)
    second = outbox.queue(SERVER, b"doc", b"evidence", 2)
    assert (first.entry_id, second.state) == (second.entry_id, State.QUEUED)
    assert outbox.queue("https://other.example", b"doc", b"evidence", 2) != first
    assert len(outbox.entries()) == 2
    outbox.close()


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "new" / "o.db")
    entry = outbox.queue(SERVER, b"doc", b"evidence", 1)
    outbox.note(entry, State.SENT, 5, job_url="/capture/1", detail="d", is_attempt=True)
    outbox.close()
    again = Outbox(tmp_path / "new" / "o.db")
    (found,) = again.entries()
    assert (found.state, found.job_url, found.attempt_count) == (State.SENT, "/capture/1", 1)
    assert (found.document, again.evidence(found.evidence_sha256)) == (b"doc", b"evidence")
    again.close()


def test_what_a_person_had_to_look_at_is_asked_about_before_it_is_sent_again(
    tmp_path: Path,
) -> None:
    outbox = Outbox(tmp_path / "o.db")
    entry = outbox.queue(SERVER, b"doc", b"evidence", 1)
    for state in (State.REJECTED, State.UNKNOWN):
        outbox.note(entry, state, 2, detail="why")
        assert outbox.queue(SERVER, b"doc", b"evidence", 3).state is State.MAYBE
    outbox.note(entry, State.STORED, 4)
    assert outbox.queue(SERVER, b"doc", b"evidence", 5).state is State.STORED
    outbox.close()


def test_only_one_process_uploads_at_a_time(tmp_path: Path) -> None:
    one, two = Outbox(tmp_path / "o.db"), Outbox(tmp_path / "o.db")
    with one.uploading(), pytest.raises(StorageError, match="another upload"):  # noqa: SIM117
        with two.uploading():
            pass
    with two.uploading():
        pass
    one.close()
    two.close()


def test_damaged_evidence_is_noticed_before_it_is_sent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db")
    entry = outbox.queue(SERVER, b"doc", b"evidence", 1)
    outbox.close()
    raw = sqlite3.connect(tmp_path / "o.db")
    raw.execute("update evidence set content=?", (b"other",))
    raw.commit()
    raw.close()
    again = Outbox(tmp_path / "o.db")
    with pytest.raises(StorageError, match="damaged"):
        again.evidence(entry.evidence_sha256)
    again.close()


def test_a_file_that_is_no_outbox_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "o.db").write_bytes(b"not a database, but long enough to be looked at" * 30)
    with pytest.raises(StorageError, match="not usable"):
        Outbox(tmp_path / "o.db")


def test_the_same_document_with_other_evidence_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db")
    entry = outbox.queue(SERVER, b"doc", b"evidence", 1)
    for state in State:
        outbox.note(entry, state, 2)
        with pytest.raises(UsageError, match="other evidence"):
            outbox.queue(SERVER, b"doc", b"another", 3)
        assert outbox.entry(entry.entry_id).state is state
    with pytest.raises(StorageError):
        outbox.evidence(hashlib.sha256(b"another").digest())
    outbox.close()


def test_a_failed_try_is_counted_and_moves_nothing_else(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db")
    entry = outbox.note(outbox.queue(SERVER, b"doc", b"e", 1), State.SENT, 5, job_url="/c/1")
    outbox.note_failure(entry, "first", is_attempt=True)
    found = outbox.note_failure(entry, "second", is_attempt=False)
    assert (found.attempt_count, found.detail) == (1, "second")
    assert (found.state, found.job_url, found.updated_ms) == (State.SENT, "/c/1", 5)
    outbox.close()
