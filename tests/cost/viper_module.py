# SPDX-License-Identifier: MIT
"""Small viper modules from source text, for tests of the machines themselves."""

from pathlib import Path
from typing import Any

from tests.cost.firmware_import import import_firmware
from tests.cost.machine import Machine
from tests.cost.rv32 import Rv32Machine
from tests.cost.unicorn_rv32 import UnicornMachine
from tests.cost.xtensa import XtensaMachine

MACHINES: list[type[Machine]] = [UnicornMachine, Rv32Machine, XtensaMachine]


def load_source(machine: Machine, folder: Path, functions: str) -> Any:
    """The module whose text, after the import of micropython, is *functions*."""
    (folder / "sample.py").write_text("import micropython\n\n\n" + functions)
    return import_firmware(machine, "sample", folder)
