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
from boards.virtual.radio.private_bus import BusUnavailable, PrivateBus

_REPO = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 20
_STOP_TIMEOUT_S = 5
PACED = Pace(15.0, 6)  # 97.6 kB/s at MTU 247: a common phone


class RadioProcess:
    """A radio for the length of a `with` block.

    `socket` is what a tag needs (--radio), `environment` what a BLE client needs. The
    radio lives in a short directory of its own, removed at the end; *log_path* keeps
    what it says on standard error. Raises BusUnavailable when it does not come up.
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
        self._bus: PrivateBus | None = None

    @property
    def socket(self) -> str:
        """Path of the unix socket for tags."""
        return os.path.join(self._directory, "radio")

    @property
    def hci(self) -> str:
        """Path of the terminal for one tag whose interpreter has its own bluetooth."""
        return os.path.join(self._directory, "hci")

    @property
    def environment(self) -> dict[str, str]:
        """What to add to a BLE client's environment."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self._bus.address if self._bus else ""}

    def order(self, line: str) -> dict[str, Any]:
        """Gives one order of control.py, e.g. "loss", and returns the answer."""
        return send_order(self.socket, line)

    def __enter__(self) -> "RadioProcess":
        self._directory = tempfile.mkdtemp(prefix="st-radio-")
        try:
            self._bus = PrivateBus(self._directory)
            self._bus.__enter__()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        self._log = open(self._log_path, "ab")  # noqa: SIM115  stop() closes it
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "boards.virtual.radio", "--sock", self.socket),
                *("--interval", str(self._pace.interval_ms)),
                *("--per-event", str(self._pace.per_event)),
                *("--supervision", str(self._supervision_s)),
                "--end-with-parent",
                *self._options,
                *("--hci-pty", self.hci),
            ],
            cwd=_REPO,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        """Waits for the one line that the radio prints."""
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _START_TIMEOUT_S)
        if not (ready and self._process.stdout.readline().startswith("radio up")):
            raise BusUnavailable(f"the radio did not start (see {self._log_path})")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def kill(self) -> None:
        """Ends the radio at once, as a crash does; its bus lives on until stop()."""
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
        if self._bus is not None:
            self._bus.stop()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
