# SPDX-License-Identifier: MIT
"""Runs one of this folder's scripts in node, with a file of jobs; one process for all of them.

A job is one JSON value a line, its answer too, in the same order.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.paths import REPO

STATIC = REPO / "host_tools" / "sealtrail" / "phone" / "static"
HERE = Path(__file__).parent
NODE_MAJOR_MIN = 20
_HOW = f"no node >= {NODE_MAJOR_MIN} here; get it: apt-get install nodejs"


def node() -> str:
    """The interpreter; skips the test where there is none of a version that will do."""
    found = shutil.which("node") or shutil.which("nodejs")
    if found is None:
        pytest.skip(_HOW)
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.strip().lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(_HOW)
    return found


def run_node(script: str, *args: str, timeout_s: float = 120) -> str:
    """Standard output of *script*. Raises AssertionError with what it said where it fails."""
    done = subprocess.run(
        [node(), str(HERE / script), *args],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=REPO,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def judged(jobs: Iterable[dict[str, Any]], folder: Path, timeout_s: float = 120) -> list[Any]:
    """What judge.mjs answers to *jobs*, in their order."""
    dump = folder / "jobs.jsonl"
    with dump.open("w") as file:
        count = 0
        for job in jobs:
            file.write(json.dumps(job) + "\n")
            count += 1
    answers = [
        json.loads(line)
        for line in run_node("judge.mjs", str(dump), timeout_s=timeout_s).splitlines()
    ]
    assert len(answers) == count
    return answers


def exports(module: str) -> dict[str, Any]:
    """The exported values of a module of the page that JSON can hold; functions as strings."""
    found: dict[str, Any] = json.loads(run_node("exports.mjs", module))
    return found
