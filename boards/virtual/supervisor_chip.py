# SPDX-License-Identifier: MIT
"""The process that is the tag's chip for one life: MicroPython, from reset to reset."""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boards.virtual import BoardError

FIRMWARE_SIDE = Path(__file__).resolve().parent / "firmware_side"
_PR_SET_PDEATHSIG = 1  # prctl(2)
_SIGINT_BIT = 1 << (signal.SIGINT - 1)
# A second SIGINT before MicroPython has handled the first makes it exit(1).
_INTERRUPT_GAP_S = 0.05
_READ_SIZE = 65536
_PROBE_TIMEOUT_S = 10


def find_micropython(named: str | None = None) -> str:
    """The interpreter: *named*, else MICROPYTHON, else the one beside this Python."""
    wanted = (
        named or os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")
    )
    found = shutil.which(wanted)
    if found is None:
        raise BoardError(
            f"no MicroPython at {wanted}: install the dev extra, or name one with MICROPYTHON"
        )
    return found


def has_bluetooth(micropython: str) -> bool:
    """Whether the interpreter has a `bluetooth` of its own: a unix port built with NimBLE."""
    asked = subprocess.run(
        [micropython, "-c", "import bluetooth"],
        env={**os.environ, "MICROPYPATH": ".frozen"},
        capture_output=True,
        timeout=_PROBE_TIMEOUT_S,
        check=False,
    )
    return asked.returncode == 0


def end_with_parent() -> None:
    """Makes the kernel kill this process when its parent ends. To be called in the child."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ChipProcess:
    """One MicroPython process. Starts at once; *output* gets what it prints."""

    def __init__(
        self,
        micropython: str,
        *,
        heap: str,
        setup: dict[str, Any],
        environment: dict[str, str],
        stdin_fd: int,
        output: Callable[[bytes], None],
    ):
        self._output = output
        self._ended = asyncio.Event()
        self._started_s = time.monotonic()
        self._interrupted_s = 0.0
        self._read_fd, write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        try:
            self._process = subprocess.Popen(
                [micropython, "-X", f"heapsize={heap}", "-i", str(FIRMWARE_SIDE / "boot.py")],
                stdin=stdin_fd,
                stdout=write_fd,
                stderr=write_fd,
                env={**os.environ, **environment, "VTAG_SETUP": json.dumps(setup)},
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one call into libc, no locks
            )
        except OSError as e:
            os.close(self._read_fd)
            raise BoardError(f"cannot start {micropython}: {e}") from e
        finally:
            os.close(write_fd)
        asyncio.get_running_loop().add_reader(self._read_fd, self._read)

    @property
    def pid(self) -> int:
        return self._process.pid

    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    def _read(self) -> None:
        try:
            chunk = os.read(self._read_fd, _READ_SIZE)
        except BlockingIOError:
            return
        if chunk:
            self._output(chunk)
        else:
            asyncio.get_running_loop().remove_reader(self._read_fd)
            self._ended.set()

    def hold_output(self, is_held: bool) -> None:
        """Leaves output in the pipe: when that is full, the tag waits in its print."""
        loop = asyncio.get_running_loop()
        if self._ended.is_set():
            return
        if is_held:
            loop.remove_reader(self._read_fd)
        else:
            loop.add_reader(self._read_fd, self._read)

    async def wait(self) -> int:
        """Waits for the end of this life; all output has been passed on. The exit code."""
        await self._ended.wait()
        os.close(self._read_fd)
        return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """Power off: nothing more happens on the tag, at whatever instruction it is."""
        self._process.kill()

    def runs_code(self) -> bool:
        """True while MicroPython runs code that ctrl-C may interrupt.

        It holds a SIGINT handler exactly then (SigCgt, proc(5)); not at the prompt, not
        while booted code has switched ctrl-C off.
        """
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return False
        for line in status.splitlines():
            if line.startswith("SigCgt"):
                return bool(int(line.split()[1], 16) & _SIGINT_BIT)
        return False

    def interrupt(self) -> None:
        """ctrl-C to running code."""
        now_s = time.monotonic()
        if now_s - self._interrupted_s > _INTERRUPT_GAP_S:
            self._interrupted_s = now_s
            self._process.send_signal(signal.SIGINT)
