# SPDX-License-Identifier: MIT
"""Runs the stand-in capture server as its own process, as a user would."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.paths import REPO


@contextmanager
def capture_server(folder: Path, faults: str = "", port: int = 0, *options: str) -> Iterator[str]:
    """Yields the server's address; the process is stopped at the end."""
    command = [
        sys.executable, "-m", "sealtrail.capture_server",
        "--port", str(port), "--dir", str(folder), *options,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(faults)
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://\S+", line)
        try:
            assert match, f"no address in {line!r}"
            yield match.group()
        finally:
            process.terminate()
            process.wait(timeout=10)


def environment(faults: str = "") -> dict[str, str]:
    """The environment in which a child process finds this checkout."""
    paths = os.pathsep.join(str(REPO / folder) for folder in ("host_tools", "firmware", "."))
    return {**os.environ, "PYTHONPATH": paths, "SEALTRAIL_CAPTURE_FAULTS": faults}
