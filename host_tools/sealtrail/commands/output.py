# SPDX-License-Identifier: MIT
"""What a command says: text and tables for people, or one JSON object for programs.

Answers go to stdout, progress and warnings to stderr, so that `--json` can be piped.
With --json there is exactly one object on stdout, with `simulated_clock` where the clock
was turned. A table is drawn only on a terminal; in a file or pipe it is plain text.
"""

# ruff: noqa: PLC0415 -- Rich is loaded only when something is drawn: --help stays fast

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sealtrail.clock import Clock
from sealtrail.home import Home

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Session:
    """Everything one command run shares: its options, home, clock, and where it speaks."""

    home: Home
    clock: Clock
    is_json: bool = False
    is_quiet: bool = False
    is_verbose: bool = False

    def say(self, text: str) -> None:
        """One line for a person; silent with --json and --quiet."""
        if not self.is_json and not self.is_quiet:
            print(text)

    def warn(self, text: str) -> None:
        """One line on stderr, never silenced: somebody should act on it."""
        print(f"sealtrail: {text}", file=sys.stderr)

    def detail(self, text: str) -> None:
        """One line on stderr, with -v only."""
        if self.is_verbose:
            print(text, file=sys.stderr)

    def answer(self, content: dict[str, Any]) -> None:
        """The command's JSON object; silent without --json."""
        if self.is_json:
            marked = {**content, "simulated_clock": True} if self.clock.is_simulated else content
            print(json.dumps(marked, default=_plain, ensure_ascii=False))

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table for a person; silent with --json and --quiet."""
        if self.is_json or self.is_quiet:
            return
        if is_terminal(sys.stdout):
            _draw(title, heads, rows)
        else:
            print("\n".join(plain_table(title, heads, rows)))

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A bar on stderr, fed with (done, total); none when stderr is no terminal."""
        if self.is_json or self.is_quiet or not is_terminal(sys.stderr):
            yield lambda done, total: None
            return
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def is_terminal(stream: TextIO) -> bool:
    """True when a person looks at *stream*."""
    return bool(getattr(stream, "isatty", lambda: False)())


def plain_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table without any drawing: for files, pipes and mails."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    yield title
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells).rstrip()


def _draw(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_edge=False)
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: no markup out of a tag's words
    Console().print(table)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
