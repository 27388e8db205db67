# SPDX-License-Identifier: MIT
"""Keeps one virtual tag running: power, resets, orders. Everything ends when it ends.

    off --start--> running --reset, soft reset, watchdog--> running
     ^                |
     +-- kill, cut, deep sleep: off for so long in virtual time

A life is one MicroPython process. The tag asks for its own end by one line into RUN/tell
and then waits for ever, so its state at the SIGKILL is exact. A process that ends by itself
has been soft reset (ctrl-D, sys.exit, machine.soft_reset), or has crashed.
"""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from boards import board_path
from boards.virtual import BoardError, aioble_source
from boards.virtual.supervisor_chip import (
    FIRMWARE_SIDE,
    ChipProcess,
    find_micropython,
    has_bluetooth,
)
from boards.virtual.supervisor_clock import VirtualTime
from boards.virtual.supervisor_console import Console
from boards.virtual.supervisor_control import ControlSocket
from boards.virtual.supervisor_run_dir import RunDir

# machine.reset_cause() of the next life.
POWER_ON, HARD_RESET, WATCHDOG, DEEP_SLEEP, SOFT_RESET = 1, 2, 3, 4, 5
VIRTUAL_BOARD = board_path("virtual")
_POWER_LOST = ("kill", "cut")
_LIVES_SHOWN = 5
_CRASH_PAUSE_S = 0.2
_OFF_POLL_S = 0.02
_ADVANCE_POLL_S = 0.05
_ADVANCE_MAX_S = 600


@dataclass(frozen=True)
class Settings:
    """What a virtual board is started with."""

    run_dir: Path
    board: Path = VIRTUAL_BOARD
    scenario: Path | None = None
    radio: Path | None = None  # unix socket of the radio
    hci: Path | None = None  # the radio's terminal for an interpreter with its own bluetooth
    mac: str = "c0ffee000002"
    aioble: Path | None = None  # folder that holds the package `aioble`
    modules: tuple[Path, ...] = ()  # imported before firmware_side: chips of tests
    micropython: str | None = None
    heap: str = "16M"
    uart_log: Path | None = None


