# SPDX-License-Identifier: MIT
"""Lets CPython import firmware modules that need nothing of MicroPython but `const`."""

import sys
from types import ModuleType


def install() -> None:
    """Puts a `micropython` module with `const` in place, unless there is one."""
    if "micropython" not in sys.modules:
        module = ModuleType("micropython")
        module.const = lambda value: value
        sys.modules["micropython"] = module
