# SPDX-License-Identifier: MIT
"""README.md names tests that there are, and all forty attacks."""

import re
from pathlib import Path

from tests.paths import REPO

TABLE = (Path(__file__).parent / "README.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if re.match(r"^\| \d+ \|", line)
]
STATES = {"shown", "partly", "missing", "residual", "left out"}


def test_every_attack_has_its_row():
    assert [int(row[0]) for row in ROWS] == list(range(1, 41))
    assert {row[2] for row in ROWS} <= STATES


def test_every_test_that_is_named_exists():
    for number, _, state, named in ROWS:
        tests = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", named)
        assert tests or state in ("missing", "residual"), f"attack {number} names no test"
        for path, name in tests:
            source = (REPO / "tests" / path).read_text()
            assert name == "" or f"def {name}(" in source, f"attack {number}: {path}::{name}"
