#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every generator of this folder (generate_*.py), in order of their names."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    sys.path.insert(0, str(HERE))
    for path in sorted(HERE.glob("generate_*.py")):
        if path.stem != Path(__file__).stem:
            print(path.name)
            importlib.import_module(path.stem).main()


if __name__ == "__main__":
    main()
