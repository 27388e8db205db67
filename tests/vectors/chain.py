# SPDX-License-Identifier: MIT
"""Makes certificates, records, statements and whole evidence with keys that never change.

For vectors and tests only: every private key below follows from its name. What a tag
would refuse to make can be made here, on purpose: each argument that follows from the
others may be given instead.
"""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwire import cbor, labels, record, statement

ISSUED_AT_S = 1_790_000_000  # 2026-09-21T14:13:20Z
START_UTC_S = 1_795_000_000  # of the first record
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sha256(content: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()


class Ed25519Key:
    """A fixed Ed25519 key; its seed is the SHA-256 of its name."""

    algorithm = labels.ALG_EDDSA

    def __init__(self, name: str) -> None:
        self.name = name
        self.seed = sha256(b"sealtrail test key " + name.encode())
        self._key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.cose_key: dict[int, object] = {1: 1, -1: 6, -2: self.public}
        self.kid = sha256(self.public)[:8]

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


class P256Key:
    """A fixed P-256 key, as a secure element would hold it; RFC 6979 signatures."""

    algorithm = labels.ALG_ES256

    def __init__(self, name: str) -> None:
        secret = int.from_bytes(sha256(b"sealtrail test key " + name.encode()), "big")
        self._key = ec.derive_private_key(secret % P256_ORDER, ec.SECP256R1())
        point = self._key.public_key().public_numbers()
        self.public = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        self.cose_key: dict[int, object] = {
            1: 2,
            -1: 1,
            -2: point.x.to_bytes(32, "big"),
            -3: point.y.to_bytes(32, "big"),
        }

    def sign(self, message: bytes) -> bytes:
        """r and s, 64 bytes (RFC 9053 section 2.1); s in the lower half (R10)."""
        der = self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


Key = Ed25519Key | P256Key

FLEET = Ed25519Key("fleet")
FLEET_OLD = Ed25519Key("fleet, retired")
TAG = Ed25519Key("tag epoch 0")
TAG_EPOCH_1 = Ed25519Key("tag epoch 1")
TAG_ES256 = P256Key("tag with a secure element")
TAG_ES256_EPOCH_1 = P256Key("tag with a secure element, epoch 1")
SERVICE = Ed25519Key("service")
COURIER = Ed25519Key("courier")
STRANGER = Ed25519Key("stranger")
NONCE = sha256(b"sealtrail test nonce")[:16]


def fleet_line(key: Ed25519Key, not_before: str, not_after: str) -> str:
    """One line of fleet.pub."""
    name = key.name.replace(", ", "-").replace(" ", "-")
    public = base64.b64encode(key.public).decode()
    return f"ed25519 {public} {not_before} {not_after} {name}\n"


FLEET_PUB = fleet_line(FLEET, "2026-01-01", "2035-12-31") + fleet_line(
    FLEET_OLD, "2020-01-01", "2025-12-31"
)


def cose_sign1(
    key: Key,
    payload: bytes,
    protected: bytes | None = None,
    signature: bytes | None = None,
) -> bytes:
    """A COSE_Sign1 written apart from sealwire's own envelope."""
    if protected is None:
        protected = cbor.encode({1: key.algorithm})
    if signature is None:
        signature = key.sign(cbor.encode(["Signature1", protected, b"", payload]))
    parts = (cbor.encode(protected), b"\xa0", cbor.encode(payload), cbor.encode(signature))
    return b"\xd2\x84" + b"".join(parts)


def certificate(
    tag: Key = TAG,
    fleet: Key = FLEET,
    issued_at_s: int = ISSUED_AT_S,
    **changes: object,
) -> bytes:
    """A tag certificate (CWT). *changes*: claims by name, `None` leaves one out."""
    claims: dict[str, object] = {
        "sub": "ST-0001",
        "iat": issued_at_s,
        "cnf": {1: tag.cose_key},
        "hardware": "virtual",
        "firmware": "0.1.0",
    }
    claims.update(changes)
    numbers = {"sub": 2, "iat": 6, "cnf": 8, "hardware": -70001, "firmware": -70002, "type": 0}
    claims_set = {numbers[name]: claim for name, claim in claims.items() if claim is not None}
    return cose_sign1(fleet, cbor.encode(claims_set))


def signed_statement(
    key: Ed25519Key, kind: int, fields: dict[int, object], kid: bytes | None = None
) -> bytes:
    """A statement; *fields* without key 0, not checked."""
    protected = cbor.encode({1: -8} if kid is None else {1: -8, 4: kid})
    return cose_sign1(key, cbor.encode({0: kind, **fields}), protected)


def service_certificate(usage: int = 15, not_after_s: int = 1_830_000_000) -> bytes:
    """Statement 19 about SERVICE by the fleet key."""
    fields: dict[int, object] = {1: SERVICE.public, 2: ISSUED_AT_S, 3: not_after_s, 4: usage}
    return signed_statement(FLEET, labels.STATEMENT_SERVICE, {**fields, 5: 1, 6: 1})


@dataclass
class Chain:
    """Evidence in the making: `add` records, append to `statements`, take `evidence()`."""

    key: Key = TAG
    certificate: bytes = field(default_factory=certificate)
    records: list[bytes] = field(default_factory=list)
    statements: list[bytes] = field(default_factory=list)
    boot: int = 1
    up_ms: int = 0

    @property
    def tid(self) -> bytes:
        """Tag id, 8 bytes."""
        return sha256(self.certificate)[:8]

    @property
    def head_hash(self) -> bytes:
        """What the next record must name as PREV."""
        return sha256(self.records[-1] if self.records else self.certificate)

    def utc(self, up_ms: int, width_s: int | None = 2) -> tuple[int, int, int | None]:
        """UTC at *up_ms*: the clock of these chains is exact and boots take no time."""
        return START_UTC_S + up_ms // 1000, labels.SOURCE_TOKEN, width_s

    def add(
        self,
        kind: int = labels.KIND_BLOCK,
        *,
        after_ms: int = 60_000,
        boot: int | None = None,
        samples: list[list[int]] | None = None,
        events: list[tuple[int, object]] | None = None,
        utc: tuple[int, int, int | None] | str | None = "exact",
        changes: dict[int, object] | None = None,
        key: Key | None = None,
        protected: bytes | None = None,
        signature: bytes | None = None,
        **fields: bytes | int,
    ) -> bytes:
        """Appends one record sealed *after_ms* behind the one before, and returns it.

        *samples* come 1 s apart and end at the seal; *changes* overwrite payload keys, a
        value of None drops one.
        """
        self.boot = self.boot if boot is None else boot
        self.up_ms += after_ms
        block = record.BlockBuilder()
        for index, values in enumerate(samples or []):
            block.add_sample(self.up_ms - 1000 * (len(samples or []) - 1 - index), values)
        for code, content in events or []:
            block.add_event(self.up_ms, code, None if content is None else cbor.encode(content))
        when = self.utc(self.up_ms) if isinstance(utc, str) else utc
        payload = block.payload(
            kind, len(self.records), self.head_hash, self.boot, self.up_ms, when, **fields
        )
        if changes:
            payload = changed(payload, changes)
        if kind == labels.KIND_UNSIGNED and signature is None:
            signature = bytes(64)
        made = cose_sign1(key or self.key, payload, protected, signature)
        self.records.append(made)
        return made

    def roll(self, new: Key, **more: object) -> None:
        """Appends a key epoch record; later records are signed by *new*."""
        self.add(labels.KIND_KEY_EPOCH, next_key=new.public, **more)  # type: ignore[arg-type]
        self.key = new

    def attest(self, nonce: bytes = NONCE, **changes: object) -> bytes:
        """Appends an attestation over the head."""
        values: dict[str, object] = {
            "tid": self.tid,
            "seq": len(self.records) - 1,
            "head_hash": self.head_hash,
            "nonce": nonce,
            "boot": self.boot,
            "up_ms": self.up_ms + 500,
            "lo_ms": (START_UTC_S * 1000) + self.up_ms,
            "hi_ms": (START_UTC_S * 1000) + self.up_ms + 2000,
            "unsealed": 0,
            "key": self.key,
        }
        values.update(changes)
        key = values.pop("key")
        made = cose_sign1(key, statement.attestation_payload(**values))  # type: ignore[arg-type]
        self.statements.append(made)
        return made

    def evidence(self) -> bytes:
        """The file: certificate, records, statements."""
        return b"".join([self.certificate, *self.records, *self.statements])


def changed(payload: bytes, changes: dict[int, object]) -> bytes:
    """*payload* with some map keys overwritten, or dropped where the value is None."""
    fields = cbor.decode(payload)
    assert isinstance(fields, dict)
    fields.update(changes)
    return cbor.encode({key: value for key, value in fields.items() if value is not None})
