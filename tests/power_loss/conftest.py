# SPDX-License-Identifier: MIT
"""Prints the power-cut states of a session in one line."""

from tests.power_loss.census import CENSUS


def pytest_terminal_summary(terminalreporter) -> None:
    if CENSUS:
        states = sum(states for states, _ in CENSUS.values())
        bad = sum(bad for _, bad in CENSUS.values())
        terminalreporter.write_line(f"power cuts: {states} states, {bad} bad")
