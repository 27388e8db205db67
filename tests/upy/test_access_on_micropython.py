# SPDX-License-Identifier: MIT
"""Access and sync on MicroPython itself."""

from tests import sync_census
from tests.micropython import run_upy
from tests.paths import REPO
from tests.upy.access_vectors import CHECKS

UPY = REPO / "tests" / "upy"


def test_known_answers_hold_on_micropython():
    known = REPO / "tests/vectors/access/known_answers.json"
    output = run_upy(UPY / "access_vectors.py", str(known))
    assert output.splitlines()[-1] == f"checks {len(CHECKS)}"


def test_cuts_losses_and_repeats_cost_nothing_on_micropython():
    output = run_upy(UPY / "access_sync_pipe.py", timeout_s=120)
    cuts, _, done = output.splitlines()
    assert done == "done"
    count = int(cuts.split()[1])
    assert count >= 500
    sync_census.note(sync_census.MEMORY, "MicroPython", count)


def test_the_gatt_service_survives_what_the_stack_does_wrong():
    output = run_upy(UPY / "access_gatt.py", paths=(UPY, UPY / "access_fake_radio"))
    assert output.splitlines()[-1] == "done"
