# SPDX-License-Identifier: MIT
"""Makes firmware modules importable on CPython, and prints the cut links of all workers."""

import sys
import types

import pytest

from tests import sync_census


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Takes over what one of pytest-xdist's workers counted."""
    sync_census.take(getattr(node, "workeroutput", {}).get("sync_cuts", {}))


def pytest_sessionfinish(session) -> None:
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["sync_cuts"] = sync_census.CUTS


def pytest_terminal_summary(terminalreporter) -> None:
    """A cut that was not clean stands above as a failed test."""
    if line := sync_census.line():
        terminalreporter.write_line(line)


def _install_micropython_module() -> None:
    """`micropython.const` and viper as no-ops."""
    module = types.ModuleType("micropython")
    module.const = lambda value: value  # type: ignore[attr-defined]
    module.viper = module.native = lambda function: function  # type: ignore[attr-defined]
    sys.modules.setdefault("micropython", module)


_install_micropython_module()
