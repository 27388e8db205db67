# SPDX-License-Identifier: MIT
"""Statements, judged by form alone. {name: (comment, bytes, expect)}."""

from sealwire import cbor
from tests.vectors.chain import (
    COURIER,
    FLEET,
    SERVICE,
    TAG,
    TAG_ES256,
    Ed25519Key,
    cose_sign1,
    signed_statement,
)

_T = bytes(range(8))
_H = bytes(32)
_P = bytes(range(32))
_TIME = {1: _T, 3: 1_795_000_000_000, 4: 500}
_OFFER = {1: _T, 2: 4, 3: _H, 4: 4711, 5: 1_795_004_000, 6: 60, 7: "Dock 4", 9: ["S-1"]}
_ATTEST = {1: _T, 2: 9, 3: _H, 4: bytes(16), 5: [1, 5], 6: [1, 2], 7: 0}
_REVOKE = {1: _T, 2: 9, 3: _H, 4: 1_795_000_000_000, 5: "tag stolen", 6: 1}
_PERSON = {1: _P, 2: 2, 3: "Courier 7", 4: 1_790_000_000, 5: 1_830_000_000, 6: 1}
_FIELDS: dict[int, tuple[str, Ed25519Key, dict[int, object]]] = {
    16: ("time", SERVICE, {**_TIME, 2: bytes(16)}),
    17: ("receipt", SERVICE, {1: _T, 2: 9, 3: _H, 4: 1_795_000_000_000}),
    18: ("order", SERVICE, {1: _T, 2: 9, 3: 1}),
    19: ("service", FLEET, {1: _P, 2: 1, 3: 2, 4: 15, 5: 1, 6: 1}),
    20: ("offer", COURIER, {**_OFFER, 10: _P, 11: _P, 12: 0}),
    21: ("fleet", FLEET, {1: _P, 2: _H}),
    22: ("accept", COURIER, {**_OFFER, 10: _P, 12: 0, 13: _H}),
    23: ("attest", TAG, _ATTEST),
    24: ("revocation", FLEET, _REVOKE),
    25: ("person", SERVICE, _PERSON),
}
_BY_SERVICE = (16, 17, 18, 25)


def _make(kind: int, **changes: object) -> bytes:
    """*changes*: k4=value; None leaves the key out."""
    _, key, fields = _FIELDS[kind]
    fields = {**fields, **{int(name[1:]): value for name, value in changes.items()}}
    fields = {number: value for number, value in fields.items() if value is not None}
    return signed_statement(key, kind, fields, key.kid if kind in _BY_SERVICE else None)


def cases() -> dict[str, tuple[str, bytes, str]]:
    """All of them."""
    range_ = "value out of range"
    header_ = "protected header not allowed"
    good = {
        f"{name}_ok": (f"Statement {kind}.", _make(kind), "ok")
        for kind, (name, _, _) in _FIELDS.items()
    }
    return {
        **good,
        "time_without_nonce": ("A lower bound only.", _make(16, k2=None), "ok"),
        "attest_es256": (
            "A tag with a secure element.",
            cose_sign1(TAG_ES256, cbor.encode({0: 23, **_ATTEST})),
            "ok",
        ),
        "offer_es256": (
            "People have Ed25519 keys.",
            cose_sign1(TAG_ES256, cbor.encode({0: 20, **_FIELDS[20][2]})),
            header_,
        ),
        "attest_no_upper_bound": ("[lo].", _make(23, k6=[1]), "ok"),
        "type_15": ("Unknown.", signed_statement(FLEET, 15, {}), "unknown statement type"),
        "type_26": ("Unknown.", signed_statement(FLEET, 26, {}), "unknown statement type"),
        "type_of_a_record": ("0.", signed_statement(TAG, 0, {}), "unknown statement type"),
        "receipt_without_kid": (
            "A service statement names its key.",
            signed_statement(SERVICE, 17, _FIELDS[17][2]),
            header_,
        ),
        "attest_with_kid": (
            "The tag needs none.",
            signed_statement(TAG, 23, _ATTEST, TAG.kid),
            header_,
        ),
        "kid_7": ("8 bytes.", signed_statement(SERVICE, 16, _TIME, bytes(7)), header_),
        "unknown_key_8": ("8 was never given.", _make(20, k8=0), "unknown key"),
        "receipt_without_hash": ("Required.", _make(17, k3=None), "missing key"),
        "tid_7": ("8 bytes.", _make(16, k1=bytes(7)), range_),
        "utc_negative": ("Unsigned.", _make(16, k3=-1), range_),
        "utc_42_bits": ("Above 2**42-1.", _make(16, k3=1 << 42), range_),
        "zone_901": ("Minutes.", _make(20, k6=901), range_),
        "place_49": ("48 bytes at most.", _make(20, k7="p" * 49), range_),
        "seals_5": ("4 at most.", _make(20, k9=["s"] * 5), range_),
        "seal_25": ("24 bytes at most.", _make(20, k9=["s" * 25]), range_),
        "accept_with_receiver": ("11 is the offer's.", _make(22, k11=_P), "unknown key"),
        "attest_nonce_8": ("16 bytes.", _make(23, k4=bytes(8)), range_),
        "attest_interval_backwards": ("lo > hi.", _make(23, k6=[2, 1]), range_),
        "attest_interval_three": ("[lo, hi].", _make(23, k6=[1, 2, 3]), range_),
        "reason_empty": ("Say why.", _make(24, k5=""), range_),
        "name_49": ("48 bytes at most.", _make(25, k3="n" * 49), range_),
        "reason_97": ("96 bytes at most.", _make(24, k5="r" * 97), range_),
        "revocation_without_hash": (
            "A time alone revokes nothing.",
            _make(24, k3=None),
            "missing key",
        ),
        "revocation_with_kid": (
            "The fleet key signs it.",
            signed_statement(FLEET, 24, _REVOKE, FLEET.kid),
            header_,
        ),
        "name_empty": ("Somebody has a name.", _make(25, k3=""), range_),
        "person_without_number": ("Required.", _make(25, k6=None), "missing key"),
        "person_key_31": ("32 bytes.", _make(25, k1=bytes(31)), range_),
        "person_without_kid": (
            "A service statement names its key.",
            signed_statement(SERVICE, 25, _PERSON),
            header_,
        ),
        "service_with_kid": (
            "The fleet key signs it.",
            signed_statement(FLEET, 19, _FIELDS[19][2], FLEET.kid),
            header_,
        ),
        "service_without_floor": ("Required.", _make(19, k6=None), "missing key"),
        "service_usage_negative": ("Unsigned.", _make(19, k4=-1), range_),
        "fleet_without_next": ("The key after that is named.", _make(21, k2=None), "missing key"),
        "fleet_hash_31": ("32 bytes.", _make(21, k2=bytes(31)), range_),
        "size_481": ("480 bytes at most.", _long(), "item too long"),
    }


def _long() -> bytes:
    """481 bytes, still a COSE_Sign1."""
    short = signed_statement(FLEET, 24, {**_REVOKE, 5: "r" * 260})
    return signed_statement(FLEET, 24, {**_REVOKE, 5: "r" * (260 + 481 - len(short))})
