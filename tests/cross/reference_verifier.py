# SPDX-License-Identifier: MIT
"""R1 to R21 of docs/record-format.md, straight down, to keep the evidence vectors honest.

Reads with sealwire and verifies with `cryptography`; the host's verifier shares neither.
Not a product: no times, no custody, no report.
"""

import base64
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sealwire import cbor, labels, record, statement
from tests.vectors.chain import P256_ORDER, sha256

_DRIFT = 0.05
_ALLOWED_STATEMENTS = (16, 17, 19, 21, 23, 24, 25)


class Refused(Exception):
    """args = (rule, reason, index)."""


def _verifies(public: bytes, protected: bytes, payload: bytes, signature: bytes) -> bool:
    message = cbor.encode(["Signature1", protected, b"", payload])
    try:
        if len(public) == 32:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            if s > P256_ORDER // 2:
                return False
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
            der = utils.encode_dss_signature(r, s)
            key.verify(der, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_point(x: bytes, y: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    except ValueError:
        return False
    return True


@dataclass
class Verifier:
    """State of one pass over one file."""

    fleet_pub: str
    nonces: list[bytes]
    known_head: dict | None = None
    stored: list[bytes] = field(default_factory=list)
    tid: bytes = b""
    keys: list[bytes] = field(default_factory=list)
    records: list[tuple[record.Record, bytes]] = field(default_factory=list)
    services: dict[bytes, list[dict]] = field(default_factory=dict)
    statements: list[dict] = field(default_factory=list)
    bounds: tuple[int, float, float] | None = None  # up_ms, lo, hi of this boot
    lowest_ms: float = 0  # no later instant lies before it
    sealed_by: int = 0
    index: int = 0

    def refuse(self, rule: str, reason: str) -> None:
        raise Refused(rule, reason, self.index)

    def check(self, holds: bool, rule: str, reason: str) -> None:
        if not holds:
            self.refuse(rule, reason)

    def run(self, evidence: bytes) -> str:
        """The completeness, in the words of R21. Raises Refused."""
        self.check(bool(evidence), "R1", "evidence empty")
        offset = 0
        while offset < len(evidence):
            try:
                size = cbor.item_size(evidence, offset)
            except cbor.CborError as error:
                self.refuse("R1", error.reason)
            self.check(size is not None, "R1", "evidence cut")
            self.take_item(evidence[offset : offset + size])
            offset += size
            self.index += 1
        self.revocations()
        for one in self.stored:
            self.stored_revocation(one)
        return self.freshness()

    def take_item(self, source: bytes) -> None:
        try:
            protected, payload, signature = record.parse_envelope(source)
        except record.RecordError as error:
            self.refuse("R2", error.reason)
        try:
            fields = cbor.decode(payload)
        except cbor.CborError as error:
            self.refuse("R3", error.reason)
        first = fields.get(0) if isinstance(fields, dict) else None
        if self.index == 0:
            self.take_certificate(source, fields, protected, payload, signature)
        elif isinstance(first, int) and first >= 16:
            self.take_statement(source)
        else:
            self.check(not self.statements, "R1", "record after a statement")
            self.take_record(source)

    def take_certificate(self, source, fields, protected, payload, signature) -> None:
        is_certificate = isinstance(fields, dict) and 0 not in fields
        self.check(is_certificate, "R1", "certificate missing")
        bad = "certificate malformed"
        self.check(protected == b"\xa1\x01\x27", "R5", bad)
        self.check(set(fields) == {2, 6, 8, -70001, -70002}, "R5", bad)
        texts = [fields[key] for key in (2, -70001, -70002)]
        self.check(all(isinstance(t, str) and 0 < len(t.encode()) <= 48 for t in texts), "R5", bad)
        self.check(isinstance(fields[6], int) and fields[6] >= 0, "R5", bad)
        cose_key = fields[8].get(1) if isinstance(fields[8], dict) else None
        self.check(isinstance(cose_key, dict), "R5", bad)
        if cose_key.get(1) == 1:
            good = set(cose_key) == {1, -1, -2} and cose_key[-1] == 6
            self.check(good and len(cose_key[-2]) == 32, "R5", bad)
            self.keys = [cose_key[-2]]
        else:
            self.check(set(cose_key) == {1, -1, -2, -3} and cose_key[-1] == 1, "R5", bad)
            self.check(_is_point(cose_key[-2], cose_key[-3]), "R5", bad)
            self.keys = [bytes([2 + (cose_key[-3][-1] & 1)]) + cose_key[-2]]
        self.by_fleet(fields[6], protected, payload, signature, "R6", "certificate")
        self.tid = sha256(source)[:8]
        self.previous = sha256(source)

    def by_fleet(self, at_s, protected, payload, signature, rule, what) -> None:
        in_force = None
        for line in self.fleet_pub.splitlines():
            _, public, not_before, not_after, _ = line.split(" ")
            if _verifies(base64.b64decode(public), protected, payload, signature):
                day = datetime.fromtimestamp(at_s, UTC).date()
                in_force = date.fromisoformat(not_before) <= day <= date.fromisoformat(not_after)
        self.check(in_force is not None, rule, f"{what} signature wrong")
        self.check(bool(in_force), rule, "fleet key not in force")

    def take_record(self, source: bytes) -> None:
        try:
            r = record.parse_record(source)
        except record.RecordError as error:
            self.refuse("R2" if error.reason.startswith("protected") else "R4", error.reason)
        key = self.keys[-1]
        before = self.records[-1][0] if self.records else None
        fitting = (b"\x27", b"\x32") if len(key) == 32 else (b"\x26", b"\x28")
        self.check(r.protected[2:] in fitting, "R7", "algorithm does not fit the key")
        self.check(r.seq == len(self.records), "R8", "sequence number out of order")
        self.check(r.prev == self.previous, "R9", "previous hash does not match")
        self.check(not before or before.kind != 5, "R15", "record after the end")
        if r.kind == labels.KIND_UNSIGNED:
            self.check(not any(r.signature), "R16", "unsigned block with a signature")
        else:
            is_late = before and before.kind == labels.KIND_UNSIGNED
            self.check(not is_late, "R16", "signed record after an unsigned block")
            good = _verifies(key, r.protected, r.payload, r.signature)
            self.check(good, "R10", "record signature wrong")
        self.times(r, before)
        if r.next_key is not None:
            self.check(r.next_key not in self.keys, "R14", "epoch key repeated")
            fits = len(r.next_key) == len(key)
            self.check(fits, "R14", "epoch key does not fit the algorithm")
            self.keys.append(r.next_key)
        self.previous = sha256(source)
        self.records.append((r, self.keys[-1]))

    def times(self, r: record.Record, before: record.Record | None) -> None:
        if before:
            self.check(r.boot >= before.boot, "R11", "boot number goes back")
            is_later = r.boot > before.boot or r.up_ms >= before.up_ms
            self.check(is_later, "R11", "uptime goes back")
        if before and r.boot != before.boot:
            self.bounds = None
        if any(code == labels.EVENT_CLOCK_RESET for _, code, _ in r.events):
            self.bounds, self.lowest_ms = None, 0
        if r.utc:
            self.interval(r)
        if r.kind == labels.KIND_CRASH_BLOCK:
            good = r.sealed_by_boot > r.boot and r.sealed_by_boot >= self.sealed_by
            self.check(good, "R13", "crash block out of place")
            self.sealed_by = r.sealed_by_boot
        else:
            self.check(r.boot >= self.sealed_by, "R13", "crash block out of place")

    def interval(self, r: record.Record) -> None:
        lo_s, _, width_s = r.utc
        lo = lo_s * 1000.0
        hi = float("inf") if width_s is None else (lo_s + width_s) * 1000.0
        bad = "UTC contradicts an earlier interval"
        self.check(hi >= self.lowest_ms, "R12", bad)
        if self.bounds:
            up_ms, low, high = self.bounds
            d = r.up_ms - up_ms
            lo, hi = max(lo, low + d - d * _DRIFT), min(hi, high + d + d * _DRIFT)
            self.check(lo <= hi, "R12", bad)
        self.bounds = (r.up_ms, lo, hi)
        self.lowest_ms = max(self.lowest_ms, lo)

    def take_statement(self, source: bytes) -> None:
        try:
            kind, fields, kid, protected, payload, signature = statement.parse_statement(source)
        except record.RecordError as error:
            self.refuse("R17", error.reason)
        self.check(kind in _ALLOWED_STATEMENTS, "R17", "statement type not allowed here")
        if kind in (labels.STATEMENT_SERVICE, labels.STATEMENT_REVOCATION):
            at_s = fields[2] if kind == labels.STATEMENT_SERVICE else fields[4] // 1000
            self.by_fleet(at_s, protected, payload, signature, "R18", "statement")
        else:
            public = self.signer(kind, fields, kid)
            good = public is None or _verifies(public, protected, payload, signature)
            self.check(good, "R18", "statement signature wrong")
        self.about_this_tag(kind, fields)
        if kind == labels.STATEMENT_SERVICE:
            self.services.setdefault(sha256(fields[1])[:8], []).append(fields)
        self.statements.append(fields)

    def signer(self, kind: int, fields: dict, kid: bytes | None) -> bytes | None:
        if kind == labels.STATEMENT_FLEET:
            return fields[1]
        if kind == labels.STATEMENT_ATTEST:
            return self.records[fields[2]][1] if fields[2] < len(self.records) else None
        usage, at = {16: (1, 3), 17: (2, 4), 25: (8, 4)}[kind]
        known = self.services.get(kid, [])
        self.check(bool(known), "R18", "service key unknown")
        entitled = [one for one in known if one[4] & usage]
        self.check(bool(entitled), "R18", "service key not entitled")
        at_s = fields[at] if kind == labels.STATEMENT_PERSON else fields[at] / 1000
        in_force = any(one[2] <= at_s <= one[3] for one in entitled)
        self.check(in_force, "R18", "service certificate not in force")
        return known[0][1]

    def about_this_tag(self, kind: int, fields: dict) -> None:
        if kind in (16, 17, 23, 24):
            self.check(fields[1] == self.tid, "R19", "statement for another tag")
        what = {17: "receipt", 23: "attestation", 24: "revocation"}.get(kind)
        if what and fields[2] < len(self.records):
            same = self.hash_of(fields[2]) == fields[3]
            self.check(same, "R19", f"{what} contradicts the records")

    def hash_of(self, seq: int) -> bytes:
        last = seq + 1 == len(self.records)
        return self.previous if last else self.records[seq + 1][0].prev

    def revocations(self) -> None:
        for fields in self.statements:
            if fields[0] == labels.STATEMENT_REVOCATION and fields[2] + 1 < len(self.records):
                self.index = fields[2] + 2
                self.refuse("R20", "record beyond the revocation")

    def stored_revocation(self, source: bytes) -> None:
        """R19 and R20 for a revocation of the trust store; its signature is taken for good."""
        fields = statement.parse_statement(source)[1]
        if fields[0] != labels.STATEMENT_REVOCATION or fields[1] != self.tid:
            return
        if fields[2] < len(self.records):
            self.index = fields[2] + 1
            same = self.hash_of(fields[2]) == fields[3]
            self.check(same, "R19", "revocation contradicts the records")
        if fields[2] + 1 < len(self.records):
            self.index = fields[2] + 2
            self.refuse("R20", "record beyond the revocation")

    def freshness(self) -> str:
        head = len(self.records) - 1
        if self.known_head:
            if self.known_head["seq"] > head:
                return "stale"
            same = self.hash_of(self.known_head["seq"]).hex() == self.known_head["sha256"]
            self.index = self.known_head["seq"] + 1
            self.check(same, "R21", "fork of a known head")
        stored = [statement.parse_statement(one)[1] for one in self.stored]
        trusted = [s[2] for s in [*self.statements, *stored] if s[0] == 24 and s[1] == self.tid]
        if trusted and min(trusted) > head:
            return "stale"
        attested = [s[4] for s in self.statements if s[0] == 23 and s[2] == head]
        if not attested:
            return "unproved"
        return "proved" if set(attested) & set(self.nonces) else "foreign nonce"
