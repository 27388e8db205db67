# SPDX-License-Identifier: MIT
"""Bytes that nobody meant: the page's parsers refuse them in their own words, or take them."""

import json
from pathlib import Path

import pytest

from tests.fakes import mutations
from tests.paths import REPO
from tests.web.node import run_node


def _samples(folder: Path) -> str:
    vectors = sorted((REPO / "tests/vectors/statement").glob("*_ok.json"))
    samples = [json.loads(file.read_text())["input"] for file in vectors]
    samples += [item.hex() for item in mutations.sample().items[:14]]
    session = json.loads((REPO / "tests/vectors/access/session_example.json").read_text())
    samples += [session[name] for name in ("ticket", "challenge", "ready", "bulk")]
    file = folder / "samples.json"
    file.write_text(json.dumps(samples))
    return str(file)


def test_only_our_own_refusals_come_of_it(tmp_path: Path):
    assert int(run_node("fuzz.mjs", "20000", _samples(tmp_path))) > 10_000


@pytest.mark.long
def test_only_our_own_refusals_come_of_much_of_it(tmp_path: Path):
    said = run_node("fuzz.mjs", "1000000", _samples(tmp_path), timeout_s=290)
    assert int(said) > 500_000
