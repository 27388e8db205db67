# SPDX-License-Identifier: MIT
"""The end of the demo: what was measured, and where everything lies."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from boards.virtual.demo.stage import Stage
from boards.virtual.demo.story import Story

FILES = ("evidence.seal", "fleet.pub", "report.pdf", "readings.csv", "custody.jsonld")


def write_summary(
    console: Console, story: Story, stage: Stage, out: Path, seconds: float
) -> dict[str, Any]:
    """Prints the summary and writes summary.json; returns what it wrote."""
    status = stage.board.status()
    verdict = story.facts.pop("verdict")
    summary = {
        "took_s": round(seconds, 1),
        "aioble": stage.aioble,
        "boots": status["boots"],
        "flash": status["flash"]["log"],
        "simulated_clock": True,
        **story.facts,
        "verdict": verdict,
        "files": {name: (out / name).stat().st_size for name in FILES},
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    console.print()
    console.print(Rule("[bold]Done[/]", align="left"))
    table = Table(show_header=False, box=None)
    for name in (*FILES, "summary.json"):
        table.add_row(f"{out / name}", f"{(out / name).stat().st_size:,} B")
    console.print(table)
    flash = status["flash"]["log"]
    console.print(
        f"The log partition took {flash['programs']:,} programs and {flash['erases']:,} erases"
        f" ({flash['violations']} against NOR physics); the whole story took {seconds:.0f} s."
    )
    return summary
