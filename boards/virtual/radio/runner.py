# SPDX-License-Identifier: MIT
"""Starts and stops a radio process with a bus of its own, for tests and the demo."""

import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from boards.virtual.radio.control import send_order
from boards.virtual.radio.controller import Pace
from boards.virtual.radio.private_bus import BusUnavailable, why_no_bus

_REPO = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 20
_STOP_TIMEOUT_S = 5
_UP = "radio up "
PACED = Pace(15.0, 6)  # 97.6 kB/s at MTU 247: a common phone


class RadioProcess:
    """A radio for the length of a `with` block.

    `socket` is what a tag needs (--radio), `environment` what a BLE client needs. The
    radio lives in a short directory of its own, removed at the end; *log_path* keeps
    what it says on standard error.
    """

    def __init__(
        self,
        pace: Pace = PACED,
        supervision_s: float = 0.3,
        options: tuple[str, ...] = (),
        log_path: str | Path = os.devnull,
    ) -> None:
        self._pace, self._supervision_s, self._options = pace, supervision_s, options
        self._log_path = log_path
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._directory = ""
        self.bus_address = ""

    @property
    def socket(self) -> str:
        """Path of the unix socket for tags."""
        return os.path.join(self._directory, "radio")

    @property
    def environment(self) -> dict[str, str]:
        """What to add to a BLE client's environment."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.bus_address}

    def order(self, line: str) -> dict[str, Any]:
        """Gives one order of control.py, e.g. "loss", and returns the answer."""
        return send_order(self.socket, line)

    def __enter__(self) -> "RadioProcess":
        reason = why_no_bus()
        if reason is not None:
            raise BusUnavailable(reason)
        self._directory = tempfile.mkdtemp(prefix="st-radio-")
        self._log = open(self._log_path, "ab")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "boards.virtual.radio", "--sock", self.socket),
                *("--bus-dir", self._directory),
                *("--interval", str(self._pace.interval_ms)),
                *("--per-event", str(self._pace.per_event)),
                *("--supervision", str(self._supervision_s)),
                *self._options,
            ],
            cwd=_REPO,
            env={k: v for k, v in os.environ.items() if k != "DBUS_SYSTEM_BUS_ADDRESS"},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
        )
        self.bus_address = self._wait_until_up()
        return self

    def _wait_until_up(self) -> str:
        """Returns the bus address from the one line the radio prints when it is up."""
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _START_TIMEOUT_S)
        line = self._process.stdout.readline().rstrip("\n") if ready else ""
        if not line.startswith(_UP):
            self.stop()
            raise BusUnavailable(f"the radio did not start (see {self._log_path})")
        return line[len(_UP) :]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def kill(self) -> None:
        """Ends the radio at once, as a crash does; its bus outlives it until stop()."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ends the process, removes its directory; idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
