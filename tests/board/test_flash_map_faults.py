# SPDX-License-Identifier: MIT
"""A tag whose flash is not laid out as board.json says: what it says, what its user reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from boards import load_board
from tag.board import Board, BoardError
from tag.store.flashregion import RingError, fault_text
from tests.board.bench import Bench, bench
from tests.board.test_spared_records import SCENARIO, STANDIN, Tool


def board_with(**log: int) -> dict[str, Any]:
    board = load_board("virtual")
    next(r for r in board["flash"]["regions"] if r["label"] == "log").update(log)
    return board


def as_board_says(board: Bench, spec: dict[str, Any]) -> None:
    """Makes *spec* the tag's own board.json."""
    path = board.run_dir / "spec.json"
    path.write_text(json.dumps(spec))
    board.mpremote("fs", "cp", str(path), ":board.json")
    board.restart()


def test_a_tag_whose_log_changed_size_says_so_and_so_does_every_command(tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--aioble", str(STANDIN), "--scenario", str(SCENARIO)]
    with bench(run, *options) as board:
        tool = Tool(tmp_path, board.control.tty)
        tool.run("fleet", "init", "Example")
        tool.flash()
        tool.provision()
        board.wait_for("sealtrail 0.1.0 boot")
        board.control.advance(2 * 3600)  # so that there is a log to find again
        log = board.flash("log", 1344 << 10)

    smaller = board_with(size=1024 << 10)
    (tmp_path / "smaller.json").write_text(json.dumps(smaller))
    with bench(run, *options, "--board", str(tmp_path / "smaller.json")) as board:
        tool.port = board.control.tty
        board.wait_for("cannot run, partition log is 1024 KB at 0x2b0000, not 1344 KB at 0x2b0000")
        said = tool.flash(code=2)
        assert "it has log at 0x2b0000, 1024 KB; board virtual says log at 0x2b0000" in said
        assert said.count("\n") == 1
        for command in (("clock",), ("dump",), ("provision", "--serial", "ST-0001")):
            said = tool.run(*command, "--port", tool.port, code=4)
            assert "the tag cannot use its flash: partition log is 1024 KB" in said
            assert "sealtrail flash --image FILE" in said and said.count("\n") == 1

        # A board.json of the same size: now the rings themselves see that they do not fit.
        as_board_says(board, smaller)
        board.wait_for("cannot run, log, records: the log was written for 320 sectors")
        said = tool.run("clock", "--port", tool.port, code=4)
        assert "log, records: the log was written for 320 sectors" in said
        assert "--erase-log" in said and said.count("\n") == 1
        # Nothing was written on the way: the log is as it was.
        assert board.flash("log", 1344 << 10) == log


class Part:
    """esp32.Partition over a list of (type, subtype, offset, size, label, is_encrypted)."""

    TYPE_DATA = 1
    rows: list[tuple[int, int, int, int, str, bool]] = []

    def __init__(self, row: tuple[int, int, int, int, str, bool]) -> None:
        self.row = row

    @classmethod
    def find(cls, kind: int, label: str) -> list["Part"]:
        return [cls(row) for row in cls.rows if row[0] == kind and row[4] == label]

    def info(self) -> tuple[int, int, int, int, str, bool]:
        return self.row


class Machine:
    @staticmethod
    def unique_id() -> bytes:
        return b"\x01"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (None, "flash has no partition log; `sealtrail flash --image FILE`"),
        ((1, 6, 0x2B0000, 0x100000, "log", False), "is 1024 KB at 0x2b0000, not 1344 KB"),
        ((1, 6, 0x2C0000, 0x150000, "log", False), "is 1344 KB at 0x2c0000, not 1344 KB at 0x2b"),
        ((1, 6, 0x2B0000, 0x150000, "log", True), "partition log is encrypted"),
        ((0, 6, 0x2B0000, 0x150000, "log", False), "flash has no partition log"),
    ],
)
def test_a_partition_that_is_not_the_boards_is_a_clear_fault(row: Any, says: str) -> None:
    class Flash(Part):
        rows = [row] if row else []

    with pytest.raises(BoardError) as caught:
        Board(load_board("virtual"), Machine, Flash).partition("log")
    assert says in str(caught.value)


def test_the_partition_that_the_board_names_is_given() -> None:
    class Flash(Part):
        rows = [(1, 6, 0x2B0000, 0x150000, "log", False)]

    assert Board(load_board("virtual"), Machine, Flash).partition("log").info()[4] == "log"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("geometry", "written for 16 sectors", "log, records"), "log, records: the log was wri"),
        (("encrypted", "x"), "the partition is encrypted"),
        (("block size", 512), "sectors of 512 B, not 4096"),
        (("pair", "record log ahead"), "do not belong together (record log ahead)"),
        (("something new", 7), "something new 7"),
    ],
)
def test_every_fault_of_a_region_has_words(arguments: tuple[Any, ...], says: str) -> None:
    assert says in fault_text(RingError(*arguments))
