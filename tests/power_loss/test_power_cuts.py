# SPDX-License-Identifier: MIT
"""Nothing acknowledged is lost and nothing doubled, whatever operation the power fails in."""

import pytest

from tests.power_loss import mutants, suite, sweep
from tests.power_loss.census import CENSUS, note
from tests.power_loss.kit import genuine_kit
from tests.power_loss.pair_scenario import PairScenario
from tests.power_loss.ring_scenario import RingScenario, WarmScenario
from tests.power_loss.sweep import Tally

STATES_MIN = 15_000


def assert_clean(name: str, tally: Tally) -> None:
    note(name, tally.states, tally.bad)
    assert not tally.bad, f"{tally.bad} bad of {tally.states}: {tally.samples}"


@pytest.mark.parametrize("name", suite.SCENARIOS)
def test_every_cut_leaves_what_was_promised(name):
    tally = Tally()
    suite.run(name, genuine_kit(), tally, stride=16 if "twice" in name else 1)
    assert_clean(name, tally)


def test_the_sweeps_saw_at_least_15000_states():
    missing = set(suite.SCENARIOS) - set(CENSUS)
    if missing:
        pytest.skip(f"not all sweeps ran in this session: {sorted(missing)[0]} is missing")
    assert sum(states for states, _ in CENSUS.values()) >= STATES_MIN


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_the_sweeps_notice_when_a_guard_is_removed(mutant):
    tally = Tally()
    with mutants.mutated(mutant) as kit:
        suite.run(mutant.scenario, kit, tally, stop_at_bad=True, stride=1)
    assert tally.bad


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in suite.SCENARIOS if "twice" in name])
def test_every_second_cut_after_every_first_leaves_what_was_promised(name):
    tally = Tally()
    suite.run(name, genuine_kit(), tally, stride=1)
    assert_clean(f"{name}, all", tally)


def _journal_sized(kit):
    return RingScenario(
        kit, 1500, suite.small, 64, 90, sector_count=4, slot_count=254, entry_size_max=768
    )


def _record_log_sized(kit):
    def size_of(index):
        return (217, 217, 404, 217, 1028, 150)[index % 6]

    return RingScenario(
        kit, 120, size_of, 7, 20, sector_count=4, slot_count=254, entry_size_max=1100
    )


def _overwriting_sized(kit):
    return RingScenario(
        kit,
        900,
        suite.small,
        64,
        600,
        sector_count=3,
        slot_count=254,
        entry_size_max=768,
        overwrites=True,
    )


def _warm_sized(kit):
    def size_of(index):
        return (217, 217, 404, 217, 1028, 150)[index % 6]

    return WarmScenario(
        kit, 70, size_of, 7, 12, sector_count=3, slot_count=254, entry_size_max=1100
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "make", [_journal_sized, _record_log_sized, _overwriting_sized, _warm_sized]
)
def test_every_cut_in_sectors_of_real_size_leaves_what_was_promised(make):
    tally = Tally()
    sweep.sweep(make(genuine_kit()), tally)
    assert_clean(make.__name__, tally)


@pytest.mark.long
def test_every_cut_of_both_logs_in_sectors_of_real_size_leaves_what_was_promised():
    tally = Tally()
    scenario = PairScenario(genuine_kit(), 1200, block=64, record_size_max=400, slot_count=254)
    sweep.sweep(scenario, tally)
    assert_clean("both logs, real size", tally)
