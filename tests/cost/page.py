# SPDX-License-Identifier: MIT
"""The table of docs/signing-cost.md: `python -m tests.cost --write` writes it, a test holds it."""

import re

from tests.cost.limits import GOALS, LIMITS
from tests.cost.mpy import RV32IMC, XTENSAWIN
from tests.paths import REPO

PAGE = REPO / "docs" / "signing-cost.md"
_TABLE = re.compile(r"(?<=<!-- counts -->\n).*?(?=<!-- end of counts -->)", re.DOTALL)


def table(counts: dict[tuple[str, str], int]) -> str:
    """The counts with their limits, as a table in Markdown."""
    lines = ["| what | RV32 | limit | Xtensa | limit | goal |", "|---|--:|--:|--:|--:|--:|"]
    for name in dict.fromkeys(name for _, name in counts):
        cells = [
            f"{numbers[architecture, name]:,}"
            for architecture in (RV32IMC, XTENSAWIN)
            for numbers in (counts, LIMITS)
        ]
        goal = f"{GOALS[name]:,}" if name in GOALS else ""
        lines.append(f"| {' | '.join([name, *cells, goal])} |")
    return "\n".join(lines) + "\n"


def shown_table() -> str:
    """The table that the page has. Raises ValueError where its marks are gone."""
    found = _TABLE.search(PAGE.read_text())
    if found is None:
        raise ValueError(f"{PAGE.name} has no place for its counts")
    return found.group()


def write(counts: dict[tuple[str, str], int]) -> None:
    """Puts the table of *counts* into the page."""
    shown_table()
    PAGE.write_text(_TABLE.sub(lambda _: table(counts), PAGE.read_text()))
