# SPDX-License-Identifier: MIT
"""The evidence store: durable before it returns, whole after a cut, never two truths."""

import errno
import os

import pytest

from sealtrail.errors import EvidenceRefused, StorageError
from sealtrail.radio.evidence_store import EvidenceStore
from sealwire.access import sha256
from tests.upy.access_sync_pipe import CERTIFICATE, make_chain

CHAIN = make_chain(12)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def test_what_was_appended_is_there_again_after_reopening(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        assert store.append(CHAIN) == 12
        store.add_statement(b"statement")
    with EvidenceStore(path) as store:
        assert list(store.records()) == CHAIN
        assert store.statements() == [b"statement"]
        assert store.certificate == CERTIFICATE
        assert (store.head_seq, store.first_missing()) == (11, 12)
        assert store.prev_hash(12) == sha256(CHAIN[-1])
        assert store.prev_hash(0) == sha256(CERTIFICATE)
        assert store.record_size == sum(map(len, CHAIN))


def test_records_may_come_in_any_order_and_are_given_in_theirs(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN[6:])
        assert store.first_missing() == 0
        assert store.first_missing(6) == 12
        assert store.prev_hash(3) is None
        store.append(CHAIN)
        assert list(store.records()) == CHAIN


def test_a_record_held_already_is_not_kept_twice(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN)
        size = path.stat().st_size
        assert store.append(CHAIN) == 0
        store.add_statement(b"s")
        store.add_statement(b"s")
    assert path.stat().st_size == size + 9 + 1


def test_another_record_with_the_same_seq_is_a_fork_and_refused(path):
    other = bytearray(CHAIN[3])
    other[-1] ^= 1
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN)
        with pytest.raises(EvidenceRefused, match="another record"):
            store.append([bytes(other)])
        assert list(store.records()) == CHAIN


@pytest.mark.parametrize("junk", [b"", b"\x00", b"\xd2\x84", b"\xff" * 40])
def test_what_is_no_record_is_refused(path, junk):
    with EvidenceStore(path, CERTIFICATE) as store, pytest.raises(EvidenceRefused):
        store.append([junk])


def test_a_cut_at_every_byte_leaves_whole_records_only(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN[:2])
        begin = path.stat().st_size
        store.append(CHAIN[2:5])
    whole = path.read_bytes()
    for size in range(begin, len(whole)):
        path.write_bytes(whole[:size])
        with EvidenceStore(path) as store:
            held = list(store.records())
            assert held == CHAIN[: len(held)] and len(held) >= 2
            assert store.dropped_size == size - path.stat().st_size
            store.append(CHAIN)
            assert list(store.records()) == CHAIN


def test_a_cut_while_the_file_was_made_leaves_an_empty_store(path):
    with EvidenceStore(path, CERTIFICATE):
        pass
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with EvidenceStore(path, CERTIFICATE) as store:
            assert store.certificate == CERTIFICATE


def test_a_tail_of_noise_is_dropped(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN)
    with path.open("ab") as file:
        file.write(os.urandom(500))
    with EvidenceStore(path) as store:
        assert list(store.records()) == CHAIN
        assert store.dropped_size == 500


def test_damage_long_before_the_end_is_not_repaired_away(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN)
        for number in range(80):
            store.add_statement(os.urandom(4000) + bytes([number]))
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged at byte"):
        EvidenceStore(path)
    assert path.read_bytes() == content


def test_a_foreign_file_is_left_as_it_is(path):
    path.write_bytes(b"somebody's letter")
    with pytest.raises(StorageError, match="no evidence store"):
        EvidenceStore(path, CERTIFICATE)
    assert path.read_bytes() == b"somebody's letter"


def test_the_evidence_of_another_enrolment_is_not_mixed_in(path):
    EvidenceStore(path, CERTIFICATE).close()
    with pytest.raises(StorageError, match="another enrolment"):
        EvidenceStore(path, b"another certificate")


def test_one_writer_at_a_time_and_any_number_of_readers(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN)
        with pytest.raises(StorageError, match="another sealtrail"):
            EvidenceStore(path)
        with EvidenceStore(path, read_only=True) as reader:
            assert list(reader.records()) == CHAIN
    EvidenceStore(path).close()


def test_a_reader_repairs_nothing(path):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN)
    with path.open("ab") as file:
        file.write(b"torn")
    size = path.stat().st_size
    with EvidenceStore(path, read_only=True) as reader:
        assert list(reader.records()) == CHAIN
    assert path.stat().st_size == size


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError):
        EvidenceStore(tmp_path / "no" / "store")
    with pytest.raises(StorageError):
        EvidenceStore(tmp_path / "missing", read_only=True)


class FullDisk:
    """A file on a disk that takes *room* more bytes."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, content):
        if self._room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._file.write(content[: self._room])
        self._room -= taken
        return taken


@pytest.mark.parametrize("room", [0, 1, 300])
def test_a_full_disk_leaves_nothing_half_written(path, room):
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN[:4])
        size = path.stat().st_size
        store._file = FullDisk(store._file, room)
        with pytest.raises(StorageError, match="No space"):
            store.append(CHAIN[4:])
        assert path.stat().st_size == size
        assert list(store.records()) == CHAIN[:4]
        store._file._room = 1 << 20
        store.append(CHAIN[4:])
        assert list(store.records()) == CHAIN


def test_every_append_is_synced_to_the_disk_before_it_returns(path, monkeypatch):
    synced = []
    genuine = os.fsync
    with EvidenceStore(path, CERTIFICATE) as store:
        monkeypatch.setattr(
            os, "fsync", lambda fd: (synced.append(path.stat().st_size), genuine(fd))
        )
        store.append(CHAIN)
        assert synced == [path.stat().st_size]


def test_export_is_certificate_records_statements(path, tmp_path):
    out = tmp_path / "evidence.seal"
    with EvidenceStore(path, CERTIFICATE) as store:
        store.append(CHAIN[5:])
        store.add_statement(b"statement")
        store.append(CHAIN)
        size = store.export(out)
    assert out.read_bytes() == CERTIFICATE + b"".join(CHAIN) + b"statement"
    assert size == out.stat().st_size


def test_an_export_that_fails_leaves_the_old_file(path, tmp_path):
    out = tmp_path / "no such folder" / "evidence.seal"
    with EvidenceStore(path, CERTIFICATE) as store, pytest.raises(StorageError):
        store.export(out)
