# SPDX-License-Identifier: MIT
"""Prints the power-cut states of a session in one line, whichever processes ran them."""

import pytest

from tests.power_loss.census import CENSUS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Takes over what one of pytest-xdist's workers counted."""
    CENSUS.update(getattr(node, "workeroutput", {}).get("power_cuts", {}))


def pytest_sessionfinish(session) -> None:
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["power_cuts"] = {name: list(counts) for name, counts in CENSUS.items()}


def pytest_terminal_summary(terminalreporter) -> None:
    if CENSUS:
        states = sum(states for states, _ in CENSUS.values())
        bad = sum(bad for _, bad in CENSUS.values())
        terminalreporter.write_line(f"power cuts: {states} states, {bad} bad")
