# SPDX-License-Identifier: MIT
"""Every command with every role, against the firmware's session; the table is the document's."""

import re

import pytest

from sealwire import protocol
from tests.fakes.access_parts import PlainVisitor, TagParts, make_ticket
from tests.unit.test_access_docs import ACCESS, rows, section

_ROLE_ROW = re.compile(r"^\| (\d) \| ([A-Z]+) \| ((?:[A-Z_]+ ?)+) \|", re.M)
ROLES = {
    (int(number), name): set(allowed.split())
    for number, name, allowed in _ROLE_ROW.findall(section(ACCESS, "Ticket"))
}
COMMANDS = {
    (int(number), name): scope.split(",")[0]
    for number, name, _, scope, _ in rows(section(ACCESS, "Commands"))
}
CASES = [
    pytest.param(role, op, scope, scope == "-" or scope in allowed, id=f"{name}-{command}")
    for (role, name), allowed in ROLES.items()
    for (op, command), scope in COMMANDS.items()
]


def bit(scope: str) -> int:
    return 0 if scope == "-" else getattr(protocol, f"SCOPE_{scope}")


def code_of(role: int, op: int, scope: int) -> int | None:
    """What the tag answers to *op*, without arguments; None where there is no answer."""
    tag = TagParts()
    tag.set_clock()
    visitor = PlainVisitor(tag.session(), make_ticket(role=role, scope=scope))
    assert visitor.connect() == protocol.OK
    answer = visitor.command(op)
    return None if answer is None else answer[0]


def test_the_matrix_is_whole():
    assert len(ROLES) == 5
    assert len(CASES) == 5 * len(COMMANDS)
    assert {op for op, _ in COMMANDS} == set(protocol.OP_SCOPE)


@pytest.mark.parametrize(("role", "op", "scope", "is_allowed"), CASES)
def test_a_role_may_what_its_row_says_though_its_ticket_claims_all(role, op, scope, is_allowed):
    code = code_of(role, op, protocol.SCOPE_ALL)
    if op != protocol.ACK:  # has no answer, whatever it is worth
        assert (code != protocol.NO_SCOPE) == is_allowed


@pytest.mark.parametrize(("role", "op", "scope", "is_allowed"), CASES)
def test_a_ticket_without_the_bit_may_not_whatever_its_role(role, op, scope, is_allowed):
    code = code_of(role, op, protocol.SCOPE_ALL & ~bit(scope))
    if op != protocol.ACK:
        assert (code == protocol.NO_SCOPE) == (scope != "-")


@pytest.mark.parametrize("role", [role for role, _ in ROLES])
def test_an_ack_without_the_bit_gives_no_credit(role):
    tag = TagParts()
    tag.set_clock()
    scope = protocol.SCOPE_ALL & ~protocol.SCOPE_SYNC
    visitor = PlainVisitor(tag.session(), make_ticket(role=role, scope=scope))
    visitor.connect()
    assert visitor.command(protocol.ACK, bytes(4) + b"\x00\x40") is None
    assert visitor.stream() == b""
