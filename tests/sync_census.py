# SPDX-License-Identifier: MIT
"""How many links of a sync were cut in this session. A cut that was not clean failed its test.

Counted by name, so that what two pytest-xdist workers say can be put together.
"""

MEMORY, BLEAK = "memory", "bleak"
CUTS: dict[str, dict[str, int]] = {MEMORY: {}, BLEAK: {}}


def note(level: str, name: str, count: int) -> None:
    """*count* cuts of the sweep *name*, all clean: nothing lost, doubled or stalled."""
    CUTS[level][name] = count


def take(other: dict[str, dict[str, int]]) -> None:
    """Adds what another process counted."""
    for level, counts in other.items():
        CUTS[level].update(counts)


def line() -> str:
    """The line of the terminal summary; empty when nothing was cut."""
    memory, bleak = (sum(CUTS[level].values()) for level in (MEMORY, BLEAK))
    if not memory + bleak:
        return ""
    return f"sync cuts: {memory} in memory, {bleak} over bleak, 0 lost, 0 doubled, 0 stalls"
