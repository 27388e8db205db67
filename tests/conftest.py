# SPDX-License-Identifier: MIT
"""Firmware modules importable on CPython; what all workers cut (power, links), in two lines."""

import sys
import types

import pytest

from tests import sync_census
from tests.power_loss.census import CENSUS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Takes over what one of pytest-xdist's workers counted."""
    counted = getattr(node, "workeroutput", {})
    CENSUS.update(counted.get("power_cuts", {}))
    sync_census.take(counted.get("sync_cuts", {}))


def pytest_sessionfinish(session) -> None:
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["power_cuts"] = {name: list(counts) for name, counts in CENSUS.items()}
        worker["sync_cuts"] = sync_census.CUTS


def pytest_terminal_summary(terminalreporter) -> None:
    """A cut that was not clean stands above as a failed test."""
    if CENSUS:
        states = sum(states for states, _ in CENSUS.values())
        bad = sum(bad for _, bad in CENSUS.values())
        terminalreporter.write_line(f"power cuts: {states} states, {bad} bad")
    if line := sync_census.line():
        terminalreporter.write_line(line)


def _install_micropython_module() -> None:
    """`micropython.const` and viper as no-ops."""
    module = types.ModuleType("micropython")
    module.const = lambda value: value  # type: ignore[attr-defined]
    module.viper = module.native = lambda function: function  # type: ignore[attr-defined]
    sys.modules.setdefault("micropython", module)


_install_micropython_module()
