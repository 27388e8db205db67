# SPDX-License-Identifier: MIT
"""Whole evidence, right and wrong, one defect a file: rules R1 to R7 of record-format.md.

`rule` names the rule a verifier must name, `expect` its reason, `index` the item at which
it must stop (0 is the certificate). For "ok", `completeness` is the verdict of R21.
"""

from collections.abc import Callable, Iterator

from sealwire import cbor, labels, profile
from tests.vectors.chain import (
    COURIER,
    FLEET,
    FLEET_OLD,
    FLEET_PUB,
    NONCE,
    SERVICE,
    START_UTC_S,
    STRANGER,
    TAG,
    TAG_EPOCH_1,
    TAG_ES256,
    TAG_ES256_EPOCH_1,
    Chain,
    certificate,
    cose_sign1,
    service_certificate,
    sha256,
    signed_statement,
)

_CASES: list[tuple[str, Callable[[], dict[str, object]]]] = []


def case(
    rule: str, expect: str, index: int | None = None, completeness: str = "proved"
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Registers a function that makes evidence (or evidence and more fields)."""

    def register(make: Callable[[], object]) -> Callable[[], object]:
        def vector() -> dict[str, object]:
            made = make()
            evidence, more = made if isinstance(made, tuple) else (made, {})
            if isinstance(evidence, Chain):
                evidence = evidence.evidence()
            return {
                "name": make.__name__,
                "comment": make.__doc__,
                "rule": rule,
                "expect": expect,
                "index": index,
                "completeness": completeness if expect == "ok" else None,
                "fleet_pub": FLEET_PUB,
                "nonces": [NONCE.hex()],
                "known_head": None,
                "evidence": evidence.hex(),
                **more,
            }

        _CASES.append((make.__name__, vector))
        return make

    return register


def vectors() -> Iterator[dict[str, object]]:
    """All of them, as they are written."""
    for _, vector in _CASES:
        yield vector()


def three() -> Chain:
    """Three records of one boot: BOOT, readings, a lid event. Not attested."""
    chain = Chain()
    chain.add(events=[(labels.EVENT_BOOT, [1, "0.1.0"])], utc=None, after_ms=900)
    chain.add(samples=[[-15012], [-15010], [-15011]])
    chain.add(events=[(labels.EVENT_LID_OPEN, None)])
    return chain


def _attested() -> Chain:
    chain = three()
    chain.attest()
    return chain


_LID: list[tuple[int, object]] = [(labels.EVENT_LID_OPEN, None)]


# Right.


@case("", "ok")
def minimal() -> object:
    """Certificate, three records, an attestation for the verifier's nonce."""
    return _attested()


@case("", "ok")
def long_trip() -> object:
    """Trip, key epoch, handover, crash and reboot, trip end, every statement of a file."""
    chain = three()
    rules = profile.encode(profile.build("cryo", 60, [[1, 0, 0, -15000, 0, 100]]))
    chain.add(events=[(labels.EVENT_TRIP, {1: 7, 2: sha256(b"CoI"), 3: rules})])
    chain.roll(TAG_EPOCH_1, after_ms=1)
    chain.add(samples=[[-15012, -12000]] * 8)
    offer = {1: chain.tid, 2: len(chain.records) - 1, 3: chain.head_hash, 4: 7}
    offer |= {5: START_UTC_S + 240, 6: 60, 7: "Dock 4", 9: ["S-1"], 10: COURIER.public, 12: 0}
    signed = signed_statement(COURIER, labels.STATEMENT_OFFER, offer)
    chain.add(events=[(labels.EVENT_OFFER, [1, sha256(COURIER.public)[:8], signed])])
    crashed = {"kind": labels.KIND_CRASH_BLOCK, "sealed_by_boot": 2, "utc": None}
    chain.add(samples=[[-15001, -12000]], **crashed)  # type: ignore[arg-type]
    chain.up_ms = 0
    chain.add(boot=2, events=[(labels.EVENT_BOOT, [4, "0.1.0"])], utc=(START_UTC_S, 0, None))
    chain.add(events=[(labels.EVENT_TRIP_END, [7])], utc=(START_UTC_S + 600, 3, 2))
    chain.add(labels.KIND_CHECKPOINT, nonce=NONCE, utc=(START_UTC_S + 660, 3, 2))
    receipt = {1: chain.tid, 2: 1, 3: sha256(chain.records[1]), 4: (START_UTC_S + 200) * 1000}
    token = {1: chain.tid, 2: bytes(16), 3: START_UTC_S * 1000, 4: 500}
    person = {1: COURIER.public, 2: 2, 3: "Courier 7", 4: 1_790_000_000, 5: 1_830_000_000, 6: 1}
    chain.statements = [
        service_certificate(),
        signed_statement(SERVICE, labels.STATEMENT_TIME, token, SERVICE.kid),
        signed_statement(SERVICE, labels.STATEMENT_RECEIPT, receipt, SERVICE.kid),
        signed_statement(SERVICE, labels.STATEMENT_PERSON, person, SERVICE.kid),
    ]
    chain.attest()
    return chain


@case("", "ok")
def secure_element() -> object:
    """A tag that signs with ES256 and a P-256 key."""
    chain = Chain(key=TAG_ES256, certificate=certificate(TAG_ES256))
    chain.add(events=_LID)
    chain.attest()
    return chain


@case("", "ok")
def secure_element_roll() -> object:
    """The same, with a second epoch: NEXT_KEY is a compressed point of 33 bytes."""
    chain = Chain(key=TAG_ES256, certificate=certificate(TAG_ES256))
    chain.add(events=_LID)
    chain.roll(TAG_ES256_EPOCH_1)
    chain.add(events=_LID)
    chain.attest()
    return chain


@case("", "ok")
def alg_ed25519_for_ed25519_key() -> object:
    """-19 names the same algorithm for the same key."""
    chain = Chain()
    chain.add(events=_LID)
    payload = cbor.decode(b"\x84" + chain.records[0][2:])
    assert isinstance(payload, list)
    chain.records[0] = cose_sign1(TAG, payload[2], b"\xa1\x01\x32")
    chain.attest()
    return chain


@case("", "ok", completeness="unproved")
def unsigned_after_signed() -> object:
    """The key was lost: unsigned blocks follow, chained and unproven."""
    chain = three()
    chain.add(labels.KIND_UNSIGNED, samples=[[-15000]])
    chain.add(labels.KIND_UNSIGNED, samples=[[-15001]])
    return chain


@case("", "ok", completeness="unproved")
def ended() -> object:
    """Kind 5 closes the chain."""
    chain = three()
    chain.add(labels.KIND_END, events=[(labels.EVENT_TRIP_END, [7])])
    return chain


@case("", "ok", completeness="unproved")
def certificate_alone() -> object:
    """A tag that has recorded nothing yet."""
    return Chain()


# R1: the sequence.


@case("R1", "evidence empty", 0)
def r1_empty() -> object:
    """Not a byte."""
    return b""


@case("R1", "evidence cut", 3)
def r1_cut() -> object:
    """The last record lacks its last byte."""
    return three().evidence()[:-1]


@case("R1", "certificate missing", 0)
def r1_no_certificate() -> object:
    """Begins with a record."""
    return b"".join(three().records)


@case("R1", "record after a statement", 5)
def r1_record_after_statement() -> object:
    """Records come before statements."""
    chain = _attested()
    chain.statements.append(chain.add(events=_LID))
    chain.records.pop()
    return chain


@case("R1", "item too long", 2)
def r1_item_too_long() -> object:
    """1,025 bytes in one item."""
    chain = three()
    return chain.certificate + chain.records[0] + b"\x59\x03\xfe" + bytes(1022)


@case("R1", "indefinite length", 2)
def r1_indefinite() -> object:
    """An item whose end cannot be known from its head."""
    chain = three()
    return chain.certificate + chain.records[0] + b"\x9f\xff"


# R2 to R4: one of each; all of them are in ../record.


@case("R2", "unprotected header not empty", 2)
def r2_unprotected() -> object:
    """A header nobody signed."""
    chain = three()
    old = chain.records[1]
    chain.records[1] = old[:6] + b"\xa1\x01\x27" + old[7:]
    return chain


@case("R2", "not a COSE_Sign1", 2)
def r2_not_cose() -> object:
    """A lone integer between the records."""
    chain = three()
    chain.records[1] = b"\x00"
    return chain


@case("R3", "map keys not sorted", 1)
def r3_not_deterministic() -> object:
    """Signed by the right key all the same."""
    chain = Chain()
    chain.add(events=_LID)
    envelope = cbor.decode(b"\x84" + chain.records[0][2:])
    assert isinstance(envelope, list)
    payload = envelope[2]
    chain.records[0] = cose_sign1(TAG, payload[:1] + payload[3:5] + payload[1:3] + payload[5:])
    return chain


@case("R4", "unknown kind", 2)
def r4_unknown_kind() -> object:
    """Kind 7, signed by the right key."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(events=_LID, changes={0: 7})
    return chain


@case("R4", "deltas malformed", 1)
def r4_deltas() -> object:
    """Two readings announced, three there."""
    chain = Chain()
    chain.add(events=_LID, changes={5: [[0, -1000, 1000, 2, 5, b"\x00\x00"]]})
    return chain


# R5, R6: the certificate.


def _certified(made: bytes, key: object = TAG) -> Chain:
    chain = Chain(certificate=made, key=key)  # type: ignore[arg-type]
    chain.add(events=_LID)
    return chain


@case("R5", "certificate malformed", 0)
def r5_without_key() -> object:
    """No cnf claim."""
    return _certified(certificate(cnf=None))


@case("R5", "certificate malformed", 0)
def r5_unknown_claim_value() -> object:
    """The subject is not a text."""
    return _certified(certificate(sub=b"ST-0001"))


@case("R5", "certificate malformed", 0)
def r5_unknown_curve() -> object:
    """X25519 is no signature key."""
    return _certified(certificate(cnf={1: {1: 1, -1: 4, -2: bytes(32)}}))


@case("R5", "certificate malformed", 0)
def r5_p256_off_the_curve() -> object:
    """One bit of y, not its last: the compressed point would be the same."""
    y = bytearray(TAG_ES256.cose_key[-3])  # type: ignore[call-overload]
    y[31] ^= 2
    return _certified(certificate(cnf={1: {**TAG_ES256.cose_key, -3: bytes(y)}}), TAG_ES256)


@case("R5", "certificate malformed", 0)
def r5_p256_without_y() -> object:
    """Only x."""
    key = {name: value for name, value in TAG_ES256.cose_key.items() if name != -3}
    return _certified(certificate(cnf={1: key}), TAG_ES256)


@case("R3", "float or simple value not allowed", 0)
def r3_p256_sign_bit() -> object:
    """y as true or false, which RFC 9053 section 7.1.1 knows and this format does not."""
    claims = {2: "ST-0001", 6: 1_790_000_000, 8: {1: {**TAG_ES256.cose_key, -3: 0}}}
    claims |= {-70001: "virtual", -70002: "0.1.0"}  # type: ignore[dict-item]
    payload = cbor.encode(claims)
    at = payload.index(b"\x22\x00")  # key -3, value 0
    payload = payload[: at + 1] + b"\xf5" + payload[at + 2 :]
    return _certified(cose_sign1(FLEET, payload), TAG_ES256)


@case("R5", "certificate malformed", 0)
def r5_unknown_claim() -> object:
    """Claim 1 (iss) is not in the table."""
    claims = {1: "x", 2: "ST-0001", 6: 1_790_000_000, 8: {1: TAG.cose_key}}
    claims |= {-70001: "virtual", -70002: "0.1.0"}  # type: ignore[dict-item]
    return _certified(cose_sign1(FLEET, cbor.encode(claims)))


@case("R6", "certificate signature wrong", 0)
def r6_stranger() -> object:
    """Signed by a key that is not in fleet.pub."""
    return _certified(certificate(fleet=STRANGER))


@case("R6", "certificate signature wrong", 0)
def r6_flipped_bit() -> object:
    """One bit of the certificate's signature."""
    made = certificate()
    return _certified(made[:-1] + bytes([made[-1] ^ 1]))


@case("R6", "fleet key not in force", 0)
def r6_retired_key() -> object:
    """Signed in 2026 by a fleet key whose last day was 2025-12-31."""
    return _certified(certificate(fleet=FLEET_OLD))


@case("", "ok", completeness="unproved")
def r6_retired_key_in_its_time() -> object:
    """The same key, in 2025."""
    return _certified(certificate(fleet=FLEET_OLD, issued_at_s=1_760_000_000))


# R7: the algorithm.


@case("R7", "algorithm does not fit the key", 1)
def r7_es256_named_for_ed25519() -> object:
    """The record says -7, the enrolled key is Ed25519."""
    chain = Chain()
    chain.add(events=_LID, protected=b"\xa1\x01\x26")
    return chain


@case("R7", "algorithm does not fit the key", 1)
def r7_eddsa_named_for_p256() -> object:
    """The record says -8, the enrolled key is P-256."""
    chain = Chain(certificate=certificate(TAG_ES256))
    chain.add(events=_LID)
    return chain
