# SPDX-License-Identifier: MIT
"""docs/access-protocol.md and docs/sync-protocol.md say what the code does."""

import json
import re

import pytest

from sealwire import access, frames, protocol, sync
from tests.paths import REPO
from tests.vectors.access import make_session_example

ACCESS = (REPO / "docs" / "access-protocol.md").read_text()
SYNC = (REPO / "docs" / "sync-protocol.md").read_text()
EXAMPLE = json.loads((REPO / "tests/vectors/access/session_example.json").read_text())


def section(text: str, title: str) -> str:
    """The part of a document below the heading that ends with *title*."""
    found = re.search(rf"^#+ [\d.]+ {re.escape(title)}$(.*?)(?=^#)", text, re.M | re.S)
    assert found, title
    return found.group(1)


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


def number_of(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


@pytest.mark.parametrize("document", [ACCESS, SYNC], ids=["access", "sync"])
def test_every_limit_is_the_constant_it_names(document):
    limits = rows(section(document, "Limits"))
    assert len(limits) >= 12
    for _, value, name in limits:
        assert getattr(protocol, name) == int(value.split()[0]), name


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Commands", protocol.OP_NAMES.split()),
        ("Failure codes", protocol.CODE_NAMES.split()),
        ("Messages", ["HELLO", "CHALLENGE", "PROOF", "REFUSE", "COMMAND", "REPLY", "BULK"]),
    ],
)
def test_the_table_has_every_number_of_the_code_and_no_other(title, names):
    told = {row[1]: number_of(row[0]) for row in rows(section(ACCESS, title))}
    assert told == {name: getattr(protocol, name) for name in names}


def test_each_commands_scope_is_the_codes():
    for number, _, _, scope, _ in rows(section(ACCESS, "Commands")):
        name = scope.split(",")[0]
        expected = 0 if name == "-" else getattr(protocol, f"SCOPE_{name}")
        assert protocol.OP_SCOPE[int(number)] == expected
        assert (int(number) in protocol.NEEDS_SURE_CLOCK) == ("clock sure" in scope)


def test_each_command_of_this_version_is_carried_out_and_each_later_one_is_not():
    from tests.fakes.access_parts import TagParts

    carried_out = set(TagParts().session()._commands)
    told = {int(row[0]) for row in rows(section(ACCESS, "Commands")) if row[4] == "yes"}
    assert carried_out == told


def test_scope_bits_and_roles_are_the_codes():
    tables = section(ACCESS, "Ticket")
    scopes = dict(re.findall(r"^\| (\d+) \| ([A-Z_]+) \| [a-z]", tables, re.M))
    assert {name: 1 << int(bit) for bit, name in scopes.items()} == {
        name[6:]: value
        for name, value in vars(protocol).items()
        if name.startswith("SCOPE_") and name != "SCOPE_ALL"
    }
    roles = re.findall(r"^\| (\d) \| ([A-Z]+) \| ((?:[A-Z_]+ ?)+) \|", tables, re.M)
    assert len(roles) == 5
    for number, name, allowed in roles:
        assert getattr(protocol, name) == int(number)
        bits = sum(getattr(protocol, f"SCOPE_{scope}") for scope in allowed.split())
        assert protocol.ROLE_SCOPE[int(number)] == bits


def test_uuids_are_the_codes():
    for name, uuid, _ in rows(section(ACCESS, "GATT")):
        assert getattr(protocol, f"{name.upper()}_UUID") == uuid


def test_the_example_is_made_by_its_generator_and_quoted_whole():
    assert make_session_example.example() == EXAMPLE
    quoted = dict(re.findall(r"```hex (\w+)\n(.*?)```", ACCESS, re.S))
    assert len(quoted) == 8
    for name, text in quoted.items():
        assert "".join(text.split()) == EXAMPLE[name], name


def test_sealwire_makes_the_examples_bytes():
    made = {name: bytes.fromhex(text) for name, text in EXAMPLE.items()}
    assert access.ticket_key(made["access_key"], made["ticket"]) == made["ticket_key"]
    assert access.visit_key(made["access_key"], 0) == made["visit_key"]
    assert access.pack_ticket(access.parse_ticket(made["ticket"])) == made["ticket"]
    visit = access.Hmac(made["visit_key"])
    nonce = make_session_example.VISITOR_NONCE
    assert access.pack_hello(visit, nonce, made["ticket"]) == made["hello"]
    tag_nonce = access.challenge_nonce(
        access.Hmac(made["access_key"]), 7, 1, make_session_example.TAG_RANDOM
    )
    keys = access.open_challenge(made["ticket_key"], made["hello"], made["challenge"])
    assert access.pack_challenge(tag_nonce, keys) == made["challenge"]
    assert access.pack_proof(keys) == made["proof"]
    visitor = frames.Sealer(keys.mac_visitor, keys.enc_visitor)
    tag = frames.Sealer(keys.mac_tag, keys.enc_tag)
    ready = access.parse_ready(tag.open(protocol.REPLY, made["ready"])[1])
    assert (ready.head_seq, ready.scope, ready.is_sure) == (41, 0xFF, True)
    sync_args = sync.pack_sync(40, 64)
    assert visitor.seal(protocol.COMMAND, 2, bytes([protocol.SYNC]) + sync_args) == made["sync"]
    ack_args = sync.pack_sync(42, 64)
    assert visitor.seal(protocol.COMMAND, 3, bytes([protocol.ACK]) + ack_args) == made["ack"]
    assert tag.seal_bulk(0, b"record bytes") == made["bulk"]


@pytest.mark.parametrize(("title", "table"), [("Tag", sync.TAG_TABLE), ("Host", sync.HOST_TABLE)])
def test_the_state_tables_are_the_codes(title, table):
    told: dict[str, dict[str, str]] = {}
    for state, event, following in rows(section(SYNC, title)):
        told.setdefault(state, {})[event] = following
    assert told == {state: events for state, events in table.items() if events}


def test_every_reason_of_a_failed_sync_is_explained():
    source = (REPO / "firmware/sealwire/sync.py").read_text()
    raised = set(re.findall(r'(?:_fail|_refetch|SyncError)\("(\w+)"', source))
    raised |= set(re.findall(r'(?:return|reason =) "(\w+)"', source))
    assert raised == {row[0] for row in rows(section(SYNC, "Errors"))}
