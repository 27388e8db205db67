# SPDX-License-Identifier: MIT
"""Runs every benchmark, prints one table, writes build/bench.json.

Each module `bench_*.py` has `run() -> {name: {value, unit, goal, reference,
reference_value}}`; the reference is measured in the same run. Nothing gates on time.
"""

import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.paths import FIRMWARE, REPO

Entry = dict[str, object]


def collect() -> dict[str, Entry]:
    """Runs all benchmark modules in this folder, by name."""
    results: dict[str, Entry] = {}
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        module = importlib.import_module(f"tests.bench.{path.stem}")
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        results.update(module.run())
    return results


def show(results: dict[str, Entry]) -> None:
    """Prints the table."""
    table = Table(title="sealtrail benchmarks")
    for column in ("name", "value", "unit", "goal", "reference", "reference value"):
        table.add_column(column, no_wrap=column == "name")
    for name, entry in results.items():
        keys = ("value", "unit", "goal", "reference", "reference_value")
        table.add_row(name, *(_text(entry.get(key)) for key in keys))
    Console(width=170).print(table)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    sys.path.insert(0, str(FIRMWARE))  # pytest does this for the tests
    results = collect()
    out = REPO / "build" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(results, indent=2) + "\n")
    show(results)
    print(f"written: {out.relative_to(REPO)}")


if __name__ == "__main__":
    main()
