# SPDX-License-Identifier: MIT
"""sealtrail.evidence.custody_chain: every way a handover can go has its verdict."""

import hashlib

import pytest

from sealtrail.evidence.custody_chain import CustodyJudge
from sealtrail.evidence.statements import read_statement
from sealtrail.model import CustodyStep, Event
from sealwire import statement
from sealwire.envelope import sig_structure_parts
from tests.vectors.chain import SERVICE, Ed25519Key

TID = b"tag-id-8"
HASHES = [hashlib.sha256(bytes((n,))).digest() for n in range(40)]
SITE, ANN, BOB = (Ed25519Key(name) for name in ("site", "ann", "bob"))


def signed(key: Ed25519Key, kind: int, fields: dict, signer: Ed25519Key | None = None) -> bytes:
    payload = statement.statement_payload(kind, fields)
    parts = sig_structure_parts(statement.protected_of(), payload)
    message = b"".join(map(bytes, parts))
    return statement.statement(payload, (signer or key).sign(message))


def fields(key: Ed25519Key, seq: int, **changes: object) -> dict:
    base = {1: TID, 2: seq, 3: HASHES[seq], 4: 1, 5: 1_795_000_000, 6: 60, 7: "Dock 2"}
    base |= {9: ["S-1"], 10: key.public, 12: 0}
    return base | {int(k[1:]): v for k, v in changes.items()}


def offer(key: Ed25519Key, seq: int, **changes: object) -> tuple[int, bytes]:
    return 41, signed(key, 20, fields(key, seq, **changes))


def accept(key: Ed25519Key, seq: int, of: tuple[int, bytes] | None, **changes: object) -> tuple:
    named = {} if of is None else {"k13": hashlib.sha256(of[1]).digest()}
    return 42, signed(key, 22, fields(key, seq, **named, **changes))


def judged(*events: tuple[int, bytes], persons: tuple[bytes, ...] = ()) -> list[CustodyStep]:
    told = [
        Event(code, 1, 0, None, [1, b"holder00", content], seq=10 + n)
        for n, (code, content) in enumerate(events)
    ]
    registered = [read_statement(one) for one in persons]
    return list(CustodyJudge(TID, HASHES, registered).judge(told))


def verdicts(*events: tuple[int, bytes]) -> list[str]:
    return [step.verdict for step in judged(*events)]


def test_offer_and_accept_with_equal_seals_is_handed_over():
    first = offer(SITE, 5)
    (step,) = judged(first, accept(ANN, 6, first))
    assert step.verdict == "handed over"
    assert step.place == "Dock 2" and step.seals == ("S-1",)
    assert not step.key_known


def test_a_registered_person_is_shown_by_name():
    def person(key: Ed25519Key, name: str) -> bytes:
        payload = statement.statement_payload(
            25, {1: key.public, 2: 2, 3: name, 4: 1_794_000_000, 5: 1_796_000_000, 6: 1}
        )
        protected = statement.protected_of(SERVICE.kid)
        message = b"".join(map(bytes, sig_structure_parts(protected, payload)))
        return statement.statement(payload, SERVICE.sign(message), SERVICE.kid)

    first = offer(SITE, 5)
    persons = (person(SITE, "Cell lab"), person(ANN, "Ann"))
    (step,) = judged(first, accept(ANN, 6, first), persons=persons)
    assert (step.giver, step.receiver, step.key_known) == ("Cell lab", "Ann", True)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [({"k9": ["S-2"]}, "seals differ"), ({}, "handed over")],
)
def test_other_seals_are_named(change: dict, verdict: str):
    first = offer(SITE, 5)
    assert verdicts(first, accept(ANN, 6, first, **change)) == [verdict]


def test_accepted_by_another_than_named():
    first = offer(SITE, 5, k11=BOB.public)
    assert verdicts(first, accept(ANN, 6, first)) == ["accepted by another than named"]


def test_an_offer_nobody_accepts_leaves_custody_with_the_giver():
    assert verdicts(offer(SITE, 5)) == ["offer not accepted"]
    assert verdicts(offer(SITE, 5), offer(SITE, 6)) == ["offer not accepted"] * 2


def test_taken_without_giver_is_recorded_and_custody_moves():
    first = offer(ANN, 7)
    events = [accept(ANN, 6, None), first, accept(BOB, 8, first)]
    assert verdicts(*events) == ["taken without giver", "handed over"]


def test_only_the_holder_can_offer():
    first = offer(SITE, 5)
    events = [first, accept(ANN, 6, first), offer(BOB, 7)]
    assert verdicts(*events) == ["handed over", "offered by another than the holder"]


def test_a_statement_of_another_key_tag_or_branch_does_not_hold():
    forged = 41, signed(SITE, 20, fields(SITE, 5), signer=BOB)
    foreign = offer(SITE, 5, k1=b"tag-id-9")
    branch = offer(SITE, 5, k3=bytes(32))
    future = offer(SITE, 30)
    for event in (forged, foreign, branch, future, (41, b"\xd2\x84")):
        assert verdicts(event) == ["bad signature"]
