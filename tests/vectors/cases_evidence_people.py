# SPDX-License-Identifier: MIT
"""Whole evidence: who signed handovers, fleet rotation, what the trust store knows.

Two more fields. `stored`: statements of the verifier's trust store, hex, in its order.
`custody`: [verdict, giver, receiver, whether all keys are known] of every handover.
"""

from sealwire import labels
from tests.vectors.cases_evidence import case, three
from tests.vectors.chain import (
    COURIER,
    FLEET,
    FLEET_OLD,
    ISSUED_AT_S,
    SERVICE,
    START_UTC_S,
    Chain,
    Ed25519Key,
    service_certificate,
    sha256,
    signed_statement,
)

_LAB = Ed25519Key("lab")
_SERVICE_2 = Ed25519Key("service 2")
_FLEET_NEXT = Ed25519Key("fleet, next")


def _custody(chain: Chain, kind: int, key: Ed25519Key, offer: bytes | None = None) -> bytes:
    fields: dict[int, object] = {1: chain.tid, 2: len(chain.records) - 1, 3: chain.head_hash}
    fields |= {4: 7, 5: START_UTC_S, 6: 60, 7: "Dock 2", 9: ["S-1"], 10: key.public, 12: 0}
    if offer is not None:
        fields[13] = sha256(offer)
    return signed_statement(key, kind, fields)


def _handed_over() -> Chain:
    """Three records, then the lab gives and the courier takes; both say START_UTC_S."""
    chain = three()
    offer = _custody(chain, labels.STATEMENT_OFFER, _LAB)
    chain.add(events=[(labels.EVENT_OFFER, [1, bytes(8), offer])])
    accept = _custody(chain, labels.STATEMENT_ACCEPT, COURIER, offer)
    chain.add(events=[(labels.EVENT_ACCEPT, [2, bytes(8), accept])])
    return chain


def _person(
    key: Ed25519Key,
    name: str,
    *,
    by: Ed25519Key = SERVICE,
    nbf_s: int = ISSUED_AT_S,
    exp_s: int = START_UTC_S + 1000,
    number: int = 1,
) -> bytes:
    fields: dict[int, object] = {1: key.public, 2: 2, 3: name, 4: nbf_s, 5: exp_s, 6: number}
    return signed_statement(by, labels.STATEMENT_PERSON, fields, by.kid)


def _certificate(
    key: Ed25519Key, number: int, floor: int, nbf_s: int = ISSUED_AT_S, usage: int = 15
) -> bytes:
    fields: dict[int, object] = {1: key.public, 2: nbf_s, 3: 1_830_000_000, 4: usage}
    return signed_statement(FLEET, labels.STATEMENT_SERVICE, {**fields, 5: number, 6: floor})


def _told(chain: Chain, *statements: bytes) -> Chain:
    chain.statements = list(statements)
    return chain


def _names(*steps: tuple[str, str, bool]) -> dict[str, object]:
    return {"custody": [["handed over", *step] for step in steps]}


_UNKNOWN_LAB = "key " + sha256(_LAB.public).hex()[:16]
_UNKNOWN_COURIER = "key " + sha256(COURIER.public).hex()[:16]


@case("", "ok", completeness="unproved")
def person_named() -> object:
    """Both signers are registered by a service key with usage 8."""
    people = _person(_LAB, "Cell lab"), _person(COURIER, "Ann", number=2)
    chain = _told(_handed_over(), service_certificate(), *people)
    return chain, _names(("Cell lab", "Ann", True))


@case("", "ok", completeness="unproved")
def person_of_one_side_only() -> object:
    """One key is unknown: shown by its fingerprint, never refused."""
    chain = _told(_handed_over(), service_certificate(), _person(COURIER, "Ann"))
    return chain, _names((_UNKNOWN_LAB, "Ann", False))


@case("", "ok", completeness="unproved")
def person_expired() -> object:
    """The registration ended one second before the time that the statement claims."""
    chain = _told(
        _handed_over(), service_certificate(), _person(COURIER, "Ann", exp_s=START_UTC_S - 1)
    )
    return chain, _names((_UNKNOWN_LAB, _UNKNOWN_COURIER, False))


@case("", "ok", completeness="unproved")
def person_not_yet_valid() -> object:
    """It begins one second after that time."""
    chain = _told(
        _handed_over(), service_certificate(), _person(COURIER, "Ann", nbf_s=START_UTC_S + 1)
    )
    return chain, _names((_UNKNOWN_LAB, _UNKNOWN_COURIER, False))


@case("", "ok", completeness="unproved")
def person_by_a_withdrawn_service_key() -> object:
    """A newer certificate's floor is above the number of the key that registered."""
    chain = _told(
        _handed_over(),
        service_certificate(),
        _person(COURIER, "Ann"),
        _certificate(_SERVICE_2, number=2, floor=2),
    )
    return chain, _names((_UNKNOWN_LAB, _UNKNOWN_COURIER, False))


@case("", "ok", completeness="unproved")
def person_withdrawn_by_the_trust_store() -> object:
    """The file does not know of the withdrawal; the verifier does."""
    chain = _told(_handed_over(), service_certificate(), _person(COURIER, "Ann"))
    newer = _certificate(_SERVICE_2, number=2, floor=2)
    names = _names((_UNKNOWN_LAB, _UNKNOWN_COURIER, False))
    return chain, {"stored": [newer.hex()], **names}


