# SPDX-License-Identifier: MIT
"""The supervisor as a library, and what it says when it cannot start."""

import asyncio
import subprocess
import sys

import pytest

from boards import BOARDS
from boards.virtual import BoardError
from boards.virtual.control import BoardControl
from boards.virtual.supervisor import Settings, Supervisor


async def test_it_runs_for_as_long_as_its_context_lasts(tmp_path):
    async with Supervisor(Settings(tmp_path)) as board:
        control = BoardControl(tmp_path)
        await asyncio.to_thread(control.wait_for_boot, 1)
        before_ms = board.status()["virtual_now_ms"]
        await board.advance(3600)
        assert board.status()["virtual_now_ms"] - before_ms >= 3_600_000
        board.reset()
        await asyncio.to_thread(control.wait_for_boot, 2)
        assert board.status()["cause"] == 2
    assert not (tmp_path / "ctl").exists()
    control.close()


async def test_quit_ends_it_while_the_tag_is_off(tmp_path):
    async with Supervisor(Settings(tmp_path)) as board:
        with BoardControl(tmp_path) as control:
            await asyncio.to_thread(control.wait_for_boot, 1)
            await asyncio.to_thread(control.kill, 10**9)
            await asyncio.to_thread(control.quit)
        await asyncio.wait_for(board.wait(), 5)


async def test_a_board_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "board.json").write_text("{")
    with pytest.raises(BoardError, match=r"cannot read board description .*board\.json"):
        Supervisor(Settings(tmp_path, board=tmp_path / "board.json"))


async def test_it_says_on_other_systems_that_it_needs_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(BoardError, match="needs Linux"):
        Supervisor(Settings(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--micropython", "/nowhere/micropython"], "no MicroPython at /nowhere/micropython"),
        (["--scenario", "/nowhere/trip.csv"], "there is no /nowhere/trip.csv"),
        (["--run", "/" + "long/" * 30], "too long for a unix socket"),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong(tmp_path, arguments, line):
    done = subprocess.run(
        [sys.executable, "-m", "boards.virtual", "--run", str(tmp_path), *arguments],
        cwd=BOARDS.parent,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert line in done.stderr
