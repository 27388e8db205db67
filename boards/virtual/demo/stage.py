# SPDX-License-Identifier: MIT
"""The stage of the demo: radio, supervised tag and capture server, as processes of their own."""

import contextlib
import os
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
from boards.virtual.radio.runner import RadioProcess

_REPO = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 20


@dataclass
class Stage:
    """What runs while the story is told."""

    board: BoardControl
    tty: Path
    radio: RadioProcess
    capture_url: str
    aioble: str


@contextlib.contextmanager
def open_stage(run_dir: Path, scenario: Path, start_ms: int | None = None) -> Iterator[Stage]:
    """Starts everything, yields it, ends everything."""
    with contextlib.ExitStack() as stack:
        radio = stack.enter_context(RadioProcess(log_path=run_dir / "radio.log"))
        aioble_path, aioble = aioble_source.find()
        log = stack.enter_context((run_dir / "board.log").open("ab"))
        board = [
            *(sys.executable, "-m", "boards.virtual", "--run", str(run_dir / "tag")),
            *("--scenario", str(scenario), "--radio", radio.socket),
            *("--aioble", str(aioble_path)),
        ]
        stack.enter_context(_process(board, log))
        control = BoardControl(run_dir / "tag")
        _wait_until(lambda: _answers(control), "the virtual board")
        port = _free_port()
        capture = [
            *(sys.executable, "-m", "sealtrail.capture_server", "--port", str(port)),
            *("--dir", str(run_dir / "capture")),
        ]
        stack.enter_context(_process(capture, log))
        url = f"http://127.0.0.1:{port}"
        _wait_until(lambda: _http_answers(url), "the capture server")
        yield Stage(control, run_dir / "tag" / "tty", radio, url, aioble)


@contextlib.contextmanager
def _process(command: list[str], log: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=_REPO, env=dict(os.environ), stdout=log, stderr=log)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(is_ready: object, what: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if is_ready():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise StoryError(f"{what} did not start within {_START_TIMEOUT_S} s")


def _answers(control: BoardControl) -> bool:
    try:
        control.status()
    except (OSError, ValueError):
        return False
    return True


def _http_answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/capture", timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