class Supervisor:
    """One virtual board. `async with Supervisor(settings) as board:` runs it meanwhile."""

    def __init__(self, settings: Settings):
        if sys.platform != "linux":
            raise BoardError("the virtual board needs Linux (/proc, prctl)")
        self.settings = settings
        self.run = RunDir(settings.run_dir)
        self.boots = 0
        self._micropython = find_micropython(settings.micropython)
        self._hci = _native_radio(settings, self._micropython)
        self._board = _read_board(settings.board)
        self._regions: list[dict[str, Any]] = self._board["flash"]["regions"]
        self._chip: ChipProcess | None = None
        self._cause = POWER_ON
        self._end_order: str | None = None  # why the present life is to end
        self._off_us = 0  # how long the power stays off at the next loss
        self._lives: list[dict[str, Any]] = []
        self._is_stopping = False
        self._there = asyncio.Event()
        self._power_on = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # ---- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Powers the board up; returns when `tty` and `ctl` can be used."""
        self.run.open(len(self._regions))
        self._time = VirtualTime(self.run)
        self._tell = os.open(self.run.tell, os.O_RDWR | os.O_NONBLOCK)
        log = self.settings.uart_log
        # Closed by `stop`; unbuffered, so that it can be read while the board runs.
        self._log = log.open("ab", buffering=0) if log else None
        self._console = Console(self.run.tty, self._log)
        asyncio.get_running_loop().add_reader(self._tell, self._hear)
        self._control = ControlSocket(self)
        await self._control.open(self.run.ctl)
        self._task = asyncio.create_task(self._live())

    async def wait(self) -> None:
        """Returns when the board has been told to quit. Raises what ended it otherwise."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Ends the tag, removes `tty` and `ctl`. The flash keeps what it has."""
        self.quit()
        if self._task is None:
            return
        with contextlib.suppress(BoardError):
            await self._task
        self._task = None
        await self._control.close()
        asyncio.get_running_loop().remove_reader(self._tell)
        os.close(self._tell)
        self._console.close()
        self._time.close()
        if self._log is not None:
            self._log.close()
        self.run.close()

    async def _live(self) -> None:
        start_us = self._time.now_us()
        while not self._is_stopping:
            await self._stay_off_until(start_us)
            if self._is_stopping:
                return
            self._start_life(start_us)
            cause, off_us = await self._end_of_life()
            self._cause = cause
            start_us = self._time.now_us() + off_us

    async def _stay_off_until(self, start_us: int) -> None:
        while self._time.present_us() < start_us and not self._is_stopping:
            self._there.set()
            self._power_on.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OFF_POLL_S):
                    await self._power_on.wait()

    def _start_life(self, start_us: int) -> None:
        self._console.start_life(is_soft=self._cause == SOFT_RESET)
        if self._cause == POWER_ON:
            self.run.lose_rtc()
            self.run.order_no_cut()
        self.boots += 1
        self._end_order = None
        at_us = self._time.start_life(start_us)
        self._chip = ChipProcess(
            self._micropython,
            heap=self.settings.heap,
            setup=self._setup(at_us),
            environment=self._environment(),
            stdin_fd=self._console.stdin_fd,
            output=self._console.receive,
        )
        self._console.connect(self._chip)

    def _setup(self, at_us: int) -> dict[str, Any]:
        s = self.settings
        return {
            "run": str(self.run.path),
            "board": str(s.board.resolve()),
            "modules": [str(path.resolve()) for path in s.modules],
            "aioble": str(s.aioble.resolve()) if s.aioble else "",
            "scenario": str(s.scenario.resolve()) if s.scenario else "",
            "scenario_start_ms": self.run.scenario_start_ms(self._time.now_us() // 1000),
            "mode": self._console.mode,
            "cause": self._cause,
            "offset_us": self._time.offset_us,
            "at_us": at_us,
        }

    def _environment(self) -> dict[str, str]:
        radio = self.settings.radio
        return {
            "MICROPYPATH": f"{FIRMWARE_SIDE}:.frozen",
            "VTAG_RADIO": str(radio.resolve()) if radio else "",
            "VTAG_MAC": self.settings.mac,
            "MICROPYBTUART": str(self._hci.absolute()) if self._hci else "",
        }

    async def _end_of_life(self) -> tuple[int, int]:
        """Waits for it; returns the cause of the next reset and how long the power is off."""
        assert self._chip is not None
        exit_code = await self._chip.wait()
        self._console.end_life()
        why = self._end_order or ("exit" if exit_code == 0 else "crash")
        life = {"s": round(self._chip.age_s(), 3), "exit": exit_code, "why": why}
        self._lives = [*self._lives, life][-_LIVES_SHOWN:]
        self._chip = None
        word, *arguments = why.split()
        if word in _POWER_LOST:
            off_us, self._off_us = self._off_us, 0
            return POWER_ON, off_us
        if word == "sleep":
            return DEEP_SLEEP, int(arguments[0]) * 1000
        if word == "crash" and not self._is_stopping:
            self._console.say(f"MicroPython ended with code {exit_code}")
            await asyncio.sleep(_CRASH_PAUSE_S)
        causes = {"reset": HARD_RESET, "watchdog": WATCHDOG, "crash": WATCHDOG}
        return causes.get(word, SOFT_RESET), 0

    def _hear(self) -> None:
        """Lines from the tag: "there OFFSET", or why it wants to end."""
        try:
            lines = os.read(self._tell, 4096).decode().splitlines()
        except BlockingIOError:
            return
        for line in lines:
            if line.startswith("there "):
                if int(line.split()[1]) == self._time.offset_us:
                    self._there.set()
            elif self._end_order is None:
                self._end(line)

    def _end(self, why: str) -> None:
        if self._chip is not None:
            self._end_order = why
            self._chip.kill()

    # ---- orders

    def kill(self, off_ms: int = 0) -> None:
        """Power is lost now and comes back after *off_ms* of virtual time."""
        self._off_us = off_ms * 1000
        self._end("kill")

    def cut(self, whole: int, torn_size: int, off_ms: int = 0) -> None:
        """After *whole* more flash operations, power fails *torn_size* bytes into the next."""
        self._off_us = off_ms * 1000
        self.run.order_cut(whole, torn_size)

    def reset(self) -> None:
        """The reset button."""
        self._end("reset")

    def quit(self) -> None:
        """Ends the board; `wait` returns then."""
        self._is_stopping = True
        self._power_on.set()
        self._end("quit")

    async def advance(self, duration_s: float) -> None:
        """Turns the clock forward; returns when the tag is there.

        Goes on over resets and losses of power on the way. A tag that is off stays off
        until its time comes. Raises BoardError if it is not there in ten minutes.
        """
        if duration_s < 0:
            raise BoardError("time only goes forward")
        self._time.advance(round(duration_s * 1_000_000))
        self._there.clear()
        self._power_on.set()
        self._time.order(at_once=False)
        for _ in range(round(_ADVANCE_MAX_S / _ADVANCE_POLL_S)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ADVANCE_POLL_S):
                    await self._there.wait()
                    return
            if self._console.is_idle():
                # At the prompt nothing waits for a timer: it is there as soon as it is told.
                self._time.order(at_once=True)
                return
        raise BoardError(f"the tag has not arrived after {_ADVANCE_MAX_S} s: does its code wait?")

    def status(self) -> dict[str, Any]:
        """What `ctl` answers to every order; board.md explains the fields."""
        return {
            "boots": self.boots,
            "pid": self._chip.pid if self._chip else None,
            "is_up": self._console.is_up,
            "is_idle": self._console.is_idle(),
            "mode": self._console.mode,
            "cause": self._cause,
            "bluetooth": "native" if self._hci else "virtual",
            "virtual_now_ms": self._time.now_us() // 1000,
            "offset_s": self._time.offset_us / 1_000_000,
            "is_leaping": self.run.leap_progress_us() != 0,
            "dropped": self._console.dropped_size,
            "flash": self.run.flash_counters(self._regions),
            "lives": self._lives,
        }


def _native_radio(settings: Settings, micropython: str) -> Path | None:
    """The terminal if the interpreter can use it. Raises BoardError if aioble cannot."""
    # Without a terminal nobody needs to know: starting stays as quick as it is.
    if settings.hci is None or not has_bluetooth(micropython):
        return None
    if settings.aioble and settings.aioble.resolve() == aioble_source.standin()[0]:
        # Its interrupts set asyncio.Event, which wakes nobody from outside the event loop.
        raise BoardError(
            f"{micropython} has a bluetooth of its own, which needs the real aioble: "
            "name a micropython-lib checkout with MICROPYTHON_LIB"
        )
    return settings.hci


def _read_board(path: Path) -> dict[str, Any]:
    try:
        board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise BoardError(f"cannot read board description {path}: {e}") from e
    return board
