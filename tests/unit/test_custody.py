# SPDX-License-Identifier: MIT
"""The custody document: valid, clean, deterministic, and silent about people."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.custody import document as custody
from sealtrail.custody.epcis_lint import lint
from sealtrail.errors import UsageError
from sealtrail.model import Completeness, VerifiedEvidence
from tests.fakes.evidence_samples import (
    COI_COMMITMENT,
    DAY_MS,
    HOUR_MS,
    QUIET,
    START_MS,
    Step,
    Story,
    shipment,
    steps,
)
from tests.paths import shared_data

CREATED_MS = START_MS + 6 * DAY_MS
DEMO = custody.load_profile(None)
STORIES = {
    "bad trip": Story(),
    "quiet trip": QUIET,
    "open trip": replace(QUIET, is_ended=False),
    "unproved": replace(QUIET, completeness=Completeness.UNPROVED),
    "nobody signed": replace(QUIET, custody=()),
    "one handover": replace(QUIET, custody=steps((HOUR_MS, Step("A", "B", "X")))),
    "taken without giver": replace(
        QUIET, custody=steps((HOUR_MS, Step(None, "B", "X", "taken without giver")))
    ),
    "offer not accepted": replace(
        QUIET, custody=steps((HOUR_MS, Step("A", None, "X", "offer not accepted")))
    ),
    "unknown key": replace(QUIET, custody=steps((HOUR_MS, Step("A", "B", "X", key_known=False)))),
}


def build(evidence: VerifiedEvidence, created_ms: int = CREATED_MS) -> bytes:
    return custody.build_document(evidence, analyse(evidence), DEMO, created_ms)


def events_of(document: bytes) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(document)["epcisBody"]["eventList"]
    return events


def by_step(document: bytes, step: str) -> list[dict[str, Any]]:
    return [event for event in events_of(document) if event["bizStep"] == step]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_every_kind_of_trip_gives_a_document_that_gs1s_schema_and_our_linter_accept(
    story: Story,
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = shared_data("epcis/EPCIS-JSON-Schema.json")
    checker = jsonschema.Draft7Validator(
        json.loads(path.read_bytes()), format_checker=jsonschema.FormatChecker()
    )
    document = json.loads(build(shipment(story)))
    assert [error.message for error in checker.iter_errors(document)] == []
    assert lint(document) == []


def virtual(story: Story) -> VerifiedEvidence:
    real = shipment(story)
    return replace(real, certificate=replace(real.certificate, hardware="virtual"))


def test_every_event_of_a_virtual_tag_is_marked_and_still_valid() -> None:
    document = build(virtual(Story()))
    assert all(event["sealtrail:simulated"] is True for event in events_of(document))
    assert not any("sealtrail:simulated" in event for event in events_of(build(shipment())))
    assert lint(json.loads(document)) == []
    jsonschema = pytest.importorskip("jsonschema")
    path = shared_data("epcis/EPCIS-JSON-Schema.json")
    jsonschema.Draft7Validator(
        json.loads(path.read_bytes()), format_checker=jsonschema.FormatChecker()
    ).validate(json.loads(document))


def test_an_uncertified_key_is_called_as_in_the_report() -> None:
    (event,) = by_step(build(shipment(STORIES["unknown key"])), "accepting")
    assert event["sealtrail:signerKey"] == "custody key unknown"


def test_the_schema_check_would_find_a_broken_event() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = shared_data("epcis/EPCIS-JSON-Schema.json")
    document = json.loads(build(shipment(QUIET)))
    document["epcisBody"]["eventList"][0]["action"] = "LOOK"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(json.loads(path.read_bytes())).validate(document)


def test_the_same_input_gives_the_same_bytes_and_other_evidence_other_identities() -> None:
    one, two = build(shipment()), build(shipment())
    assert one == two
    other = build(replace(shipment(), sha256=bytes(32)))
    assert not {e["eventID"] for e in events_of(one)} & {e["eventID"] for e in events_of(other)}


def test_the_send_clock_changes_the_creation_date_and_nothing_else() -> None:
    early, late = json.loads(build(shipment())), json.loads(build(shipment(), CREATED_MS + DAY_MS))
    assert early.pop("creationDate") != late.pop("creationDate")
    assert early == late


def test_a_host_clock_that_is_behind_does_not_make_events_of_the_future() -> None:
    document = json.loads(build(shipment(QUIET), START_MS))
    assert document["creationDate"] == "2026-11-21T08:00:00.000Z"


def test_the_evidence_is_pointed_at_by_its_digest() -> None:
    evidence = shipment()
    digest = base64.urlsafe_b64encode(evidence.sha256).rstrip(b"=").decode()
    raw_data = f"https://evidence.example.com/.well-known/ni/sha-256/{digest}"
    for event in events_of(build(evidence)):
        for element in event.get("sensorElementList", []):
            assert element["sensorMetadata"]["rawData"] == raw_data


def test_nothing_about_people_or_the_chain_of_identity_leaves() -> None:
    evidence = shipment()
    text = build(evidence).decode()
    secrets = [COI_COMMITMENT.hex(), base64.b64encode(COI_COMMITMENT).decode().rstrip("=")]
    names = [
        part
        for step in evidence.custody
        for part in (step.giver, step.receiver, step.place, *step.seals)
    ]
    for word in [*secrets, *names, "8018", "patient"]:
        assert word and word not in text


@pytest.mark.parametrize(
    ("story", "disposition"),
    [
        (QUIET, "conformant"),
        (Story(), "non_conformant"),
        (replace(QUIET, completeness=Completeness.UNPROVED), "unknown"),
    ],
)
def test_the_verdict_becomes_the_outcome_of_the_inspection(story: Story, disposition: str) -> None:
    (event,) = by_step(build(shipment(story)), "inspecting")
    assert event["disposition"] == disposition
    assert ("persistentDisposition" in event) == (disposition != "unknown")


def test_an_open_trip_has_neither_arrival_nor_inspection() -> None:
    document = build(shipment(replace(QUIET, is_ended=False)))
    assert by_step(document, "inspecting") == by_step(document, "arriving") == []


def test_each_handover_is_an_accepting_event_at_the_time_of_the_log() -> None:
    first, second = by_step(build(shipment(QUIET)), "accepting")
    assert first["eventTime"] == "2026-11-16T09:14:00.000Z"
    assert first["eventTimeZoneOffset"] == "+01:00"
    assert first["sourceList"] == [{"type": "possessing_party", "source": DEMO.sender}]
    assert first["destinationList"][0]["destination"] == DEMO.carrier
    assert second["destinationList"][0]["destination"] == DEMO.receiver
    assert second["disposition"] == "in_progress"


def test_a_claimed_time_or_zone_outside_the_world_does_not_reach_the_document() -> None:
    evidence = shipment(QUIET)
    odd = replace(evidence.custody[0], tz_min=99_999, claimed_utc_s=2**62, utc=None)
    document = build(replace(evidence, custody=(odd,)))
    (event,) = by_step(document, "accepting")
    assert event["eventTimeZoneOffset"] == "+00:00"
    assert event["eventTime"] == "2026-11-16T09:14:00.000Z"


def test_who_gave_nothing_is_no_source_and_an_offer_nobody_took_is_no_handover() -> None:
    (taken,) = by_step(build(shipment(STORIES["taken without giver"])), "accepting")
    assert "sourceList" not in taken
    assert taken["sealtrail:handover"] == "taken without giver"
    assert by_step(build(shipment(STORIES["offer not accepted"])), "accepting") == []


def test_the_bad_trip_reports_lid_shocks_and_excursions_with_their_figures() -> None:
    reports = by_step(build(shipment()), "sensor_reporting")
    first_types = [r["sensorElementList"][0]["sensorReport"][0]["type"] for r in reports]
    assert first_types == [
        "Acceleration", "sealtrail:LidOpen", "Temperature", "Temperature", "Acceleration",
    ]  # fmt: skip
    assert reports[1]["disposition"] == "container_open"
    warm = reports[2]["sensorElementList"][0]["sensorReport"]
    assert warm[0]["maxValue"] == -126.85
    assert warm[1]["value"] == 50.0


def test_events_come_in_order_of_time() -> None:
    times = [event["eventTime"] for event in events_of(build(shipment()))]
    assert times == sorted(times)


def test_no_trip_or_no_calendar_time_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no trip"):
        build(replace(shipment(QUIET), trips=()))
    with pytest.raises(UsageError, match="calendar time"):
        build(shipment(replace(QUIET, with_clock=False)))


PROFILE = """
rules_base = "https://rules.acme.example/p"
evidence_base = "https://evidence.acme.example"
company_prefix = "9520001"
shipper = {grai = "9520001000423", serial = "SHP1"}
therapy = {gtin = "09520001123450", serial = "T-1"}
sender = {gln = "9520001100017", place = "DOCK2"}
carrier = {gln = "9520001200021"}
receiver = {gln = "9520001300035"}
shipment = {gdti = "9520001000775", serial = "S1"}
[[person]]
name = "Milan Novak (Coldway)"
gln = "9520001300035"
[[place]]
text = "St Anna ward 3"
gln = "9520001300035"
place = "W3"
"""


def profile_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "custody.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_profile_names_the_partys_of_people_the_places_and_the_shipment(tmp_path: Path) -> None:
    profile = custody.load_profile(profile_file(tmp_path, PROFILE))
    evidence = shipment(QUIET)
    document = custody.build_document(evidence, analyse(evidence), profile, CREATED_MS)
    first, second = by_step(document, "accepting")
    assert first["destinationList"][0]["destination"] == profile.receiver
    assert second["readPoint"]["id"].endswith("/254/W3")
    assert second["bizTransactionList"][0]["bizTransaction"].endswith("/253/9520001000775S1")
    assert lint(json.loads(document)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("9520001100017", "9520001100018"), "check digit"),
        (('serial = "SHP1"', 'seriel = "SHP1"'), "serial is missing"),
        (("[[person]]", "[[people]]"), "unknown field 'people'"),
        (("https://rules.acme.example/p", "ftp://x"), "http"),
        (('company_prefix = "9520001"', "company_prefix = 1"), "not text"),
        (("rules_base", "rules base"), "custody.toml"),
    ],
)
def test_a_wrong_profile_is_refused_with_file_and_field(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in PROFILE
    path = profile_file(tmp_path, PROFILE.replace(*change))
    with pytest.raises(UsageError, match=message):
        custody.load_profile(path)


def test_a_profile_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not readable"):
        custody.load_profile(tmp_path / "none.toml")
