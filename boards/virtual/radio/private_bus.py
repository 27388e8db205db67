# SPDX-License-Identifier: MIT
"""A D-Bus of one's own: dbus-daemon with a configuration that allows everything.

No root, no polkit, and the machine's system bus is never touched. Clients find it by
DBUS_SYSTEM_BUS_ADDRESS. dbus-daemon prints "Failed to set fd limit" in containers: harmless.
"""

import ctypes
import select
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

INSTALL_COMMAND = "apt-get install -y --no-install-recommends dbus-daemon"
_START_TIMEOUT_S = 10
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STOP_TIMEOUT_S = 5
_CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir={directory}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def _end_with(libc: ctypes.CDLL) -> Callable[[], None]:
    """Returns what makes a child end with us, even when we are killed; Linux only."""
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class BusUnavailable(Exception):
    """There is no dbus-daemon, or it does not start; the message says what to do."""


def why_no_bus() -> str | None:
    """Returns None when a private bus can be started, else the reason and the command."""
    if shutil.which("dbus-daemon") is None:
        return f"dbus-daemon is not installed; run: {INSTALL_COMMAND}"
    return None


class PrivateBus:
    """A dbus-daemon for the length of a `with` block. `address` is valid inside it.

    *directory* must have a short path: a unix socket's name has at most 107 bytes.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._daemon: subprocess.Popen[str] | None = None
        self.address = ""

    def __enter__(self) -> "PrivateBus":
        reason = why_no_bus()
        if reason is not None:
            raise BusUnavailable(reason)
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration = self._directory / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(directory=self._directory.resolve()))
        self._daemon = subprocess.Popen(
            ["dbus-daemon", f"--config-file={configuration}", "--print-address=1", "--nofork"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=_end_with(ctypes.CDLL(None)),  # noqa: PLW1509  one system call
        )
        self.address = self._read_address(self._daemon)
        return self

    def _read_address(self, daemon: subprocess.Popen[str]) -> str:
        assert daemon.stdout is not None
        ready, _, _ = select.select([daemon.stdout], [], [], _START_TIMEOUT_S)
        address = daemon.stdout.readline().strip() if ready else ""
        if not address:
            self.stop()
            raise BusUnavailable(f"dbus-daemon did not start in {self._directory}")
        return address

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the daemon; idempotent."""
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return
        daemon.terminate()
        try:
            daemon.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        if daemon.stdout is not None:
            daemon.stdout.close()
