# SPDX-License-Identifier: MIT
"""Cuts the power at every flash operation of a tag whose record log is full, both policies.

After each cut the tag boots twice. What it promised stands exactly once; what it refused is
counted exactly; a receipt lets it go on.
"""

from collections.abc import Callable

import pytest

from sealwire import labels
from sealwire.record import parse_record
from tests.fakes import nor
from tests.power_loss.census import CENSUS
from tests.power_loss.full_scenario import (
    SECTORS,
    Run,
    Tag,
    chain_of,
    kept_count,
    overwrite_on,
    refuse_after_backlog,
    refuse_after_custody,
    unsealed_of,
)

ONCE = ("sample", "event")
CUSTODY = (labels.EVENT_OFFER, labels.EVENT_ACCEPT)


def prepared(overwrites: bool) -> tuple[bytes, list, int]:
    """A chip just before its log is full: (image, what was promised, newest reading)."""
    chip = nor.Nor(SECTORS)
    run = Run(Tag(chip, overwrites))
    if overwrites:
        run.samples(600)
        assert run.tag.records.first_seq > 0
    else:
        run.fill()
    return bytes(chip.memory), run.promised, run.value


def wrong_after(
    memory: bytearray, promised: list, trace: nor.Trace, overwrites: bool
) -> str | None:
    """Boots twice on *memory*; returns what a verifier or a courier would complain about."""
    chip = nor.Nor(SECTORS, bytes(memory))
    held: dict[int, bytes] = {}
    wrong = ""
    for life in range(2):
        chip.log = []
        tag = Tag(chip, overwrites)
        tag.receipted = life > 0
        tag.begin()
        wrong = wrong_in_life(tag, held, promised, overwrites)
        if wrong:
            return f"life {life}: {wrong}"
        trace.settle(chip.memory, chip.log)
    return None if chip.violations == 0 else f"{chip.violations} against NOR physics"


def wrong_in_life(tag: Tag, held: dict[int, bytes], promised: list, overwrites: bool) -> str:
    refused = max((count for what, count in promised if what == "refused"), default=0)
    if not refused <= kept_count(tag) <= refused + 1:
        return f"{kept_count(tag)} refused, {refused} promised"
    wrong = wrong_content(tag, held, promised, overwrites)
    if wrong:
        return wrong
    # Life goes on: a receipt, a reading, a seal.
    before = kept_count(tag)
    tag.records.acknowledge(tag.records.head_seq)
    if not tag.sample(-1):
        return "a reading is refused though a receipt came"
    tag.recorder.seal_open_block()
    _, told, wrong = chain_of(tag, {} if overwrites else held)
    if wrong:
        return wrong
    if tag.recorder.unsealed_count:
        return f"{tag.recorder.unsealed_count} entries never sealed"
    if told != sorted(told) or (before and told[-1] != before):
        return f"told {told}, refused {before}"
    return ""


def wrong_content(tag: Tag, held: dict[int, bytes], promised: list, overwrites: bool) -> str:
    found, _, wrong = chain_of(tag, {} if overwrites else held)
    if wrong:
        return wrong
    found = [one for one in found + unsealed_of(tag) if one != ("sample", -1)]
    samples = [value for what, value in found if what == "sample"]
    if samples != list(range(samples[0], samples[0] + len(samples))):
        return "readings with a hole, doubled or out of order"
    custody = [one for one in found if one[0] == "event" and one[1] in CUSTODY]
    if len(set(custody)) != len(custody):
        return "a custody event stands twice"
    missing = {one for one in promised if one[0] in ONCE} - set(found)
    if overwrites:
        # Exact until somebody brings a receipt, which this tag has after its first boot here.
        if tag.records.lost > tag.records.first_seq or (
            not tag.receipted and tag.records.lost != tag.records.first_seq
        ):
            return f"lost {tag.records.lost}, first record {tag.records.first_seq}"
        missing = {one for one in missing if one[0] == "sample" and one[1] >= samples[0]}
    elif samples[0] != 1:
        return "the first reading is gone"
    return f"lost {sorted(missing)[:3]}" if missing else ""


WORK = pytest.mark.parametrize(
    ("work", "overwrites"),
    [(refuse_after_backlog, False), (refuse_after_custody, False), (overwrite_on, True)],
    ids=["backlog", "custody", "overwrite"],
)
# The gravest ways to tear a page; the others in the long run.
FAULTS = ("none", "half", "weak", "ghost")


@WORK
def test_no_cut_on_a_full_log_loses_doubles_or_miscounts(
    work: Callable[[Run], None], overwrites: bool
):
    sweep(work, overwrites, FAULTS, ("none", "first half", "zeros", "weak"))


@pytest.mark.long
@WORK
def test_no_cut_torn_in_any_way_does(work: Callable[[Run], None], overwrites: bool):
    sweep(work, overwrites, nor.PROGRAM_FAULTS, nor.ERASE_FAULTS)


def sweep(
    work: Callable[[Run], None], overwrites: bool, program_faults: tuple, erase_faults: tuple
) -> None:
    image, before, value = prepared(overwrites)
    chip = nor.Nor(SECTORS, image)
    chip.log = ops = []
    run = Run(Tag(chip, overwrites))
    run.value = value
    marks: list[int] = []

    class Noting(list):
        def append(self, entry: tuple[str, int]) -> None:
            super().append(entry)
            marks.append(len(ops))

    run.promised = Noting()
    work(run)
    memory, dice, states, bad = bytearray(image), nor.Dice(11), 0, []
    for number, op in enumerate(ops):
        promised = before + [run.promised[n] for n, at in enumerate(marks) if at <= number]
        for page in nor.pages_of(op):
            for fault in erase_faults if page[2] is None else program_faults:
                torn = bytearray(memory)
                trace = nor.tear(torn, page, fault, dice)
                states += 1
                wrong = wrong_after(torn, promised, trace, overwrites)
                if wrong:
                    bad.append(f"operation {number}, {fault}: {wrong}")
            nor.apply_op(memory, page)
    CENSUS[f"full log, {work.__name__}"] = (states, len(bad))
    print(f"{states} torn states of {len(ops)} operations, {len(bad)} bad")
    assert not bad, bad[:5]


def test_the_workloads_reach_what_they_are_for():
    for work, overwrites in ((refuse_after_backlog, False), (overwrite_on, True)):
        image, _, value = prepared(overwrites)
        run = Run(Tag(nor.Nor(SECTORS, image), overwrites))
        run.value = value
        work(run)
        told = [
            event[1] for _, raw in run.tag.records.records(0) for event in parse_record(raw).events
        ]
        if overwrites:
            assert labels.EVENT_RECORDS_LOST in told and run.tag.records.lost > 0
        else:
            assert run.tag.recorder.refused_count > 0
            assert told.count(labels.EVENT_LOG_FULL) == 2
