# SPDX-License-Identifier: MIT
"""sealwire on MicroPython itself: the same vectors, and no allocation where it is hot."""

import json

import pytest

from tests.micropython import run_upy
from tests.paths import REPO
from tests.upy.wire_vectors import JUDGES

UPY = REPO / "tests" / "upy"
VECTORS = REPO / "tests" / "vectors"


@pytest.mark.parametrize("suite", JUDGES)
def test_every_vector_gets_its_verdict_on_micropython(suite):
    files = sorted((VECTORS / suite).glob("*.json"))
    output = run_upy(UPY / "wire_vectors.py", suite, *map(str, files))
    expected = [json.loads(file.read_text()) for file in files]
    assert output.splitlines() == [f"{v['name']}\t{v['expect']}" for v in expected]


@pytest.mark.parametrize(
    "hot",
    ["sample", "two_probes", "lost_probe", "alarm", "alarm_held", "writer"],
)
def test_hot_path_leaves_nothing_on_the_heap(hot):
    assert run_upy(UPY / "wire_allocation.py", hot).strip() == "1000 calls, 0 bytes"


def test_big_uptimes_cost_what_the_docstring_says():
    # 64-bit integers are small on this interpreter up to 2**62: a stand-in for an ESP32's 2**30.
    assert run_upy(UPY / "wire_allocation.py", "sample_big").strip() != "1000 calls, 0 bytes"


def test_module_makes_the_same_record_on_both_interpreters():
    from tests.upy.wire_record_bytes import build

    assert run_upy(UPY / "wire_record_bytes.py").strip() == build().hex()
