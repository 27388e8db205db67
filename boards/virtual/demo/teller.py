# SPDX-License-Identifier: MIT
"""Sets the stage, tells the story, sums it up: `--scenario FILE --out DIR`."""

import argparse
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console

from boards.virtual import BoardError
from boards.virtual.demo.stage import open_stage
from boards.virtual.demo.story import Story, Times
from boards.virtual.demo.summary import write_summary
from boards.virtual.demo.tool import StoryError, Tool
from boards.virtual.firmware_side.scenario import ScenarioError, load_scenario
from boards.virtual.radio.private_bus import BusUnavailable

_REPO = Path(__file__).resolve().parents[3]
_DURATION_S_MIN = 6 * 3600
_WIDTH_OF_A_LOG = 118


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--scenario", type=Path, required=True, help="CSV of what the box meets")
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="where files go")
    return parser.parse_args(arguments)


def times_of(scenario: Path) -> Times:
    """Lays the story into the scenario's length. Raises StoryError where it is unusable."""
    try:
        duration_s = load_scenario(str(scenario)).duration_ms // 1000
    except ScenarioError as problem:
        raise StoryError(str(problem)) from problem
    except UnicodeDecodeError as problem:
        raise StoryError(f"{scenario}: is not text") from problem
    except OSError as problem:
        raise StoryError(f"{scenario}: cannot read: {problem.strerror}") from problem
    if duration_s < _DURATION_S_MIN:
        raise StoryError(f"{scenario}: covers {duration_s} s; the story needs six hours")
    return Times(int(duration_s * 0.5), int(duration_s * 0.65), duration_s)


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=_WIDTH_OF_A_LOG, highlight=False)
    begun = time.monotonic()
    out = options.out.resolve()
    try:
        times = times_of(options.scenario)
        _clear(out)
        # Unix sockets need short paths: the run folder does not lie in the checkout.
        with tempfile.TemporaryDirectory(prefix="st-demo-") as run:
            _tell(console, Path(run), options.scenario.resolve(), out, times, begun)
    except (StoryError, BusUnavailable, BoardError) as problem:
        console.print(f"demo: {problem}", style="bold red", markup=False, soft_wrap=True)
        return 1
    return 0


def _clear(out: Path) -> None:
    """A second demo begins afresh."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "work").mkdir(parents=True)


def _tell(
    console: Console, run: Path, scenario: Path, out: Path, times: Times, begun: float
) -> None:
    passphrase = out / "work" / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(secrets.token_urlsafe(24) + "\n")
    tool = Tool(console, out / "work" / "home", passphrase, _REPO)
    with open_stage(run, scenario) as stage:
        tool.use(**stage.radio.environment)
        console.print("tag and host share a turned clock; every paper says so")
        console.print(f"aioble on the tag: {stage.aioble}")
        console.print(f"bluetooth on the tag: {stage.bluetooth}")
        story = Story(console, stage, tool, out, times)
        story.tell()
        write_summary(console, story, stage, out, time.monotonic() - begun)
