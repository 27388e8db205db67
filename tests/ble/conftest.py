# SPDX-License-Identifier: MIT
"""A radio on a bus of its own, tags on it, and bleak in this process.

`radio_bus`     paced radio (15 ms, 6 packets an event), bleak of this test talks to it
`unpaced_bus`   the same without pacing
`virtual_tag`   starts supervised tags (flash, clock, mpremote) with a firmware script
`bare_tag`      starts a firmware script on plain MicroPython: quicker, nothing but a radio
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bleak.backends.bluezdbus.manager as bleak_bluez
import pytest

from boards.virtual import aioble_source
from boards.virtual.control import BoardControl
from boards.virtual.launch import running_board
from boards.virtual.radio.controller import Pace
from boards.virtual.radio.private_bus import why_no_bus
from boards.virtual.radio.runner import PACED, RadioProcess
from tests.micropython import MICROPYTHON
from tests.paths import REPO

FIRMWARE_SCRIPTS = Path(__file__).resolve().parent / "firmware"
DEFAULT_MAC = "c0ffee000002"
_FIRMWARE_SIDE = REPO / "boards" / "virtual" / "firmware_side"
_MPREMOTE_TIMEOUT_S = 30
_END_TIMEOUT_S = 5


def pytest_report_header() -> str:
    return f"BLE tests use {aioble_source.find()[1]}"


def address_of(mac: str) -> str:
    """ "c0ffee000002" as bleak writes it."""
    return ":".join(mac[i : i + 2] for i in range(0, 12, 2)).upper()


@contextlib.contextmanager
def _radio(pace: Pace, log: Path) -> Iterator[RadioProcess]:
    reason = why_no_bus()
    if reason:
        pytest.skip(reason)
    with RadioProcess(pace, log_path=log) as radio:
        yield radio


@pytest.fixture(scope="session")
def paced_radio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadioProcess]:
    with _radio(PACED, tmp_path_factory.mktemp("paced") / "radio.log") as radio:
        yield radio


@pytest.fixture(scope="session")
def unpaced_radio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadioProcess]:
    with _radio(Pace(), tmp_path_factory.mktemp("unpaced") / "radio.log") as radio:
        yield radio


@contextlib.asynccontextmanager
async def bleak_on(radio: RadioProcess) -> AsyncIterator[RadioProcess]:
    """Points the bleak of this event loop at *radio*, and closes its bus connection after."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in radio.environment.items():
            patch.setenv(name, value)
        yield radio
        # bleak keeps one bus connection a loop and never closes it.
        for manager in list(bleak_bluez._global_instances.values()):
            if manager._bus is not None and manager._bus.connected:
                manager._bus.disconnect()
                await manager._bus.wait_for_disconnect()


@pytest.fixture
async def radio_bus(paced_radio: RadioProcess) -> AsyncIterator[RadioProcess]:
    async with bleak_on(paced_radio) as radio:
        yield radio


@pytest.fixture
async def unpaced_bus(unpaced_radio: RadioProcess) -> AsyncIterator[RadioProcess]:
    async with bleak_on(unpaced_radio) as radio:
        yield radio


@dataclass(frozen=True)
class VirtualTag:
    """A supervised tag that runs its firmware. `control.kill()` takes its power."""

    control: BoardControl
    mac: str
    log: Path

    @property
    def address(self) -> str:
        """Its public address, as bleak writes it."""
        return address_of(self.mac)

    @property
    def said(self) -> str:
        """Everything it printed so far."""
        return self.log.read_text(errors="replace")


StartTag = Callable[..., VirtualTag]


def upload(control: BoardControl, firmware: Path) -> None:
    """Puts *firmware* on the tag as main.py by plain mpremote, and starts it."""
    boots = control.status()["boots"]
    subprocess.run(
        [
            *(sys.executable, "-m", "mpremote", "connect", control.tty, "resume"),
            *("fs", "cp", str(firmware), ":main.py"),
        ],
        check=True,
        capture_output=True,
        timeout=_MPREMOTE_TIMEOUT_S,
    )
    control.reset()
    control.wait_for_boot(boots + 1)


@pytest.fixture
def virtual_tag() -> Iterator[StartTag]:
    """`virtual_tag(radio, "streamer.py", mac=...)` starts a tag; all end with the test."""
    with contextlib.ExitStack() as stack:

        def start(radio: RadioProcess, script: str | Path, mac: str = DEFAULT_MAC) -> VirtualTag:
            run_dir = Path(tempfile.mkdtemp(prefix="st-tag-"))  # sockets need short paths
            stack.callback(shutil.rmtree, run_dir, ignore_errors=True)
            log = run_dir / "uart.log"
            control = stack.enter_context(
                running_board(
                    run_dir,
                    *("--radio", radio.socket, "--mac", mac, "--log", str(log)),
                    *("--aioble", str(aioble_source.find()[0])),
                )
            )
            upload(control, FIRMWARE_SCRIPTS / script)
            return VirtualTag(control, mac, log)

        yield start


class BareTag:
    """A firmware script on plain MicroPython with the virtual `bluetooth`."""

    def __init__(self, radio: RadioProcess, script: Path, mac: str, aioble: Path) -> None:
        self.address = address_of(mac)
        search = (".frozen", _FIRMWARE_SIDE, aioble, script.parent)
        self._process = subprocess.Popen(
            [MICROPYTHON, str(FIRMWARE_SCRIPTS / "launch.py"), str(script)],
            env={
                **os.environ,
                "MICROPYPATH": ":".join(map(str, search)),
                "VTAG_RADIO": radio.socket,
                "VTAG_MAC": mac,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill(self) -> None:
        """Takes its power, and returns when the process is gone."""
        self._process.kill()
        self._process.wait()

    def wait_said(self) -> str:
        """Waits for the end of the script and returns what it printed."""
        said, _ = self._process.communicate(timeout=_END_TIMEOUT_S)
        return said

    def end(self) -> None:
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()


StartBareTag = Callable[..., BareTag]


@pytest.fixture
def bare_tag() -> Iterator[StartBareTag]:
    """`bare_tag(radio, "echo.py", mac=..., aioble=...)`; all end with the test."""
    with contextlib.ExitStack() as stack:

        def start(
            radio: RadioProcess,
            script: str | Path,
            mac: str = DEFAULT_MAC,
            aioble: Path | None = None,
        ) -> BareTag:
            folder = aioble or aioble_source.find()[0]
            tag = BareTag(radio, FIRMWARE_SCRIPTS / script, mac, folder)
            stack.callback(tag.end)
            return tag

        yield start
