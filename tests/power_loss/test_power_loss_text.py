# SPDX-License-Identifier: MIT
"""docs/power-loss.md names every sweep and every guard that the tests have, and no other."""

import re

from tests.fakes.nor import Nor
from tests.paths import REPO
from tests.power_loss.census import HEADING, said_counts
from tests.power_loss.mutants import MUTANTS
from tests.power_loss.suite import SCENARIOS

TEXT = (REPO / "docs" / "power-loss.md").read_text()


def rows(heading: str) -> list[str]:
    """First cells of the table that follows *heading*."""
    table = TEXT.split(heading, 1)[1].split("\n\n", 1)[0]
    return [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]


def test_the_text_lists_every_sweep():
    names = rows(HEADING)
    assert [name for name in names if name in SCENARIOS] == list(SCENARIOS)
    assert len(names) == len(SCENARIOS) + 2


def test_the_text_lists_every_guard():
    assert rows("| guard removed | sweep | bad states |\n") == [m.name for m in MUTANTS]
    assert f"met, {len(MUTANTS)} of {len(MUTANTS)}" in TEXT


def test_the_sum_in_the_text_is_the_sum_of_its_rows():
    said = {name: int(n.replace(",", "")) for name, n in said_counts().items()}
    assert said.pop("**together**") == sum(said.values())


def test_every_guard_in_the_text_was_noticed_by_at_least_one_state():
    table = TEXT.split("| guard removed | sweep | bad states |\n", 1)[1].split("\n\n", 1)[0]
    noticed = [line.split("|")[3].split(" of ") for line in table.splitlines()[1:]]
    assert all(0 < int(bad) <= int(states) for bad, states in noticed)


def test_the_example_in_the_text_is_what_the_journal_writes():
    from tag.store.journal import Journal
    from tag.store.ringlog import Ring

    device = Nor(16)
    ring = Ring(
        device, 0, 16, entry_size_max=768, reserve_slots=24, entropy=lambda size: b"QRST"[:size]
    )
    journal = Journal(ring)
    journal.open()
    journal.append_boot(1, 300, 1)
    journal.append_sample(60_000, [-19600, 2150])
    journal.append_event(61_000, 4, b"\x83\x19\x10\x00\x02\x01")
    journal.free(2)
    lines = re.findall(r"^((?:[0-9a-f]{2} ){15}[0-9a-f]{2}) ", TEXT, re.M)
    assert bytes.fromhex("".join(lines)) == bytes(device.memory[: 16 * len(lines)])
    assert len(lines) == 7
