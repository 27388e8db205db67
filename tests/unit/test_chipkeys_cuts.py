# SPDX-License-Identifier: MIT
"""Power cuts at every command to the secure element, twice: one key in force, no old one left.

A cut comes before a command, inside its write (a mix of old and new, or zeros), or after it.
The key-epoch record is durable or not, as the log would have it; it alone says which key is
in force.
"""

from collections.abc import Iterator

import pytest

from boards.virtual.firmware_side.chips.atecc608b import Cut, PowerLost
from tag.keys import chipkeys
from tag.keys.chipkeys import ChipKeys
from tests.fakes.chip_bench import ChipBench
from tests.unit.test_chipkeys import holds, sealed

STAGES = ("before", "torn", "blank", "after")
COMMANDS_MAX = 5  # no roll or recovery has more


class Tag:
    """One chip and the part of the log that counts: the keys that durable records name."""

    def __init__(self) -> None:
        self.bench = ChipBench()
        self.keys = ChipKeys(self.bench.driver)
        self.named = [self.keys.create(b"")]
        self.seen = list(self.named)  # every key that anybody may have got to know

    def roll(self, epoch: int) -> None:
        """K1 in the order that rule K2 wants."""
        self.seen.append(self.keys.begin(epoch))
        self.named.append(self.seen[-1])
        self.keys.finish()

    def reboot(self):
        self.bench.power_up()
        self.keys = ChipKeys(self.bench.driver)

    def recover(self):
        return self.keys.recover(self.named[-1])


def cut_points(act) -> Iterator[Cut]:
    """Every (command, stage) at which *act(cut)* was really cut."""
    for index in range(COMMANDS_MAX):
        for stage in STAGES:
            if act(Cut(index, stage)):
                yield Cut(index, stage)


def rolled_with(cut: Cut) -> tuple[Tag, bool]:
    """A tag whose third roll met *cut*; whether it did."""
    tag = Tag()
    tag.roll(1)
    tag.roll(2)
    tag.bench.chip.cut = cut
    try:
        tag.roll(3)
    except PowerLost:
        tag.reboot()
        return tag, True
    return tag, False


def recovered_with(tag: Tag, cut: Cut) -> bool:
    tag.bench.chip.cut = cut
    try:
        tag.recover()
    except PowerLost:
        tag.reboot()
        return True
    return False


def assert_one_key(tag: Tag) -> None:
    signer = tag.recover()
    assert signer is not None, "the key in force is lost"
    assert holds(tag.named[-1], sealed(signer))
    gone = [key for key in {*tag.seen} if key != tag.named[-1]]
    assert all(tag.keys._public_key(slot) not in gone for slot in (2, 3)), "an old key lives"
    tag.seen.append(tag.keys.begin(9))
    tag.named.append(tag.seen[-1])
    assert holds(tag.named[-1], sealed(tag.keys.finish())), "the next roll works"


def test_a_cut_anywhere_in_a_roll_leaves_exactly_the_key_the_log_names():
    cuts = 0
    for cut in cut_points(lambda cut: rolled_with(cut)[1]):
        tag, _ = rolled_with(cut)
        assert_one_key(tag)
        cuts += 1
    assert cuts == 8  # two GenKey commands in four stages


def test_a_second_cut_anywhere_in_the_recovery_changes_nothing():
    pairs = 0
    for first in cut_points(lambda cut: rolled_with(cut)[1]):
        for index in range(COMMANDS_MAX):
            for stage in STAGES:
                tag, _ = rolled_with(Cut(first_index(first), first.stage))
                if recovered_with(tag, Cut(index, stage)):
                    pairs += 1
                    assert_one_key(tag)
    assert pairs > 60


def first_index(cut: Cut) -> int:
    return cut.index


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("index", range(8))
def test_a_cut_while_everything_is_erased_or_made_leaves_a_tag_that_can_be_enrolled(index, stage):
    tag = Tag()
    tag.roll(1)
    tag.bench.chip.cut = Cut(index, stage)
    try:
        tag.keys.erase_all()
        tag.keys.create(b"")
    except PowerLost:
        tag.reboot()
    tag.bench.chip.cut = None
    tag.keys.erase_all()
    fresh = tag.keys.create(b"")
    assert fresh not in tag.seen
    for old in tag.seen:
        assert ChipKeys(tag.bench.driver).recover(old) is None
    assert ChipKeys(tag.bench.driver).recover(fresh) is not None


# ---- each guard, taken away


def fails(test) -> bool:
    try:
        test()
    except AssertionError:
        return True
    return False


def test_the_sweep_notices_an_old_key_that_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ChipKeys, "_waste", lambda self, slot: None)
    assert fails(test_a_cut_anywhere_in_a_roll_leaves_exactly_the_key_the_log_names)


def test_the_sweep_notices_a_key_made_over_the_one_in_force(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chipkeys, "_other", lambda slot: slot)
    assert fails(test_a_cut_anywhere_in_a_roll_leaves_exactly_the_key_the_log_names)


def test_the_sweep_notices_a_recovery_that_does_not_clean_up(monkeypatch: pytest.MonkeyPatch):
    def slot_of(self, public_key):
        found = [slot for slot in (2, 3) if self._public_key(slot) == public_key]
        return found[0] if found else None

    monkeypatch.setattr(ChipKeys, "slot_of", slot_of)
    assert fails(test_a_cut_anywhere_in_a_roll_leaves_exactly_the_key_the_log_names)
