# SPDX-License-Identifier: MIT
"""Cuts the power at every flash operation of a decommissioning: all or nothing (K5)."""

import pytest

from tag.dock import decommission
from tag.store import statestore
from tests.power_loss import sweep
from tests.power_loss.census import CENSUS
from tests.power_loss.end_scenario import EndScenario
from tests.power_loss.key_scenario import KeyTripScenario
from tests.power_loss.sweep import Tally

FIRST = ("weak", "ghost")
SECOND = ("half", "weak", "ghost")


def assert_clean(name, tally, states_min):
    CENSUS[name] = (tally.states, tally.bad)
    assert not tally.bad, f"{tally.bad} bad of {tally.states}: {tally.samples}"
    assert tally.states >= states_min


def once(ends_again, stride):
    tally = Tally()
    scenario = EndScenario(rolls_again=ends_again)
    sweep.sweep(scenario, tally, keep=lambda number: number % stride == 0)
    return tally


def test_every_cut_leaves_a_tag_that_runs_or_one_without_a_secret():
    assert_clean("decommissioning", once(True, 3), 250)


@pytest.mark.long
def test_every_single_cut_leaves_a_tag_that_runs_or_one_without_a_secret():
    assert_clean("decommissioning, all", once(True, 1), 800)


def test_an_order_that_was_cut_and_is_not_repeated_never_comes_late():
    assert_clean("decommissioning, not repeated", once(False, 6), 150)


@pytest.mark.long
def test_no_order_that_was_cut_and_is_not_repeated_ever_comes_late():
    assert_clean("decommissioning, not repeated, all", once(False, 1), 800)


def twice(stride):
    tally = Tally()
    sweep.sweep_twice(EndScenario(), tally, lambda n: n % stride == stride // 2, FIRST, SECOND)
    return tally


def test_a_second_cut_while_the_first_is_mended_leaves_the_same():
    assert_clean("decommissioning, twice", twice(150), 20)


@pytest.mark.long
def test_every_second_cut_after_every_first_leaves_the_same():
    assert_clean("decommissioning, twice, all", twice(1), 10_000)


# ---- guards


def _no_scrub(self):
    pass


def _only_once(storage, keys):
    """The erasure that a cut interrupted is not taken up again."""
    if not storage.state.get(statestore.CERTIFICATE) or keys is None:
        return
    if hasattr(keys, "algorithm"):
        _GENUINE(storage, keys)


_GENUINE = decommission.complete


def _secrets_first(storage, keys, recorder, up_ms, utc):
    keys.erase_all()
    _GENUINE_END(storage, keys, recorder, up_ms, utc)


_GENUINE_END = decommission.end


@pytest.mark.parametrize(
    ("owner", "name", "mutant", "ends_again"),
    [
        (statestore.StateStore, "scrub", _no_scrub, True),
        (statestore.StateStore, "delete_all_but_certificate", _no_scrub, True),
        (decommission, "complete", _only_once, True),
        (decommission, "end", _secrets_first, True),
        (decommission, "take_back", lambda storage: None, False),
    ],
    ids=["no scrub", "nothing deleted", "not taken up", "secrets first", "not taken back"],
)
def test_the_sweep_notices_when_a_guard_is_removed(monkeypatch, owner, name, mutant, ends_again):
    monkeypatch.setattr(owner, name, mutant)
    tally = Tally()
    sweep.sweep(EndScenario(rolls_again=ends_again), tally, stop_at_bad=True)
    assert tally.bad


def test_an_ended_tag_is_a_blank_one_for_the_next_enrolment():
    """The rings go on; seeds, access key and records of the new life are its own."""
    from tests.fakes import nor

    scenario = EndScenario()
    chip = nor.Nor(scenario.sector_count)
    tag = scenario.open(chip)
    tag.sample(1)
    scenario.end(tag)
    ended = scenario.open(chip)
    decommission.purge(ended.storage)
    assert ended.storage.state.get(statestore.CERTIFICATE) is None
    assert ended.storage.records.head_seq == -1
    again = KeyTripScenario()
    again.seeds = scenario.seeds
    ended.storage.key_slots.store_first(again.first_seed)
    tag = again.open(chip)
    tag.sample(1)
    assert again.check(tag, (1, ()), (1, ())) is None
