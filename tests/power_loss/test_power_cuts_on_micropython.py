# SPDX-License-Identifier: MIT
"""The same sweeps, shorter, on the interpreter of the tag."""

from tests.micropython import run_upy
from tests.paths import REPO
from tests.power_loss.census import note

FOLDER = REPO / "tests" / "power_loss"


def test_every_cut_leaves_what_was_promised_on_micropython():
    out = run_upy(FOLDER / "upy_sweep.py", timeout_s=200, paths=(FOLDER,), heap="16M")
    states, bad = map(int, out.split("\n")[-2].split())
    note("eight of these kinds again, shorter, on MicroPython", states, bad)
    assert states > 1_000
    assert bad == 0, out
