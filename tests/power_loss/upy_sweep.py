# Runs on MicroPython: sweeps of tests/power_loss on the tag's own interpreter.
# SPDX-License-Identifier: MIT
import scenarios
from sweep import Tally, sweep, sweep_errors


def small(index):
    return 12 if index % 3 else 9


def mixed(index):
    return (12, 9, 40, 12, 250, 17, 0, 100)[index % 8]


def main():
    kit = scenarios.genuine_kit()
    tally = Tally()
    sweep(scenarios.RingScenario(kit, 70, small, 5, 12), tally)
    sweep(scenarios.RingScenario(kit, 30, mixed, 4, 6, carry_count=2), tally)
    sweep(scenarios.PairScenario(kit, 30), tally)
    sweep(scenarios.StateScenario(kit, 30), tally)
    sweep(scenarios.KeyScenario(kit), tally)
    sweep_errors(scenarios.PairScenario(kit, 20), tally)
    for sample in tally.samples:
        print(sample)
    print(tally.states, tally.bad)


main()
