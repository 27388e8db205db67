# SPDX-License-Identifier: MIT
"""The gate: what signing costs, held against limits.py; the limits against the goals."""

import random
from typing import Any

import pytest

from tests.cost import page
from tests.cost.conftest import EditFirmware
from tests.cost.limits import GOALS, LIMITS
from tests.cost.mpy import ARCHITECTURES, RV32IMC, XTENSAWIN
from tests.cost.rv32 import Rv32Machine
from tests.cost.signing import HEDGE, MESSAGE, MULTIPLY, SEED, Tag, import_signing, make_tag

Counts = dict[tuple[str, str], int]


@pytest.mark.parametrize(("architecture", "name"), LIMITS)
def test_a_count_is_within_its_limit(architecture: str, name: str, counts: Counts):
    assert counts[architecture, name] <= LIMITS[architecture, name]


def test_every_count_has_a_limit_and_no_limit_is_far_above(counts: Counts):
    assert set(counts) == set(LIMITS)
    loose = {key: limit for key, limit in LIMITS.items() if limit and counts[key] < 0.9 * limit}
    assert loose == {}, "lower these limits"


def test_the_limits_keep_the_goals():
    for architecture in ARCHITECTURES:
        for name, goal in GOALS.items():
            assert LIMITS[architecture, name] <= goal


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_signature_costs_the_same_for_every_key_and_message(architecture: str, counts: Counts):
    tag = make_tag(architecture)
    rng = random.Random(6)
    key = tag.sign.SigningKey(rng.randbytes(32))
    message, hedge = rng.randbytes(150), rng.randbytes(32)
    cost = tag.tally_of(lambda: key.sign((message,), hedge))
    assert cost.instruction_count == counts[architecture, "sign"]


def test_unicorn_and_the_translator_count_the_same(counts: Counts):
    machine = Rv32Machine()
    tag = Tag(machine, import_signing(machine))
    made: list[Any] = []
    make_key = tag.tally_of(lambda: made.append(tag.sign.SigningKey(SEED)))
    assert make_key.instruction_count == counts[RV32IMC, "key generation"]
    sign = tag.tally_of(lambda: made[0].sign((MESSAGE,), HEDGE))
    assert sign.instruction_count == counts[RV32IMC, "sign"]


def test_one_more_store_in_a_row_of_the_multiplication_is_seen(
    counts: Counts, edit_firmware: EditFirmware
):
    line = "m[1] = g[1]"
    root = edit_firmware("field_vm.py", line, f"{line}; {line}")
    tag = make_tag(RV32IMC, root=root)
    changed = tag.program(MULTIPLY * 2) - tag.program(MULTIPLY)
    assert changed > counts[RV32IMC, "field multiply"]


def test_the_command_prints_every_count_and_tells_a_passed_limit(monkeypatch, capsys):
    from tests.cost import __main__ as command

    monkeypatch.setattr(command, "all_counts", lambda: dict(LIMITS))
    assert command.main([]) == 0
    above = dict(LIMITS)
    above[XTENSAWIN, "sign"] += 1
    monkeypatch.setattr(command, "all_counts", lambda: above)
    assert command.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if "ABOVE" in line] == [["xtensawin", "sign"]]
    assert len(lines) == 2 * len(LIMITS)


def test_the_page_shows_the_counts_and_limits(counts: Counts):
    assert page.shown_table() == page.table(counts), "run: python -m tests.cost --write"
