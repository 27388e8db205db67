# SPDX-License-Identifier: MIT
"""The vectors of the record format on CPython, and that they are what their maker writes."""

import json

import pytest

from tests.paths import REPO
from tests.upy.wire_vectors import JUDGES, verdict
from tests.vectors.make_vectors import SUITES, write

VECTORS = REPO / "tests" / "vectors"
FILES = [file for suite in JUDGES for file in sorted((VECTORS / suite).glob("*.json"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_vector_gets_the_verdict_it_expects(file):
    vector = json.loads(file.read_text())
    assert vector["name"] == file.stem
    assert verdict(file.parent.name, vector) == vector["expect"]


def test_files_are_what_make_vectors_writes(tmp_path):
    write(tmp_path)
    for suite in SUITES:
        made = {file.name: file.read_bytes() for file in (tmp_path / suite).iterdir()}
        kept = {file.name: file.read_bytes() for file in (VECTORS / suite).iterdir()}
        assert made == kept, suite
