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
_RECEIVE_SIZE = 65536


class BoardControl:
    """A client of RUN/ctl; connects at the first order, and again after a failure.

    Every order raises BoardError (an OSError) where no board runs or the order is refused.
    """

    def __init__(self, run_dir: Path | str):
        self.run_dir = Path(run_dir)
        self._socket: socket.socket | None = None

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
        if self._socket is not None:
            self._socket.close()
            self._socket = None

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
        try:
            answer = self._exchange(line.encode() + b"\n", timeout_s)
        except OSError as e:
            # An answer that comes too late must not be taken for the next order's.
            self.close()
            raise BoardError(f"no answer from a board in {self.run_dir} to {line!r}: {e}") from e
        status: dict[str, Any] = json.loads(answer)
        if "error" in status:
            raise BoardError(str(status["error"]))
        return status

    def _exchange(self, order: bytes, timeout_s: float) -> bytes:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(os.fspath(self.run_dir / "ctl"))
        self._socket.settimeout(timeout_s)
        self._socket.sendall(order)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            chunk = self._socket.recv(_RECEIVE_SIZE)
            if not chunk:
                raise ConnectionError("it has ended")
            answer += chunk
        return bytes(answer)
