# SPDX-License-Identifier: MIT
"""`const` on both interpreters; the only place that knows there are two.

mpy-cross folds `_NAME = const(...)` away also when `const` came through this module.
"""

try:
    from micropython import const
except ImportError:

    def const(value: int) -> int:
        """Returns *value*: CPython has no compile-time constants."""
        return value


__all__ = ["const"]
