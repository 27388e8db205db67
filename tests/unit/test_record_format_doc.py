# SPDX-License-Identifier: MIT
"""docs/record-format.md against the code and the vectors: tables, examples, CDDL, reasons."""

import json
import re

import pycddl
import pytest

from sealwire import (
    alarm,
    blockbuilder,
    cbor,
    envelope,
    events,
    labels,
    profile,
    record,
    statement,
)
from tests.paths import REPO

TEXT = (REPO / "docs/record-format.md").read_text()
VECTORS = REPO / "tests" / "vectors"

# Section heading -> prefix of the names in labels.py.
SECTIONS = {
    "### 4.1 Algorithms": "ALG_",
    "### 4.2 Payload keys": "",
    "### 4.3 Kinds": "KIND_",
    "### 4.4 Sources of UTC": "SOURCE_",
    "### 4.6 Faults": "FAULT_",
    "### 4.7 Events": "EVENT_",
    "### 4.8 Ends of an alarm": "END_",
    "## 7. Statements": "STATEMENT_",
    "### 7.1 Usage bits of a service key": "USAGE_",
    "## 11. Alarm profile": "PROFILE_",
    "### 11.1 Rule kinds": "RULE_",
}
_NOT_IN_A_TABLE = {"FAULT_BASE", "RECORD_SIZE_MAX", "STATEMENT_SIZE_MAX"}


def _section(heading: str) -> str:
    start = TEXT.index(heading + "\n") + len(heading)
    end = re.search(r"^##", TEXT[start:], re.M)
    return TEXT[start : start + end.start()] if end else TEXT[start:]


def _rows(heading: str) -> list[tuple[int, str, str]]:
    found = re.findall(r"^\| (-?\d+) \| ([A-Z0-9_]+) \| (.*) \|$", _section(heading), re.M)
    return [(int(number), name, rest) for number, name, rest in found]


def _labels() -> dict[str, int]:
    return {
        name: value
        for name, value in vars(labels).items()
        if name.isupper() and name not in _NOT_IN_A_TABLE
    }


def test_every_label_is_in_a_table_with_its_number_and_the_other_way_round():
    told = {
        prefix + name: number
        for heading, prefix in SECTIONS.items()
        for number, name, _ in _rows(heading)
    }
    assert told == _labels()


def test_event_table_has_the_shapes_of_the_code():
    words = {"u": "u", "i": "i"}
    for code, name, data in _rows("### 4.7 Events"):
        shape = events.SHAPES[code]
        if shape is None:
            assert data == "none", name
        elif shape == events.TRIP_MAP:
            assert data.startswith("map {1:"), name
        else:
            members = re.fullmatch(r"\[(.*?)\](;.*)?", data).group(1).split(", ")
            seen = [member.rsplit(" ", 1)[1] for member in members]
            seen = [words.get(word, word) for word in seen]
            assert _spelt(shape) == " ".join(seen), name
    assert {code for code, _, _ in _rows("### 4.7 Events")} == set(events.SHAPES)


def _spelt(shape: str) -> str:
    """The code's words in the document's spelling: u2 -> u(2), b-480 -> b(1 to 480)."""
    spelt = []
    for word in shape.split(" "):
        size = word[1:]
        if size.startswith("-"):
            size = "1 to " + size[1:]
        # The document's words hold no blank but this one; it is split off like a member's name.
        spelt.append((word[0] + (f"({size})" if size else "")).rsplit(" ", 1)[-1])
    return " ".join(spelt)


_FIELD = re.compile(r"(\? )?(\d+) ")


def test_statement_table_names_the_keys_of_the_code():
    for kind, name, rest in _rows("## 7. Statements"):
        fields = rest.split(" | ")[1]
        if kind == labels.STATEMENT_ACCEPT:
            continue  # told by its difference from OFFER
        found = {}
        for part in re.split(r", (?=\? \d|\d+ )", fields):
            match = _FIELD.match(part)
            if match:
                found[int(match.group(2))] = match.group(1) is None
        assert found == {key: needed for key, _, needed in statement.SHAPES[kind]}, name


