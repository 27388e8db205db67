# SPDX-License-Identifier: MIT
"""sync.js against the tag's end in a process of its own, on both interpreters."""

import json
import sys

import pytest

from sealwire.sync import HOST_TABLE
from tests.micropython import MICROPYTHON
from tests.paths import FIRMWARE, REPO
from tests.web.node import HERE, exports, run_node

_TAG = str(HERE / "sync_tag.py")
_PATHS = [str(FIRMWARE), str(REPO / "tests" / "upy")]
_PYTHON = [
    sys.executable,
    "-c",
    f"import runpy, sys; sys.path[:0] = {_PATHS!r}; runpy.run_path({_TAG!r})",
]
_UPY = ["env", "MICROPYPATH=" + ":".join([".frozen", *_PATHS]), MICROPYTHON, "-X"]
_UPY += ["heapsize=8M", _TAG]
_INTERPRETERS = {"cpython": _PYTHON, "micropython": _UPY}


@pytest.mark.parametrize("name", _INTERPRETERS)
def test_no_cut_loses_or_doubles_a_record(name: str):
    found = json.loads(run_node("sync_pipe.mjs", "2", *_INTERPRETERS[name], timeout_s=200))
    assert min(found["cuts"]) > 25 and sum(found["cuts"]) > 90
    assert found["lossy"]["cuts"] + found["lossy"]["reconnects"] > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", _INTERPRETERS)
def test_no_cut_loses_or_doubles_a_record_in_many_runs(name: str):
    found = json.loads(run_node("sync_pipe.mjs", "400", *_INTERPRETERS[name], timeout_s=3600))
    assert found["lossy"]["cuts"] > 400


def test_the_state_table_is_the_documents():
    assert exports("sync.js")["HOST_TABLE"] == HOST_TABLE


def test_each_event_does_what_the_document_says():
    assert run_node("sync_states.mjs").splitlines()[-1] == "checks 14"
