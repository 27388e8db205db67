# SPDX-License-Identifier: MIT
"""Records that no archive has survive `flash` and `provision`: the whole way, virtual tag."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from boards import BOARDS
from sealtrail.clock import OFFSET_VARIABLE as CLOCK_OFFSET_VARIABLE
from tests.board.bench import Bench, bench

# A minute of real flashing; tests/unit holds the same refusals with a fake line.
pytestmark = pytest.mark.long

HOUR_S = 3600
STANDIN = BOARDS / "virtual" / "aioble_standin"
SCENARIO = BOARDS / "virtual" / "scenarios" / "ln2_five_days.csv"


class Tool:
    """`sealtrail` as a user runs it, with a home of its own."""

    def __init__(self, folder: Path, port: str) -> None:
        self.folder = folder
        self.port = port
        self.offset_s = 0.0  # of the host's clock, turned with the tag's
        (folder / "p").write_text("correct horse\n")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Runs one command; its stdout and stderr. Its exit code must be *code*."""
        command = [sys.executable, "-m", "sealtrail", "--home", str(self.folder / "home")]
        done = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            env={
                "SEALTRAIL_PASSPHRASE_FILE": str(self.folder / "p"),
                CLOCK_OFFSET_VARIABLE: str(self.offset_s),
                "PATH": "/usr/bin:/bin",
            },
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        return done.stdout if "--json" in arguments else said

    def flash(self, *options: str, code: int = 0) -> str:
        return self.run("flash", "--board", "virtual", "--port", self.port, *options, code=code)

    def provision(self, *options: str, code: int = 0) -> str:
        arguments = ("provision", "--port", self.port, "--serial", "ST-0001", *options)
        return self.run(*arguments, code=code)

    def dumps(self) -> list[Path]:
        return sorted((self.folder / "home" / "evidence" / "dumps").glob("*.seal"))


@pytest.fixture(scope="module")
def tag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Tool]]:
    folder = tmp_path_factory.mktemp("spared")
    world = ["--aioble", str(STANDIN), "--scenario", str(SCENARIO)]
    with bench(folder / "run", *world) as board:
        tool = Tool(folder, board.control.tty)
        tool.run("fleet", "init", "Example")
        tool.flash()
        tool.provision()
        yield board, tool


def records_in(path: Path) -> list[Any]:
    with path.open("rb") as file:
        items = []
        while file.tell() < path.stat().st_size:
            items.append(cbor2.load(file))
    return [cbor2.loads(item.value[2]) for item in items[1:]]


def live(board: Bench, tool: Tool, hours: float) -> None:
    """The tag starts and records for so long."""
    board.wait_for("sealtrail 0.1.0 boot", board.printed().count("sealtrail 0.1.0 boot") or 1)
    board.control.advance(hours * HOUR_S)
    tool.offset_s = board.control.status()["offset_s"]


def test_a_tag_keeps_what_no_archive_has_until_it_was_read(tag: tuple[Bench, Tool]) -> None:
    board, tool = tag
    live(board, tool, 2)
    assert "records that no archive has" in tool.flash(code=5)
    refusal = tool.provision(code=5)
    assert "--erase" in refusal and refusal.count("\n") <= 2 and tool.dumps() == []

    out = tool.folder / "out.seal"
    tool.run("dump", "--port", tool.port, "-o", str(out))
    (kept,) = tool.dumps()
    assert kept.read_bytes() == out.read_bytes()
    read = records_in(out)
    assert [record[1] for record in read] == list(range(len(read))) and len(read) >= 2
    # Nothing new was sealed since: the dump reaches the tag's head.
    assert f"records kept in {kept}" in tool.flash()


def test_dump_and_flash_in_one_command(tag: tuple[Bench, Tool]) -> None:
    board, tool = tag
    before = tool.dumps()
    live(board, tool, 3)
    said = json.loads(tool.flash("--dump", "--json"))
    assert said["written"] == 0
    assert {Path(said["dump"])} == set(tool.dumps()) - set(before)


def test_provision_erases_only_what_is_here(tag: tuple[Bench, Tool]) -> None:
    board, tool = tag
    # A boot that has nothing to say yet must not stand in the way.
    board.restart()
    live(board, tool, 0)
    tool.run("dump", "--port", tool.port)
    live(board, tool, 1)
    read = records_in(Path(json.loads(tool.provision("--erase", "--json"))["dump"]))
    assert [record[1] for record in read] == list(range(len(read)))
    # Nothing stayed in the journal: the last record reaches to the end of that hour.
    assert read[-1][3][1] >= HOUR_S * 1000 - 300_000
    assert board.control.status()["flash"]["log"]["violations"] == 0
