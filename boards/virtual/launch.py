# SPDX-License-Identifier: MIT
"""Starts a virtual board as a subprocess that ends with the caller, whatever happens."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from boards import BOARDS
from boards.virtual import BoardError
from boards.virtual.control import BoardControl

_STOP_TIMEOUT_S = 10
_END_SEEN_S = 0.2


@contextlib.contextmanager
def running_board(run_dir: Path, *arguments: str) -> Iterator[BoardControl]:
    """Runs `python -m boards.virtual --run RUN_DIR ARGUMENTS` while the context lasts.

    Yields when the first life is up. Raises BoardError with the board's own line if it does
    not start.
    """
    own = ["--run", str(run_dir), "--end-with-parent"]
    process = subprocess.Popen(
        [sys.executable, "-m", "boards.virtual", *own, *arguments],
        cwd=BOARDS.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        first_line = process.stdout.readline()
        if not first_line.startswith("virtual board ready"):
            raise BoardError((first_line + process.stdout.read()).strip())
        with BoardControl(run_dir) as control:
            control.wait_for_boot(1)
            yield control
    except Exception as e:
        # Its end is seen on the serial port a moment before it can be waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(_END_SEEN_S)
            e.add_note(f"the board has ended with {code}: {process.stdout.read()}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        finally:
            process.kill()
            process.stdout.close()
