# SPDX-License-Identifier: MIT
"""The access protocol's known answers, on CPython (tests/upy runs the same on MicroPython)."""

import json

import pytest

from tests.paths import REPO
from tests.upy.access_vectors import CHECKS

KNOWN = json.loads((REPO / "tests/vectors/access/known_answers.json").read_text())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_known_answer_of_the_access_protocol(check):
    check(KNOWN)
