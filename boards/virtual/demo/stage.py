# SPDX-License-Identifier: MIT
"""The stage of the demo: radio, supervised tag and capture server, as processes of their own."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from boards.virtual import aioble_source
from boards.virtual.control import BoardControl
from boards.virtual.demo.tool import StoryError
from boards.virtual.launch import running_board
from boards.virtual.radio.runner import RadioProcess

_REPO = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 20
_STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Stage:
    """What runs while the story is told."""

    board: BoardControl
    tty: Path
    radio: RadioProcess
    capture_url: str
    aioble: str

    @property
    def bluetooth(self) -> str:
        """Which BLE stack the tag has, as a sentence's object."""
        if self.board.status()["bluetooth"] == "native":
            return "the interpreter's own, over HCI"
        return "the virtual board's (no interpreter with its own is named by MICROPYTHON)"


@contextlib.contextmanager
def open_stage(run_dir: Path, scenario: Path) -> Iterator[Stage]:
    """Starts everything, yields it, ends everything."""
    aioble_path, aioble = aioble_source.find()
    with (
        RadioProcess(log_path=run_dir / "radio.log") as radio,
        running_board(
            run_dir / "tag",
            *("--scenario", str(scenario), "--radio", radio.socket),
            *("--hci", radio.hci, "--aioble", str(aioble_path)),
        ) as board,
        _capture_server(run_dir) as url,
    ):
        yield Stage(board, run_dir / "tag" / "tty", radio, url, aioble)


@contextlib.contextmanager
def _capture_server(run_dir: Path) -> Iterator[str]:
    """Yields the address of a capture server that is ready."""
    port = _free_port()
    command = [sys.executable, "-m", "sealtrail.capture_server", "--port", str(port)]
    with (run_dir / "capture.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--dir", str(run_dir / "capture")], cwd=_REPO, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/capture", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise StoryError(f"the capture server did not start within {_START_TIMEOUT_S} s")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
