# SPDX-License-Identifier: MIT
"""The linter finds what GS1's schema lets pass, and never breaks on odd JSON."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealtrail.analysis.analyse import analyse
from sealtrail.custody import document as custody
from sealtrail.custody.epcis_lint import lint
from tests.fakes.evidence_samples import DAY_MS, START_MS, shipment
from tests.paths import shared_data

EVIDENCE = shipment()
CLEAN: dict[str, Any] = json.loads(
    custody.build_document(
        EVIDENCE, analyse(EVIDENCE), custody.load_profile(None), START_MS + 6 * DAY_MS
    )
)


def last_report(document: dict[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = inspecting(document)["sensorElementList"][0]["sensorReport"][0]
    return report


def inspecting(document: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = document["epcisBody"]["eventList"][-1]
    return event


def first(document: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = document["epcisBody"]["eventList"][0]
    return event


BREAKS = {
    "unit": lambda d: last_report(d).update(uom="XYZ"),
    "without a unit": lambda d: last_report(d).pop("uom"),
    "percRank": lambda d: last_report(d).update(percValue=3.0),
    "not in order": lambda d: last_report(d).update(minValue=99.0),
    "deviceID stands in": lambda d: last_report(d).update(deviceID="https://id.gs1.org/8004/9520001A"),
    "check digit": lambda d: first(d).update(parentID="https://id.gs1.org/8003/09520001000424X"),
    "prefix acme:": lambda d: first(d).update({"acme:x": 1}),
    "prefix other:": lambda d: last_report(d).update({"sealtrail:feature": "other:word"}),
    "excludes": lambda d: inspecting(d).update(bizStep="receiving"),
    "persistentDisposition is not allowed": lambda d: first(d).update(
        persistentDisposition={"set": ["conformant"]}
    ),
    "ilmd": lambda d: inspecting(d).update(ilmd={"sealtrail:lot": "1"}),
    "outcome of an inspection": lambda d: d["epcisBody"]["eventList"][2].update(
        disposition="conformant"
    ),
    "stands twice": lambda d: first(d).update(eventID=inspecting(d)["eventID"]),
    "did not occur": lambda d: first(d).update(
        errorDeclaration={"reason": "did_not_occur", "correctiveEventIDs": ["urn:x"]}
    ),
    "without a corrective": lambda d: first(d).update(
        errorDeclaration={"reason": "incorrect_data"}
    ),
    "is no party": lambda d: d["epcisBody"]["eventList"][2].update(
        sourceList=[{"type": "possessing_party", "source": "https://id.gs1.org/414/9520001100017"}]
    ),
    "is no place": lambda d: d["epcisBody"]["eventList"][2].update(
        sourceList=[{"type": "location", "source": "https://id.gs1.org/417/9520001100017"}]
    ),
    "names a patient": lambda d: first(d).update({"sealtrail:patientName": "x"}),
    "after the document": lambda d: d.update(creationDate="2026-11-01T00:00:00.000Z"),
    "eventTime": lambda d: first(d).update(eventTime="2026-11-16T08:00:00"),
    "eventTimeZoneOffset": lambda d: first(d).update(eventTimeZoneOffset="+1"),
    "neither urn:uuid nor ni": lambda d: first(d).update(eventID="http://x/1"),
    "ends before it starts": lambda d: inspecting(d)["sensorElementList"][0][
        "sensorMetadata"
    ].update(startTime="2027-01-01T00:00:00.000Z"),
    "no events": lambda d: d["epcisBody"].update(eventList=[]),
}  # fmt: skip


def test_a_document_of_ours_is_clean() -> None:
    assert lint(CLEAN) == []


@pytest.mark.parametrize("part", BREAKS, ids=BREAKS)
def test_each_fault_is_named(part: str) -> None:
    document = copy.deepcopy(CLEAN)
    BREAKS[part](document)
    found = lint(document)
    assert any(part in text for text in found), found


@pytest.mark.parametrize(
    "name",
    [
        "1_assign_and_pack",
        "2_custody_transit",
        "3_inspection_nonconformant",
        "4_error_declaration",
    ],
)
def test_the_checked_examples_beside_the_checkout_are_clean(name: str) -> None:
    path = shared_data(f"epcis/ours/{name}.jsonld")
    assert lint(json.loads(path.read_bytes())) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["epcisBody", "eventList", "sensorElementList", "sensorReport", "type",
                         "eventID", "a:b", "@context", "sourceList", "errorDeclaration"]),
        inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_gives_findings_and_no_crash(value: object) -> None:
    assert isinstance(lint(value), list)