def test_accept_differs_from_offer_as_the_table_says():
    offer = set(statement.SHAPES[labels.STATEMENT_OFFER])
    accept = set(statement.SHAPES[labels.STATEMENT_ACCEPT])
    assert offer - accept == {(11, 32, False)}
    assert accept - offer == {(13, 32, False)}


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("record, certificate", f"{labels.RECORD_SIZE_MAX:,} B"),
        ("statement", f"{labels.STATEMENT_SIZE_MAX} B"),
        ("nested arrays and maps", str(cbor.DEPTH_MAX)),
        ("probes", f"{blockbuilder.PROBE_COUNT_MAX}, numbered 0 to 3"),
        (
            "a reading's computed instant",
            f"within {blockbuilder.TOLERANCE_MS:,} ms of the real one",
        ),
        ("alarm profile", f"480 B, 1 to {profile.RULE_COUNT_MAX} rules, name 1 to 32 B"),
    ],
)
def test_limit_in_the_table_is_the_one_of_the_code(what, limit):
    assert f"| {what} | {limit} |" in _section("## 3. Limits")


@pytest.mark.parametrize(
    ("name", "key"), [("record/block_small", "input"), ("evidence/minimal", "evidence")]
)
def test_example_is_the_vector_it_names(name, key):
    block = re.search(rf"```hex {name}\n(.*?)```", TEXT, re.S).group(1)
    vector = json.loads((VECTORS / f"{name}.json").read_text())
    assert block.replace("\n", "") == vector[key]
    assert f"{len(vector[key]) // 2} bytes (vector `{name}`)" in TEXT


def test_example_is_taken_apart_as_the_text_says():
    source = bytes.fromhex(json.loads((VECTORS / "record/block_small.json").read_text())["input"])
    parsed = record.parse_record(source)
    assert parsed.runs == ((0, -2000, 1000, (-15012, -15010, -15011)),)
    assert parsed.utc == (1_795_000_060, 3, 2)
    assert len(parsed.payload) == 0x4D


def _schema() -> pycddl.Schema:
    return pycddl.Schema(re.search(r"```cddl\n(.*?)```", TEXT, re.S).group(1))


def _payloads(expected_ok: bool) -> list[tuple[dict, bytes]]:
    found = []
    for file in sorted((VECTORS / "record").glob("*.json")):
        vector = json.loads(file.read_text())
        if (vector["expect"] == "ok") == expected_ok:
            found.append((vector, bytes.fromhex(vector["input"])))
    return found


def test_every_valid_payload_matches_the_cddl():
    schema = _schema()
    for _, source in _payloads(True):
        schema.validate_cbor(record.parse_record(source).payload)


def test_the_cddl_refuses_what_it_can_tell():
    # Not among it: a negative number passes `uint .size` in this validator.
    schema = _schema()
    refused = 0
    for vector, source in _payloads(False):
        if vector["expect"] not in (
            "unknown key",
            "missing key",
            "unknown kind",
            "value out of range",
        ):
            continue
        if vector["name"].endswith("_negative"):
            continue
        payload = record.parse_envelope(source)[1]
        with pytest.raises(pycddl.ValidationError):
            schema.validate_cbor(payload)
        refused += 1
    assert refused > 12


def _reasons() -> set[tuple[str, str]]:
    return set(re.findall(r"^\| (R\d+) \| (.+) \|$", _section("### 9.1 Reasons"), re.M))


def test_every_reason_of_the_vectors_is_in_the_table():
    reasons = _reasons()
    words = {reason for _, reason in reasons}
    for suite in ("cbor", "record", "statement"):
        for file in (VECTORS / suite).glob("*.json"):
            assert json.loads(file.read_text())["expect"] in words | {"ok"}, file.name
    for file in (VECTORS / "evidence").glob("*.json"):
        vector = json.loads(file.read_text())
        known = (vector["rule"], vector["expect"]) in reasons
        # An item that is no CBOR at all breaks R1 in the words of R3.
        as_r3 = vector["rule"] == "R1" and ("R3", vector["expect"]) in reasons
        assert vector["expect"] == "ok" or known or as_r3, file.name


def test_every_reason_of_the_readers_is_in_the_table():
    words = {reason for _, reason in _reasons()}
    for module in (envelope, record, statement, events):
        for name, value in vars(module).items():
            is_reason = name.isupper() and isinstance(value, str) and " " in value
            assert not is_reason or value in words, f"{module.__name__}.{name}"


def test_rules_are_numbered_without_a_gap():
    numbers = re.findall(r"^- \*\*R(\d+) ", TEXT, re.M)
    assert [int(number) for number in numbers] == list(range(1, 22))
    assert {rule for rule, _ in _reasons()} == {f"R{number}" for number in range(1, 22)}


def test_alarm_module_names_the_same_kinds():
    assert all(str(kind) in alarm.__doc__ for kind in ("0, 1", "2, 3", "4, 5"))
