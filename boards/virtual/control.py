# SPDX-License-Identifier: MIT
"""Orders to a running virtual board, synchronously: for demos and tests.

Not to be used in the event loop that runs the Supervisor itself: it would wait for itself.
"""

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from boards.virtual import BoardError

_ORDER_TIMEOUT_S = 30
_ADVANCE_TIMEOUT_S = 610  # the board itself gives up after 600 s
_POLL_S = 0.01


class BoardControl:
    """A connection to RUN/ctl. Raises BoardError where no board runs or an order is refused."""

    def __init__(self, run_dir: Path | str):
        self.run_dir = Path(run_dir)
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(os.fspath(self.run_dir / "ctl"))
        except OSError as e:
            self._socket.close()
            raise BoardError(f"no virtual board runs in {self.run_dir}: {e}") from e
        self._answers = self._socket.makefile("r", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    @property
    def tty(self) -> str:
        """What to give mpremote as port."""
        return str(self.run_dir / "tty")

    def status(self) -> dict[str, Any]:
        """boots, pid, is_up, is_idle, mode, cause, virtual_now_ms, flash, ...; see board.md."""
        return self._order("status")

    def kill(self, off_ms: int = 0) -> dict[str, Any]:
        """Power is lost now, for *off_ms* of virtual time."""
        return self._order(f"kill {off_ms}")

    def cut(self, whole: int, torn_size: int, off_ms: int = 0) -> dict[str, Any]:
        """Power fails *torn_size* bytes into the flash operation after *whole* complete ones."""
        return self._order(f"cut {whole} {torn_size} {off_ms}")

    def reset(self) -> dict[str, Any]:
        """Presses the reset button."""
        return self._order("reset")

    def advance(self, seconds: float) -> dict[str, Any]:
        """Turns the tag's clock forward; returns when it is there, resets included."""
        return self._order(f"advance {seconds!r}", _ADVANCE_TIMEOUT_S)

    def quit(self) -> None:
        """Ends the board."""
        self._order("quit")

    def virtual_now_ms(self) -> int:
        """Virtual Unix time in milliseconds."""
        return int(self.status()["virtual_now_ms"])

    def wait_for_boot(self, boots: int, timeout_s: float = 10) -> dict[str, Any]:
        """Waits until life number *boots* (or a later one) is up; its status.

        After an order that ends a life: `wait_for_boot(control.reset()["boots"] + 1)`.
        """
        return self._wait(lambda s: s["boots"] >= boots and s["is_up"], f"boot {boots}", timeout_s)

    def wait_until_idle(self, timeout_s: float = 10) -> dict[str, Any]:
        """Waits until the tag sits at its prompt and runs nothing."""
        return self._wait(lambda s: bool(s["is_idle"]), "prompt", timeout_s)

    def _wait(self, is_met: Any, what: str, timeout_s: float) -> dict[str, Any]:
        deadline_s = time.monotonic() + timeout_s
        while not is_met(status := self.status()):
            if time.monotonic() > deadline_s:
                raise BoardError(f"no {what} in {timeout_s} s: {status}")
            time.sleep(_POLL_S)
        return status

    def _order(self, line: str, timeout_s: float = _ORDER_TIMEOUT_S) -> dict[str, Any]:
        self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(line.encode() + b"\n")
            answer = self._answers.readline()
        except OSError as e:
            raise BoardError(f"virtual board in {self.run_dir}: no answer to {line!r}: {e}") from e
        if not answer:
            raise BoardError(f"the virtual board in {self.run_dir} has ended")
        status: dict[str, Any] = json.loads(answer)
        if "error" in status:
            raise BoardError(str(status["error"]))
        return status
