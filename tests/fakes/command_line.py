# SPDX-License-Identifier: MIT
"""The command run as a person would: a home of its own, a passphrase file, one error line."""

import os
from pathlib import Path

import pytest

from sealtrail import cli
from sealtrail.keys import secrets
from tests.fakes.owner import cheap_stretch
from tests.paths import REPO

__all__ = ["PATHS", "home", "refused"]
PATHS = os.pathsep.join(str(REPO / name) for name in ("host_tools", "firmware"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    monkeypatch.setenv("SEALTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEALTRAIL_CLOCK_OFFSET_S", raising=False)
    monkeypatch.setattr(secrets, "_stretch", cheap_stretch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.seal").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    return tmp_path / "home"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """(code, the one line) of a command that must fail."""
    code = cli.main(words)
    said = capsys.readouterr()
    assert said.out == "", said.out
    lines = said.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("sealtrail: "), said.err
    assert "Traceback" not in said.err and "  " not in lines[0]
    return code, lines[0]
