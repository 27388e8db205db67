# SPDX-License-Identifier: MIT
"""Makes firmware modules importable on CPython: `micropython.const` and viper as no-ops."""

import sys
import types


def _install_micropython_module() -> None:
    module = types.ModuleType("micropython")
    module.const = lambda value: value  # type: ignore[attr-defined]
    module.viper = module.native = lambda function: function  # type: ignore[attr-defined]
    sys.modules.setdefault("micropython", module)


_install_micropython_module()
