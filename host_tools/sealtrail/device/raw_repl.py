# SPDX-License-Identifier: MIT
"""A tag's Python prompt over its serial line: mpremote's transport with every wait bounded.

Opening interrupts the running program and restarts the interpreter without main.py (boot.py
runs), so nothing of the tag's own keeps RAM, radio or flash busy. A tag that does not
answer is told apart within 10 s. Leaving the session starts the tag again, also after an
error: a tag left at its prompt would record nothing.
"""

import base64
import contextlib
import io
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from sealtrail.errors import DeviceError, LinkError, UsageError, one_line

_ENTER_TIMEOUT_S = 3.5
_ENTER_ATTEMPTS = 2
_IO_TIMEOUT_S = 8.0
_POLL_S = 0.001
_ANSWER_SIZE_MAX = 1 << 20
_CHUNK_SIZE = 1536  # 2 KiB of base64: what a tag's parser takes beside its own heap
RUN_TIMEOUT_S = 10.0


class NotMicroPython(LinkError):
    """The port is there and opens, but no MicroPython answers: a blank chip, or another thing."""


class Repl(Protocol):
    """What runs code on a tag. Tests put a MicroPython process in its place."""

    def run(self, code: str, timeout_s: float = RUN_TIMEOUT_S) -> str:
        """Runs *code*, returns what it printed."""


class RawRepl:
    """One open raw REPL. A context manager: its end resets the tag and closes the port.

    *keeps_stopped*: set by who will open the port again at once, to leave out the reset.
    """

    def __init__(self, port: str) -> None:
        self.port = port
        self.keeps_stopped = False
        self._transport = _entered(port)

    def __enter__(self) -> "RawRepl":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(problem, LinkError) and not isinstance(problem, DeviceError):
            self._restart_blindly()
        elif not self.keeps_stopped:
            self._reset()
        with contextlib.suppress(OSError):
            self._transport.close()

    def run(self, code: str, timeout_s: float = RUN_TIMEOUT_S) -> str:
        """Runs *code* and returns what it printed.

        *timeout_s* bounds the silence between two characters. Raises DeviceError when the
        code failed on the tag (its last traceback line), LinkError when the line failed.
        """
        with _translated(self.port):
            output, trace = self._transport.exec_raw(code, timeout=timeout_s)
        if trace:
            raise DeviceError(f"the tag reports: {_last_line(trace)}")
        return str(output.decode("utf-8", "replace"))

    def write_file(
        self, path: str, content: bytes, wrote: Callable[[int], None] = lambda count: None
    ) -> None:
        """Writes one file of the tag; calls *wrote* with the size of every piece.

        Not durable and not atomic by itself: the caller writes a temporary name, checks
        the hash there and renames.
        """
        self.run(
            f"import binascii\nf=open({path!r},'wb')\ndef w(b):f.write(binascii.a2b_base64(b))"
        )
        for offset in range(0, len(content), _CHUNK_SIZE):
            piece = content[offset : offset + _CHUNK_SIZE]
            self.run(f"w({base64.b64encode(piece)!r})")
            wrote(len(piece))
        self.run("f.close()")

    def _reset(self) -> None:
        with contextlib.suppress(LinkError), _translated(self.port):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
            time.sleep(0.1)  # a pseudo-terminal keeps the last bytes, a USB line may not

    def _restart_blindly(self) -> None:
        # Whatever state the prompt is in: interrupt, leave raw mode, restart with main.py.
        with contextlib.suppress(OSError):
            self._transport.serial.write(b"\r\x03\x03\x02\x04")
            time.sleep(0.1)


