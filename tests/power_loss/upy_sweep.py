# Runs on MicroPython: sweeps of tests/power_loss on the tag's own interpreter.
# SPDX-License-Identifier: MIT
from kit import genuine_kit
from pair_scenario import PairScenario
from ring_scenario import RingScenario, WarmScenario
from scenarios import KeyScenario, StateScenario
from sweep import Tally, sweep, sweep_errors


def small(index):
    return 12 if index % 3 else 9


def mixed(index):
    return (12, 9, 40, 12, 250, 17, 0, 100)[index % 8]


def main():
    kit = genuine_kit()
    tally = Tally()
    sweep(RingScenario(kit, 55, small, 5, 12, sector_count=3), tally)
    sweep(RingScenario(kit, 30, mixed, 4, 6, carry_count=2), tally)
    sweep(RingScenario(kit, 70, small, 17, 38, overwrites=True, sector_count=3), tally)
    sweep(WarmScenario(kit, 40, small, 5, 12, sector_count=3, carry_count=1), tally)
    sweep(PairScenario(kit, 30), tally)
    sweep(StateScenario(kit, 30), tally)
    sweep(KeyScenario(kit), tally)
    sweep_errors(PairScenario(kit, 20), tally)
    for sample in tally.samples:
        print(sample)
    print(tally.states, tally.bad)


main()
