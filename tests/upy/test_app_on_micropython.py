# SPDX-License-Identifier: MIT
"""The tag's task keeper, on the interpreter that runs it."""

from tests.micropython import run_upy
from tests.paths import REPO


def test_a_radio_that_is_cancelled_or_fails_never_ends_the_log():
    assert run_upy(REPO / "tests/upy/app_keep.py").strip() == "ok"
