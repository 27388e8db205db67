# SPDX-License-Identifier: MIT
"""visitor.js against the firmware's own session, over a link that can go wrong."""

import os
import sys

from sealwire import protocol
from tests.paths import REPO
from tests.web.node import HERE, exports, run_node


def test_visits_go_as_the_protocol_says(monkeypatch):
    paths = [REPO, REPO / "host_tools", REPO / "firmware"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    said = run_node("visit.mjs", sys.executable, str(HERE / "visit_tag.py"), timeout_s=100)
    assert said.splitlines()[-1] == "checks 23"


def test_every_number_is_the_protocols():
    found = exports("protocol.js")
    assert found["VERSION"] == protocol.VERSION
    groups = ["GATT", "MESSAGE", "OP", "CODE", "SCOPE", "READY", "LIMIT", "ROLE"]
    numbers = {name: value for group in groups for name, value in found[group].items()}
    assert {name: getattr(protocol, name) for name in numbers} == numbers
    assert len(numbers) > 80


def test_every_op_and_code_is_there():
    found = exports("protocol.js")
    assert set(found["OP"]) == set(protocol.OP_NAMES.split())
    assert set(found["READY"]) == {name for name in dir(protocol) if name.startswith("READY_")}
    assert set(found["SCOPE"]) == {name for name in dir(protocol) if name.startswith("SCOPE_")}
    assert set(found["CODE"]) == {"OK", *protocol.CODE_NAMES.split()}
