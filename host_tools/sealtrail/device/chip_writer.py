# SPDX-License-Identifier: MIT
"""Talks to a chip's ROM through esptool: looks, reads, erases, writes.

esptool runs as a process of its own: its texts and failures stay apart, and Ctrl-C ends
both. Every call leaves the chip in its loader, so that nothing is recorded meanwhile; only
`carry_out` and `start` start the firmware. Forms of the command line: esptool 5 (checked by
tests/unit/test_chip_writer.py).
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

from sealtrail.device.flash_map import FlashMap
from sealtrail.device.flash_plan import FlashPlan, Write
from sealtrail.device.partition_table import Partition
from sealtrail.errors import DeviceError, LinkError, UsageError, one_line

ESPTOOL = (sys.executable, "-m", "esptool")
_BAUD = "460800"
_LOOK_TIMEOUT_S = 60.0
_WRITE_TIMEOUT_S = 600.0
_FLASH_SIZE = re.compile(r"Detected flash size: (\d+)MB")
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d)? ?%")
_FATAL = re.compile(r"(?:A fatal error occurred|A serial exception error occurred|Error): (.*)")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Chip:
    """The chip of *flash_map*'s board at *port*. Another *command* stands in for esptool."""

    flash_map: FlashMap
    port: str
    command: Sequence[str] = field(default_factory=lambda: ESPTOOL)

    def check_size(self) -> None:
        """Refuses a chip with less flash than the map needs. Raises UsageError, LinkError."""
        found = _FLASH_SIZE.search(self._run(["flash-id"], "no-reset", _LOOK_TIMEOUT_S))
        if found is None:
            raise DeviceError("esptool does not say how large this chip's flash is", "Repeat.")
        needed = self.flash_map.flash_size >> 20
        if int(found[1]) < needed:
            raise UsageError(
                f"this chip has {found[1]} MB of flash; board {self.flash_map.board} needs"
                f" {needed} MB",
                "Is --board right?",
            )

    def read(self, offset: int, size: int, progress: Progress = lambda done, total: None) -> bytes:
        """Bytes of the flash. Raises LinkError, DeviceError when fewer came."""
        with tempfile.TemporaryDirectory(prefix="sealtrail-") as scratch:
            target = Path(scratch) / "flash.bin"
            self._run(
                ["read-flash", f"0x{offset:x}", f"0x{size:x}", str(target)],
                "no-reset",
                _WRITE_TIMEOUT_S,
                progress,
            )
            content = target.read_bytes() if target.exists() else b""
        if len(content) != size:
            raise DeviceError(f"esptool read {len(content)} B of {size}", "Repeat.")
        return content

    def start(self) -> None:
        """Lets the chip run again what it has. Best effort: its reset button does the same."""
        with contextlib.suppress(LinkError, UsageError):
            self._run(["read-mac"], "hard-reset", _LOOK_TIMEOUT_S)

    def carry_out(self, plan: FlashPlan, progress: Progress = lambda done, total: None) -> None:
        """Erases and writes as planned, then starts the chip. Raises LinkError, DeviceError.

        A cut anywhere: run it again (flash_plan.py says what each leaves).
        """
        for part in plan.erases:
            self._erase(part)
        with tempfile.TemporaryDirectory(prefix="sealtrail-") as scratch:
            self._write(plan.writes, Path(scratch), progress)

    def _erase(self, part: Partition) -> None:
        arguments = ["erase-region", f"0x{part.offset:x}", f"0x{part.size:x}"]
        self._run(arguments, "no-reset", _WRITE_TIMEOUT_S)

    def _write(self, writes: Sequence[Write], folder: Path, progress: Progress) -> None:
        places = []
        for write in writes:
            path = folder / f"{write.offset:x}.bin"
            path.write_bytes(write.content)
            places += [f"0x{write.offset:x}", str(path)]
        keep = ["--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep"]
        self._run(["write-flash", *keep, *places], "hard-reset", _WRITE_TIMEOUT_S, progress)

    def _run(
        self,
        arguments: Sequence[str],
        after: str,
        timeout_s: float,
        progress: Progress = lambda done, total: None,
    ) -> str:
        line = ["--chip", self.flash_map.chip, "--port", self.port, "--baud", _BAUD]
        line += ["--before", "default-reset", "--after", after, *arguments]
        said, code = _spoken([*self.command, *line], timeout_s, progress)
        if code != 0:
            raise _failure(said, self.port, self.flash_map)
        return said


def _spoken(command: Sequence[str], timeout_s: float, progress: Progress) -> tuple[str, int]:
    """(all that the command printed, its exit code); percents go to *progress* as they come."""
    # Wide and plain: esptool folds and colours lines for the terminal that it believes in.
    environment = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}
    environment["PYTHONUNBUFFERED"] = "1"  # progress as it comes, not at the end
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        )
    except OSError as problem:
        raise LinkError(f"esptool cannot be started: {problem.strerror}") from problem
    assert process.stdout
    alarm = Timer(timeout_s, process.kill)
    alarm.start()
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            found = _PERCENT.search(line)
            if found:
                progress(min(100, int(found[1])), 100)
        code = process.wait()
    finally:
        # Also on Ctrl-C, which esptool has had too: never leave it at the port.
        is_late = alarm.finished.is_set()
        alarm.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    if is_late:
        raise LinkError("esptool did not end", "Check the cable; press reset; repeat.")
    return "".join(lines), code


def _failure(said: str, port: str, flash_map: FlashMap) -> LinkError | UsageError:
    fatal = _FATAL.search(said)
    last = said.strip().rpartition("\n")[2]
    what = one_line(fatal[1] if fatal else last)[:200].rstrip(".") or "no reason given"
    if "Wrong chip argument" in said or "Wrong --chip argument" in said:
        return UsageError(f"{port}: {what}", f"Is --board {flash_map.board} right?")
    return LinkError(
        f"{port}: esptool: {what}",
        "Check port and cable; hold BOOT while it connects; then run the same command again.",
    )
