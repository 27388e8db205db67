# SPDX-License-Identifier: MIT
"""Whatever goes wrong has its exit code, and no traceback reaches the user."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealtrail import cli, errors
from sealtrail.keys import fleet
from tests.fakes.command_line import PATHS, home, refused

__all__ = ["home"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_full_disk_behind_stdout_is_six() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sealtrail", "profile", "show"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": PATHS, "PYTHONUNBUFFERED": ""},
            check=False,
        )
    assert done.returncode == 6 and done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_reader_that_went_away_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "sealtrail", "profile", "show"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PATHS, "PYTHONUNBUFFERED": ""},
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (6, "")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.VerifyError("R5", "bad signature", 3, 2, "x"), 1),
        (errors.UsageError("x"), 2),
        (errors.Incomplete("x"), 3),
        (errors.LinkError("x"), 4),
        (errors.DeviceError("x"), 4),
        (errors.UploadError("x"), 4),
        (errors.AccessRefused("x"), 5),
        (errors.StorageError("x"), 6),
        (OSError(errno.ENOSPC, "No space left on device"), 6),
        (OSError(errno.EROFS, "Read-only file system"), 6),
        (PermissionError(errno.EACCES, "Permission denied"), 6),
        (FileNotFoundError(errno.ENOENT, "No such file"), 2),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), 4),
        (TimeoutError(), 4),
        (OSError("no number"), 4),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("1/0\nsecond line"), 6),
        (RecursionError("deep"), 6),
        (MemoryError(), 6),
        (SystemExit(3), 6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_whatever_a_command_raises_has_its_code(
    problem: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(path: Path) -> list[fleet.FleetLine]:
        raise problem

    monkeypatch.setattr(fleet, "read_lines", failing)
    assert cli.main(["fleet", "show"]) == code
    said = capsys.readouterr()
    assert said.out == "" and "Traceback" not in said.err
    assert said.err.count("\n") == (0 if isinstance(problem, SystemExit) else 1)


def test_unexpected_failure_keeps_its_details_in_the_home(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    def failing(path: Path) -> list[fleet.FleetLine]:
        raise KeyError("nobody expected this")

    monkeypatch.setattr(fleet, "read_lines", failing)
    code, line = refused(capsys, "fleet", "show")
    (details,) = (home / "logs").iterdir()
    assert code == 6 and str(details) in line and "nobody expected" not in line
    assert "KeyError: 'nobody expected this'" in details.read_text()


def test_control_characters_in_an_error_do_not_reach_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(path: Path) -> list[fleet.FleetLine]:
        raise errors.UsageError("a\x1b[31m\nb")

    monkeypatch.setattr(fleet, "read_lines", failing)
    assert "\x1b" not in refused(capsys, "fleet", "show")[1]


def test_every_exit_code_of_the_error_tree_is_in_the_table() -> None:
    codes = {code for code, _ in cli.EXIT_CODES}

    def walk(kind: type[errors.SealtrailError]) -> None:
        assert kind.exit_code in codes
        for child in kind.__subclasses__():
            walk(child)

    walk(errors.SealtrailError)
