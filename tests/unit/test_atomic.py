# SPDX-License-Identifier: MIT
"""A file is replaced whole or not at all, and failures leave nothing behind."""

import os
import stat
from pathlib import Path

import pytest

from sealtrail import atomic
from sealtrail.errors import StorageError, UsageError


def test_a_new_file_holds_the_bytes_and_nothing_else_lies_beside_it(tmp_path: Path) -> None:
    atomic.write_bytes(tmp_path / "a.bin", b"one")
    assert (tmp_path / "a.bin").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_secret_gets_its_mode_and_a_replaced_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    atomic.write_bytes(path, b"old", mode=0o600)
    atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    atomic.write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not written"):
        atomic.write_bytes(tmp_path / "no" / "a.bin", b"x")


def test_the_bytes_reach_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("flush folder" if is_folder else "flush bytes")
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        steps.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    atomic.write_bytes(tmp_path / "a.bin", b"one")
    assert steps == ["flush bytes", "rename", "flush folder"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_a_storage_error_and_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    real_open = os.open

    def open_on_full_disk(path: object, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".tmp"):
            os.close(real_open(str(path), flags, mode))  # the entry exists, the bytes do not fit
            return real_open("/dev/full", os.O_WRONLY)
        return real_open(str(path), flags, mode)

    monkeypatch.setattr(os, "open", open_on_full_disk)
    with pytest.raises(StorageError, match="No space left"):
        atomic.write_bytes(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_pipe_in_the_way_is_refused_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        for mode in (None, 0o600):
            with pytest.raises(UsageError, match="not a file that can be replaced"):
                atomic.write_bytes(tmp_path / name, b"x", mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        atomic.write_bytes(tmp_path / "folder", b"x")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_target_is_judged_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    atomic.check_target(tmp_path / "new")
    atomic.check_target(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError):
        atomic.check_target(tmp_path / "pipe")
    for bad in ("none/new", "file/new"):
        with pytest.raises(StorageError, match="not written"):
            atomic.check_target(tmp_path / bad)
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]
