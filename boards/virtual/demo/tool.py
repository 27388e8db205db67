# SPDX-License-Identifier: MIT
"""Runs the `sealtrail` command as a person would, and shows what was typed and answered."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

_QUIET_WIDTH = 100


class StoryError(Exception):
    """A step of the story did not go as it must. The message is what a person should read."""


class Tool:
    """The command line tool with one home directory and one (shifted) clock."""

    def __init__(self, console: Console, home: Path, passphrase_file: Path, work: Path) -> None:
        self._console = console
        self._work = work
        self.home = home
        self._environment = {
            **os.environ,
            "SEALTRAIL_HOME": str(home),
            "SEALTRAIL_PASSPHRASE_FILE": str(passphrase_file),
            "NO_COLOR": "1",
            "COLUMNS": str(console.width - 2),
        }
        self.seconds: dict[str, float] = {}

    def use(self, **environment: str) -> None:
        """Adds to the environment of every later command."""
        self._environment.update(environment)

    def set_clock_offset_s(self, offset_s: float) -> None:
        """Shifts the host's clock, so that host and tag live in the same days."""
        self._environment["SEALTRAIL_CLOCK_OFFSET_S"] = f"{offset_s:.3f}"

    def run(
        self, *args: str, expect: int = 0, quiet: bool = False, typed: str | None = None
    ) -> str:
        """Runs one command; *typed* is its standard input. Returns its standard output.

        Raises StoryError when the exit code is not *expect*.
        """
        self._console.print(
            f"[bold cyan]$ sealtrail {escape(shlex.join(args))}[/]", soft_wrap=True
        )
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "sealtrail", *args],
            cwd=self._work,
            env=self._environment,
            input=typed or "",
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        self.seconds[" ".join(args[:2])] = round(time.monotonic() - begun, 2)
        self._show(done.stdout, quiet)
        errors = "\n".join(line for line in done.stderr.splitlines() if "simulat" not in line)
        self._show(errors, quiet and done.returncode == expect)
        if done.returncode != expect:
            raise StoryError(f"exit {done.returncode}, expected {expect}: sealtrail {args[0]}")
        if expect:
            self._console.print(f"  [dim]exit {done.returncode}, as it must be[/]")
        return done.stdout

    def _show(self, text: str, quiet: bool) -> None:
        lines = text.rstrip().splitlines()
        for line in lines[:3] if quiet else lines:
            shown = line[:_QUIET_WIDTH] + " ..." if quiet and len(line) > _QUIET_WIDTH else line
            self._console.print(f"  {shown}", markup=False, highlight=False, soft_wrap=True)
        if quiet and len(lines) > 3:
            self._console.print(f"  [dim]... {len(lines) - 3} more lines[/]")
