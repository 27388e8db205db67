# SPDX-License-Identifier: MIT
"""Statements behind the records (R17 to R19): shapes, signers, and that they mean this tag."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealtrail.evidence.cbor_strict import CborRefused, decode
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.cose import RECORD_HEADERS, Envelope, VerifyingKey, open_envelope
from sealtrail.evidence.refusal import Refusal

(TIME, RECEIPT, ORDER, SERVICE, OFFER, FLEET, ACCEPT, ATTEST, REVOCATION, PERSON) = range(16, 26)
ALLOWED_IN_EVIDENCE = (TIME, RECEIPT, SERVICE, FLEET, ATTEST, REVOCATION, PERSON)
SIZE_MAX = 480
_U42 = (1 << 42) - 1
_USAGE = {TIME: 1, RECEIPT: 2, ORDER: 4, PERSON: 8}
_HAS_KID = tuple(_USAGE)

# One letter a shape: u below 2^42; numbers are byte strings of that size; z zone; t.. text.
_CUSTODY: dict[int, object] = {1: 8, 2: "u", 3: 32, 4: "u", 5: "u", 6: "z", 7: "t48", 9: "seals"}
_CUSTODY |= {10: 32, 12: "u"}
_SHAPES: dict[int, dict[int, object]] = {
    TIME: {1: 8, 2: 16, 3: "u", 4: "u"},
    RECEIPT: {1: 8, 2: "u", 3: 32, 4: "u"},
    ORDER: {1: 8, 2: "u", 3: "u", 4: 16},
    SERVICE: {1: 32, 2: "u", 3: "u", 4: "u", 5: "u", 6: "u"},
    OFFER: {**_CUSTODY, 11: 32},
    FLEET: {1: 32, 2: 32},
    ACCEPT: {**_CUSTODY, 13: 32},
    ATTEST: {1: 8, 2: "u", 3: 32, 4: 16, 5: "uptime", 6: "interval", 7: "u"},
    REVOCATION: {1: 8, 2: "u", 3: 32, 4: "u", 5: "t96", 6: "u"},
    PERSON: {1: 32, 2: "u", 3: "t48", 4: "u", 5: "u", 6: "u"},
}
_OPTIONAL = {TIME: {2}, ORDER: {4}, OFFER: {11}, ACCEPT: {13}}
_NONEMPTY_TEXT = {(REVOCATION, 5), (PERSON, 3)}


@dataclass(frozen=True, slots=True)
class RawStatement:
    """A statement of a known shape. Its signature is judged by whoever knows the signer."""

    type: int
    fields: dict[int, object]
    kid: bytes | None
    envelope: Envelope
    raw: bytes

    def number(self, key: int) -> int:
        """A field that the shape made an unsigned integer."""
        value = self.fields[key]
        assert isinstance(value, int)
        return value

    def octets(self, key: int) -> bytes:
        """A field that the shape made a byte string."""
        value = self.fields[key]
        assert isinstance(value, bytes)
        return value


def statement_type(item: bytes) -> int | None:
    """The type where *item* is a statement (section 8: key 0 of 16 or more), else None."""
    try:
        payload = decode(open_envelope(item).payload)
    except (Refusal, CborRefused):
        return None
    kind = payload.get(0) if isinstance(payload, dict) else None
    return kind if type(kind) is int and kind >= TIME else None


def read_statement(item: bytes) -> RawStatement:
    """Reads one statement by its shape. Raises Refusal R2, R3, R17."""
    envelope = open_envelope(item)
    if len(item) > SIZE_MAX:
        raise Refusal("R17", "item too long", f"{len(item)} bytes")
    try:
        payload = decode(envelope.payload)
    except CborRefused as fault:
        raise Refusal("R3", fault.reason) from None
    if not isinstance(payload, dict):
        raise Refusal("R17", "payload not a map")
    kind = payload.get(0)
    if type(kind) is not int or kind not in _SHAPES:
        raise Refusal("R17", "unknown statement type", str(kind))
    _judge_shape(kind, payload)
    return RawStatement(kind, payload, _kid(kind, envelope), envelope, item)


def _judge_shape(kind: int, payload: dict[int, object]) -> None:
    shape = _SHAPES[kind]
    if set(payload) - set(shape) - {0}:
        raise Refusal("R17", "unknown key")
    if set(shape) - set(payload) - _OPTIONAL.get(kind, set()):
        raise Refusal("R17", "missing key")
    for key, want in shape.items():
        if key in payload and not _fits(kind, key, want, payload[key]):
            raise Refusal("R17", "value out of range", f"key {key}")


def _fits(kind: int, key: int, want: object, value: object) -> bool:
    if isinstance(want, int):
        return isinstance(value, bytes) and len(value) == want
    if isinstance(want, str) and want in _CHECKS:
        return _CHECKS[want](value)
    size_max = int(str(want)[1:])
    return _is_text(value, size_max) and (bool(value) or (kind, key) not in _NONEMPTY_TEXT)


def _is_u(value: object) -> bool:
    return type(value) is int and 0 <= value <= _U42


def _is_u48(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _is_text(value: object, size_max: int) -> bool:
    return isinstance(value, str) and len(value.encode()) <= size_max


def _is_zone(value: object) -> bool:
    return type(value) is int and -900 <= value <= 900


def _is_seals(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 4 and all(_is_text(v, 24) for v in value)


def _is_uptime(value: object) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2 and all(map(_is_u48, value))
    return is_pair and isinstance(value, list) and value[0] < 1 << 32


def _is_interval(value: object) -> bool:
    is_list = isinstance(value, list) and 1 <= len(value) <= 2 and all(map(_is_u, value))
    return is_list and isinstance(value, list) and value[0] <= value[-1]


_CHECKS: dict[str, Callable[[object], bool]] = {
    "u": _is_u,
    "z": _is_zone,
    "seals": _is_seals,
    "uptime": _is_uptime,
    "interval": _is_interval,
}


def _kid(kind: int, envelope: Envelope) -> bytes | None:
    """The key id of the protected header; refuses every other header (R17)."""
    header = envelope.protected
    if kind in _HAS_KID:
        if len(header) == 13 and header.startswith(b"\xa2\x01\x27\x04\x48"):
            return header[5:]
    elif header == b"\xa1\x01\x27" or (kind == ATTEST and header in RECORD_HEADERS):
        return None
    raise Refusal("R17", "protected header not allowed")


class StatementJudge:
    """R17 to R19 for the statements of one file, in their order."""

    def __init__(self, tid: bytes, chain: ChainJudge, fleet: Sequence[FleetKey]) -> None:
        self._tid = tid
        self._chain = chain
        self._fleet = fleet
        # By kid: one key is certified again when its term or the fleet key ends.
        self._services: dict[bytes, list[RawStatement]] = {}

    def take(self, item: bytes) -> tuple[RawStatement, str]:
        """(statement, name of its signer). Raises Refusal."""
        statement = read_statement(item)
        if statement.type not in ALLOWED_IN_EVIDENCE:
            raise Refusal("R17", "statement type not allowed here", str(statement.type))
        signer = self._judge_signer(statement)
        if statement.type in (TIME, RECEIPT, ATTEST, REVOCATION):
            self._judge_subject(statement)
        if statement.type == SERVICE:
            self._services.setdefault(service_kid(statement), []).append(statement)
        return statement, signer

    # ---- R18

    def _judge_signer(self, statement: RawStatement) -> str:
        if statement.type == ATTEST:
            return self._judge_attestation(statement)
        if statement.type == FLEET:
            _must_hold(VerifyingKey(statement.octets(1)), statement)
            return "the new fleet key"
        if statement.type in (SERVICE, REVOCATION):
            return judge_fleet(statement, self._fleet)
        return self._judge_service(statement)

    def _judge_attestation(self, statement: RawStatement) -> str:
        seq = statement.number(2)
        if seq < self._chain.count:
            key = self._chain.key_behind(seq)
            algorithm = RECORD_HEADERS[statement.envelope.protected]
            if not key.allows(algorithm):
                raise Refusal("R18", "statement signature wrong", "algorithm")
            _must_hold(key, statement)
        return "the tag"

    def _judge_service(self, statement: RawStatement) -> str:
        found = self._services.get(statement.kid or b"", [])
        entitled = [one for one in found if one.number(4) & _USAGE[statement.type]]
        at_s = _signed_at_s(statement)
        in_force = [one for one in entitled if one.number(2) <= at_s <= one.number(3)]
        if not found:
            raise Refusal("R18", "service key unknown", f"type {statement.type}")
        if not entitled:
            raise Refusal("R18", "service key not entitled", f"type {statement.type}")
        if not in_force:
            raise Refusal("R18", "service certificate not in force", _term(entitled[-1], at_s))
        _must_hold(VerifyingKey(in_force[0].octets(1)), statement)
        return f"service key {in_force[0].number(5)}"

    # ---- R19

    def _judge_subject(self, statement: RawStatement) -> None:
        if statement.octets(1) != self._tid:
            raise Refusal("R19", "statement for another tag", statement.octets(1).hex())
        if statement.type == TIME:
            return
        seq = statement.number(2)
        if seq < self._chain.count and statement.octets(3) != self._chain.hashes[seq]:
            what = {RECEIPT: "receipt", ATTEST: "attestation", REVOCATION: "revocation"}
            raise Refusal(
                "R19", f"{what[statement.type]} contradicts the records", f"record {seq}"
            )


def _must_hold(key: VerifyingKey, statement: RawStatement) -> None:
    if not key.holds(statement.envelope):
        raise Refusal("R18", "statement signature wrong", f"type {statement.type}")


def judge_fleet(statement: RawStatement, fleet: Sequence[FleetKey]) -> str:
    """R18 for what the fleet key signs, 19 and 24; returns the key's name. Raises Refusal."""
    signers = [one for one in fleet if one.key.holds(statement.envelope)]
    if not signers:
        raise Refusal("R18", "statement signature wrong", "no key of fleet.pub signed it")
    at_s = statement.number(2) if statement.type == SERVICE else statement.number(4) // 1000
    for one in signers:
        if one.is_in_force(at_s):
            return one.name
    raise Refusal("R18", "fleet key not in force", signers[0].name)


def service_kid(statement: RawStatement) -> bytes:
    """The key id, 8 bytes, of the service key that a statement 19 certifies."""
    return hashlib.sha256(statement.octets(1)).digest()[:8]


def withdrawn_kids(services: Sequence[RawStatement]) -> frozenset[bytes]:
    """Key ids of the service keys below the highest floor in statements 19 (section 10)."""
    floor = max((one.number(6) for one in services), default=0)
    newest: dict[bytes, int] = {}
    for one in services:
        kid = service_kid(one)
        newest[kid] = max(newest.get(kid, 0), one.number(5))
    return frozenset(kid for kid, number in newest.items() if number < floor)


def _signed_at_s(statement: RawStatement) -> int:
    """The second at which a service statement says its signer's certificate must hold."""
    if statement.type == PERSON:
        return statement.number(4)
    return statement.number(3 if statement.type == TIME else 4) // 1000


def _term(service: RawStatement, at_s: int) -> str:
    return f"{at_s} is not in {service.number(2)} to {service.number(3)}"
