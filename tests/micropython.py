# SPDX-License-Identifier: MIT
"""Runs a script on MicroPython's unix port, as one test case of pytest.

The interpreter is the one named by MICROPYTHON, else the one installed from PyPI
beside this Python.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.paths import FIRMWARE, REPO

MICROPYTHON = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


class MicroPythonError(AssertionError):
    """The script ended with an error; the message is what it printed."""


def run_upy(
    script: str | Path,
    *args: str,
    timeout_s: float = 60,
    paths: tuple[str | Path, ...] = (),
    heap: str = "8M",
) -> str:
    """Runs *script* (a path, or source text) and returns its standard output.

    `firmware`, `tests/fakes` and *paths* are importable. Raises MicroPythonError on a
    non-zero exit, subprocess.TimeoutExpired after *timeout_s*.
    """
    search = [".frozen", str(FIRMWARE), str(REPO / "tests" / "fakes"), *map(str, paths)]
    is_file = isinstance(script, Path) or script.endswith(".py")
    what = [str(script)] if is_file else ["-c", str(script)]
    done = subprocess.run(
        [MICROPYTHON, "-X", f"heapsize={heap}", *what, *args],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=REPO,
        env={**os.environ, "MICROPYPATH": ":".join(search)},
        check=False,
    )
    if done.returncode != 0:
        raise MicroPythonError(
            f"exit {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    return done.stdout
