# SPDX-License-Identifier: MIT
"""Power-cut states seen in this test session, and what docs/power-loss.md says of them."""

from tests.paths import REPO

# Name of a sweep -> (states, bad ones).
CENSUS: dict[str, tuple[int, int]] = {}

HEADING = "| sweep | states, `make test` | bad |\n"


def said_counts() -> dict[str, str]:
    """States of each sweep as the text gives them, by the sweep's name."""
    text = (REPO / "docs" / "power-loss.md").read_text()
    table = text.split(HEADING, 1)[1].split("\n\n", 1)[0]
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| ")]
    return {row[1].strip(): row[-3].strip(" *") for row in cells}


def note(name: str, states: int, bad: int) -> None:
    """Counts a sweep. Fails where the text gives another number of states for it."""
    CENSUS[name] = (states, bad)
    said = said_counts().get(name)
    assert said in (None, f"{states:,}"), f"docs/power-loss.md says {said} states, not {states:,}"
