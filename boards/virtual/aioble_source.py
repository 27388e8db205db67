# SPDX-License-Identifier: MIT
"""Which aioble the virtual board runs: the real one where it can be had, else the stand-in.

On hardware aioble comes by `mip install aioble`. Here it is a micropython-lib checkout
named by MICROPYTHON_LIB, used in place, never copied.
"""

import os
from pathlib import Path

_STANDIN = Path(__file__).resolve().parent / "aioble_standin"
_IN_MICROPYTHON_LIB = Path("micropython", "bluetooth", "aioble")


def find() -> tuple[Path, str]:
    """Returns (folder for the tag's module path, one line that says which one it is).

    Raises FileNotFoundError when MICROPYTHON_LIB names a folder without aioble: a wish that
    cannot be met must not silently become the stand-in.
    """
    checkout = os.environ.get("MICROPYTHON_LIB")
    if not checkout:
        return standin()
    folder = Path(checkout).resolve() / _IN_MICROPYTHON_LIB
    if not (folder / "aioble" / "__init__.py").is_file():
        raise FileNotFoundError(f"MICROPYTHON_LIB={checkout} has no {_IN_MICROPYTHON_LIB}")
    return folder, f"aioble from micropython-lib (MICROPYTHON_LIB={checkout})"


def standin() -> tuple[Path, str]:
    """Returns the same for the stand-in."""
    return _STANDIN, "the virtual board's stand-in for aioble (MICROPYTHON_LIB is not set)"
