# SPDX-License-Identifier: MIT
"""`make size`: bytes of the firmware's code on a chip, held against budgets.

Exec bytes are native code, which MicroPython puts into executable memory (ESP32: instruction RAM)
and frees only at a reset; without the few bytes that the allocator adds to each function.
Bytecode and constants lie in the heap or in a ROM file system.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cost.limits import LIMITS
from tests.cost.mpy import ARCHITECTURES, RV32IMC, XTENSAWIN, Module, compile_file
from tests.paths import FIRMWARE

PACKAGE = "tag/ed25519"  # all native code is there; exec bytes are of the whole firmware


@dataclass(frozen=True)
class Row:
    """One module, or a folder of modules without native code."""

    name: str
    modules: dict[str, Module]  # by architecture

    def exec_size(self, architecture: str) -> int:
        return self.modules[architecture].exec_size


def measure(root: Path = FIRMWARE, *, only_signing: bool = False) -> list[Row]:
    """Compiles every module of the firmware for every architecture. Raises MpyError."""
    paths = sorted(path for path in root.rglob("*.py") if path.parent != root)
    if only_signing:
        package = root / PACKAGE
        paths = [p for p in paths if p.parent == package or b".viper" in p.read_bytes()]
    jobs = [(path, architecture) for path in paths for architecture in ARCHITECTURES]
    with ThreadPoolExecutor() as pool:
        compiled = dict(zip(jobs, pool.map(lambda job: compile_file(*job), jobs), strict=True))
    return [
        Row(
            path.relative_to(root).as_posix(),
            {architecture: compiled[path, architecture] for architecture in ARCHITECTURES},
        )
        for path in paths
    ]


def sums(rows: Iterable[Row], architecture: str, root: Path = FIRMWARE) -> dict[str, int]:
    """Sizes by their names in limits.py, for one architecture."""
    modules = [(row.name, row.modules[architecture]) for row in rows]
    signing = [module for name, module in modules if name.startswith(PACKAGE)]
    return {
        "exec bytes": sum(module.exec_size for _, module in modules),
        "bytecode bytes": sum(module.bytecode_size for module in signing),
        "constant bytes": sum(module.constant_size for module in signing),
        "table bytes": table_size(root),
    }


def signing_sizes(architecture: str, root: Path = FIRMWARE) -> dict[str, int]:
    """The same, without compiling what has no native code and is not of the signing package."""
    return sums(measure(root, only_signing=True), architecture, root)


def table_size(root: Path = FIRMWARE) -> int:
    """Bytes of the comb table, which is copied to RAM."""
    return (root / PACKAGE / "comb.bin").stat().st_size


def report(rows: list[Row]) -> list[str]:
    """The table: each module with native code or of the signing package, folders for the rest."""
    head = ("module", f"exec {XTENSAWIN}", f"exec {RV32IMC}", "bytecode", "constants")
    lines = ["{:34}{:>16}{:>14}{:>10}{:>11}".format(*head)]
    folders: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        numbers = _numbers(row)
        if numbers[0] or numbers[1] or row.name.startswith(PACKAGE):
            lines.append(_line(row.name, numbers))
        else:
            folder = folders[f"{row.name.rsplit('/', 1)[0]}/, the rest"]
            folder[:] = [have + more for have, more in zip(folder, numbers, strict=True)]
    return lines + [_line(name, numbers) for name, numbers in sorted(folders.items())]


def _numbers(row: Row) -> list[int]:
    one = row.modules[XTENSAWIN]
    exec_sizes = [row.exec_size(XTENSAWIN), row.exec_size(RV32IMC)]
    return [*exec_sizes, one.bytecode_size, one.constant_size]


def _line(name: str, numbers: list[int]) -> str:
    return "{:34}{:>16,}{:>14,}{:>10,}{:>11,}".format(name, *numbers)


def main() -> int:
    rows = measure()
    print("\n".join(report(rows)))
    lines = [line for architecture in ARCHITECTURES for line in _budget(rows, architecture)]
    print("\n".join(["", "sizes of signing / budgets", *lines]))
    return 1 if any("ABOVE" in line for line in lines) else 0


def _budget(rows: list[Row], architecture: str) -> list[str]:
    lines = []
    for name, size in sums(rows, architecture).items():
        budget = LIMITS[architecture, name]
        mark = "  ABOVE" if size > budget else ""
        lines.append(f"{architecture:10} {name:24} {size:>8,} / {budget:>8,}{mark}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
