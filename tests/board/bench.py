# SPDX-License-Identifier: MIT
"""A running virtual board, mpremote beside it, and what it prints."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boards import load_board
from boards.virtual.control import BoardControl
from boards.virtual.launch import running_board

WORLD = Path(__file__).parent / "world"
MPREMOTE = str(Path(sys.executable).parent / "mpremote")
_MPREMOTE_TIMEOUT_S = 30
REGIONS = {region["label"]: region for region in load_board("virtual")["flash"]["regions"]}


class Bench:
    """One board on the bench."""

    def __init__(self, run_dir: Path, control: BoardControl):
        self.run_dir = run_dir
        self.control = control

    def mpremote(self, *arguments: str, is_expected_to_fail: bool = False) -> str:
        """Runs plain mpremote as a user would; its output, errors included."""
        done = subprocess.run(
            [MPREMOTE, "connect", self.control.tty, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_MPREMOTE_TIMEOUT_S,
            check=False,
        )
        assert (done.returncode != 0) == is_expected_to_fail, done.stdout
        return done.stdout

    def install(self, source: str, name: str = "main.py") -> None:
        """Copies *source* to the tag, presses reset and waits for the boot."""
        path = self.run_dir / "upload.py"
        path.write_text(source)
        self.mpremote("fs", "cp", str(path), f":{name}")
        self.restart()

    def restart(self) -> dict[str, Any]:
        return self.control.wait_for_boot(self.control.reset()["boots"] + 1)

    def lose_power(self, off_ms: int = 0) -> dict[str, Any]:
        return self.control.wait_for_boot(self.control.kill(off_ms)["boots"] + 1)

    def printed(self) -> str:
        """Everything that the serial port has said so far."""
        return (self.run_dir / "uart").read_bytes().decode(errors="replace")

    def wait_for(self, text: str, count: int = 1, timeout_s: float = 10) -> str:
        """Waits until *text* has been printed *count* times; all that was printed."""
        deadline_s = time.monotonic() + timeout_s
        while (seen := self.printed()).count(text) < count:
            assert time.monotonic() < deadline_s, f"no {text!r} in {seen[-2000:]!r}"
            time.sleep(0.01)
        return seen

    def flash(self, label: str, size: int, offset: int = 0) -> bytes:
        """Bytes of a flash region, as they lie in the image."""
        with (self.run_dir / "flash").open("rb") as f:
            f.seek(REGIONS[label]["offset"] + offset)
            return f.read(size)


@contextlib.contextmanager
def bench(run_dir: Path, *arguments: str) -> Iterator[Bench]:
    """A board in *run_dir*, powered for as long as the context lasts."""
    run_dir.mkdir(exist_ok=True)
    uart = str(run_dir / "uart")
    with running_board(run_dir, "--log", uart, *arguments) as control:
        yield Bench(run_dir, control)


@contextlib.contextmanager
def bench_in_a_world(run_dir: Path, changes: list[list[int]]) -> Iterator[Bench]:
    """A board with the fake chips of tests/board/world.

    *changes*: [seconds after power-up, level of the lid pin] of the world's changes.
    """
    run_dir.mkdir(exist_ok=True)
    scenario = run_dir / "scenario.json"
    scenario.write_text(json.dumps(changes))
    board = load_board("virtual")
    board["virtual_chips"] = [
        {"chip": "echo_spi", "bus": "spi1", "cs": 5, "probe": 0},
        {"chip": "echo_spi", "bus": "spi1", "cs": 17, "probe": 1},
        {"chip": "registers_i2c", "bus": "i2c0", "address": 24},
        {"chip": "lid_switch", "pin": 25},
    ]
    (run_dir / "board.json").write_text(json.dumps(board))
    arguments = ["--board", str(run_dir / "board.json"), "--scenario", str(scenario)]
    with bench(run_dir, *arguments, "--modules", str(WORLD)) as b:
        yield b
