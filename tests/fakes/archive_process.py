# SPDX-License-Identifier: MIT
"""Runs `sealtrail archive serve` as its own process, as its owner would; kills it, too."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.fakes.capture_process import environment

_START_WAIT_S = 30


class ArchiveProcess:
    """A running archive of *home*. *url* is there once the context is entered."""

    def __init__(
        self, home: Path, *options: str, passphrase: Path | None = None, **variables: str
    ) -> None:
        self._command = [
            *(sys.executable, "-m", "sealtrail", "--home", str(home)),
            *("archive", "serve", "--port", "0", *options),
        ]
        self._variables = dict(variables)
        if passphrase is not None:
            self._variables["SEALTRAIL_PASSPHRASE_FILE"] = str(passphrase)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> "ArchiveProcess":
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), **self._variables},
        )
        assert self._process.stdout is not None
        match = re.search(r"https?://\S+", self._process.stdout.readline())
        if match is None:
            self._process.kill()
            self._process.wait()
            raise AssertionError("the archive did not start")
        self.url = match.group()
        return self

    def kill(self) -> None:
        """SIGKILL: nothing of the process gets another turn."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.terminate()
        try:
            self._process.wait(timeout=_START_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