class _BufferedPort:
    """A serial port that may be read ahead; the rest is as pyserial has it."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._ahead = bytearray()

    def read(self, size: int) -> bytes:
        deadline_s = time.monotonic() + _IO_TIMEOUT_S
        while len(self._ahead) < size and time.monotonic() < deadline_s:
            self._ahead += self._port.read(max(1, self._port.in_waiting))
        taken = bytes(self._ahead[:size])
        del self._ahead[:size]
        return taken

    def inWaiting(self) -> int:
        return len(self._ahead) + int(self._port.in_waiting)

    def take_until(self, ending: bytes) -> bytes:
        """What is there now, up to and with *ending* if it is among it."""
        waiting = self._port.in_waiting
        if waiting:
            self._ahead += self._port.read(waiting)
        place = self._ahead.find(ending)
        return self.read(len(self._ahead) if place < 0 else place + len(ending))

    def write(self, content: bytes) -> None:
        self._port.write(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _BoundedTransport(SerialTransport):  # type: ignore[misc]
    """mpremote's transport; a tag that talks for ever ends a wait like one that is silent."""

    serial: Any

    def __init__(self, port: str) -> None:
        super().__init__(port, timeout=_IO_TIMEOUT_S)
        self.serial.write_timeout = _IO_TIMEOUT_S
        self.serial = _BufferedPort(self.serial)

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = RUN_TIMEOUT_S,
        data_consumer: Any = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """Same meaning as in mpremote, but never waits for ever and never keeps > 1 MiB."""
        collected = bytearray()
        start_s = last_s = time.monotonic()
        silence_s = _IO_TIMEOUT_S if timeout is None else timeout
        while not collected.endswith(ending) and len(collected) < _ANSWER_SIZE_MAX:
            # One byte at a time near the end of a longer mark, else a piece may hold two.
            piece = self.serial.take_until(ending[-1:])
            now_s = time.monotonic()
            if piece:
                collected += piece
                last_s = now_s
            elif now_s - last_s >= silence_s:
                break
            else:
                time.sleep(_POLL_S)
            if timeout_overall is not None and now_s - start_s >= timeout_overall:
                break
        return bytes(collected)


def _entered(port: str) -> _BoundedTransport:
    _check_port(port)
    try:
        transport = _BoundedTransport(port)
    except (TransportError, OSError, ValueError) as problem:
        raise LinkError(
            f"{port}: cannot open this port: {one_line(str(problem))}",
            "Is another program using it? On Linux your user needs the group 'dialout'.",
        ) from problem
    for _ in range(_ENTER_ATTEMPTS):
        # mpremote prints what it read when it gives up: not into our answer.
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.suppress(TransportError, OSError),
        ):
            transport.enter_raw_repl(soft_reset=True, timeout_overall=_ENTER_TIMEOUT_S)
            return transport
    with contextlib.suppress(OSError):
        transport.close()
    raise NotMicroPython(
        f"{port}: nothing answers there as a MicroPython tag",
        "Check port and cable; hold no button; press reset and repeat.",
    )


def _check_port(port: str) -> None:
    if "://" in port or os.name == "nt" or port.upper().startswith("COM"):
        return
    path = Path(port)
    try:
        is_there = path.exists()
    except OSError as problem:
        raise UsageError(f"{port[:80]}: is no port: {problem.strerror}") from problem
    if not is_there:
        raise LinkError(f"{port}: there is no such port", "Is the tag plugged in?")
    if not path.is_char_device():
        raise UsageError(f"{port}: is no serial port")


@contextlib.contextmanager
def _translated(port: str) -> Iterator[None]:
    try:
        yield
    except TransportExecError as problem:
        raise DeviceError(f"the tag reports: {_last_line(problem.error_output)}") from problem
    except (TransportError, OSError, struct.error) as problem:
        raise LinkError(
            f"{port}: the tag stopped answering: {one_line(str(problem))[:120]}",
            "Check the cable and repeat.",
        ) from problem


def _last_line(trace: bytes | str) -> str:
    text = trace.decode("utf-8", "replace") if isinstance(trace, bytes) else trace
    lines = text.strip().splitlines()
    return one_line(lines[-1])[:200] if lines else "an error without a text"