@case("", "ok", completeness="unproved")
def person_by_a_rotated_service_key() -> object:
    """A newer key, the floor unchanged: what the older one registered stands."""
    chain = _told(
        _handed_over(),
        service_certificate(),
        _certificate(_SERVICE_2, number=2, floor=1),
        _person(COURIER, "Ann"),
        _person(_LAB, "Cell lab", by=_SERVICE_2),
    )
    return chain, _names(("Cell lab", "Ann", True))


@case("", "ok", completeness="unproved")
def service_key_certified_again() -> object:
    """Two certificates of one key: the term of either is good for what it covers."""
    chain = _told(
        _handed_over(),
        service_certificate(),
        _certificate(SERVICE, number=2, floor=1, nbf_s=START_UTC_S + 500),
        _person(COURIER, "Ann"),
    )
    return chain, _names((_UNKNOWN_LAB, "Ann", False))


@case("", "ok", completeness="unproved")
def person_registered_twice() -> object:
    """The higher number counts, wherever it stands."""
    people = _person(COURIER, "Anne", number=2), _person(COURIER, "Ann")
    chain = _told(_handed_over(), service_certificate(), *people)
    return chain, _names((_UNKNOWN_LAB, "Anne", False))


@case("", "ok", completeness="unproved")
def person_known_to_the_trust_store() -> object:
    """Nothing in the file; this verifier knows the courier."""
    stored = service_certificate(), _person(COURIER, "Ann")
    names = _names((_UNKNOWN_LAB, "Ann", False))
    return _handed_over(), {"stored": [one.hex() for one in stored], **names}


@case("R18", "service key unknown", 6)
def r18_person_without_certificate() -> object:
    """Nobody certified the key that registered."""
    return _told(_handed_over(), _person(COURIER, "Ann"))


@case("R18", "service key not entitled", 7)
def r18_person_usage() -> object:
    """The key may sign tokens, receipts and orders, and register nobody."""
    return _told(_handed_over(), service_certificate(usage=7), _person(COURIER, "Ann"))


@case("R18", "service certificate not in force", 7)
def r18_person_before_the_term() -> object:
    """A service key cannot vouch for the time before it was certified."""
    person = _person(COURIER, "Ann", nbf_s=ISSUED_AT_S - 1)
    return _told(_handed_over(), service_certificate(), person)


@case("R18", "statement signature wrong", 7)
def r18_person_by_stranger() -> object:
    """The right kid, another key."""
    fields: dict[int, object] = {1: COURIER.public, 2: 2, 3: "Ann", 4: ISSUED_AT_S}
    fields |= {5: START_UTC_S + 1000, 6: 1}
    forged = signed_statement(COURIER, labels.STATEMENT_PERSON, fields, SERVICE.kid)
    return _told(_handed_over(), service_certificate(), forged)


@case("R18", "fleet key not in force", 6)
def r18_service_certificate_by_retired_key() -> object:
    """A fleet key certifies nothing that begins after its last day."""
    fields: dict[int, object] = {1: SERVICE.public, 2: ISSUED_AT_S, 3: 1_830_000_000, 4: 15}
    made = signed_statement(FLEET_OLD, labels.STATEMENT_SERVICE, {**fields, 5: 1, 6: 1})
    return _told(_handed_over(), made)


@case("", "ok", completeness="unproved")
def fleet_successor() -> object:
    """The new fleet key speaks for itself and names the hash of the next."""
    fields: dict[int, object] = {1: _FLEET_NEXT.public, 2: sha256(b"the one after that")}
    return _told(three(), signed_statement(_FLEET_NEXT, labels.STATEMENT_FLEET, fields))


@case("R18", "statement signature wrong", 4)
def r18_fleet_successor_by_the_key_in_use() -> object:
    """Who stole the fleet key cannot name its successor."""
    fields: dict[int, object] = {1: _FLEET_NEXT.public, 2: bytes(32)}
    return _told(three(), signed_statement(FLEET, labels.STATEMENT_FLEET, fields))


def _revocation(chain: Chain, last_seq: int, record_hash: bytes | None = None) -> str:
    fields = {1: chain.tid, 2: last_seq, 3: record_hash or sha256(chain.records[last_seq])}
    fields |= {4: START_UTC_S * 1000, 5: "tag stolen", 6: 1}
    return signed_statement(FLEET, labels.STATEMENT_REVOCATION, fields).hex()


@case("R20", "record beyond the revocation", 3)
def r20_known_to_the_trust_store() -> object:
    """Whoever hands on the file leaves the revocation out; this verifier has it."""
    chain = three()
    return chain, {"stored": [_revocation(chain, 1)]}


@case("", "ok", completeness="unproved")
def r20_known_and_nothing_beyond() -> object:
    """Records up to the last trusted one stay good."""
    chain = three()
    return chain, {"stored": [_revocation(chain, 2)]}


@case("", "ok", completeness="stale")
def r21_ends_before_the_last_trusted() -> object:
    """A fork under the stolen key, attested as complete, that stops short of the revocation."""
    chain = three()
    chain.attest()
    return chain, {"stored": [_revocation(chain, 5, bytes(32))]}


@case("", "ok")
def r21_of_two_revocations_the_earlier_one_ends_the_log() -> object:
    """The later record is not to be believed; nothing is missing without it."""
    chain = three()
    chain.attest()
    return chain, {"stored": [_revocation(chain, 5, bytes(32)), _revocation(chain, 2)]}


@case("R19", "revocation contradicts the records", 2)
def r19_known_revocation_fork() -> object:
    """The fleet trusted another record 1 of this tag."""
    chain = three()
    return chain, {"stored": [_revocation(chain, 1, bytes(32))]}
