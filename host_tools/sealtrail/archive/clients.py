# SPDX-License-Identifier: MIT
"""Who may ask the archive: gateways, phones, QA; each with a token of its own.

A token is 32 random bytes in base64url behind "st1_"; only its SHA-256 is stored, so the
archive's file opens nothing. It is shown once. Revoking is final: a name is never reused.
"""

import base64
import hashlib
import secrets
import sqlite3
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sealtrail.archive.database import Database
from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.home import checked_name
from sealwire import access

GATEWAY, PHONE, QA = "gateway", "phone", "qa"
ROLES = (GATEWAY, PHONE, QA)
PERSON_ROLES = {GATEWAY: "viewer", PHONE: "courier", QA: "qa"}
_PREFIX = "st1_"
_TOKEN_SIZE = 32
_PROOF_LABEL = b"sealtrail/1 client key\x00"


@dataclass(frozen=True, slots=True)
class Client:
    """One client. *public_key*: of the person or device it acts for, once it is known."""

    name: str
    role: str
    public_key: bytes | None
    made_ms: int
    revoked_ms: int | None

    @property
    def holder(self) -> bytes | None:
        """What stands in its tickets, 16 B."""
        return None if self.public_key is None else bytes(access.holder_of(self.public_key))


class Clients:
    """The clients of one archive."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, role: str, public_key: bytes | None = None) -> str:
        """Makes a client; returns its token, which is nowhere else. Raises UsageError."""
        checked_name(name)
        if role not in ROLES:
            raise UsageError(f"no role '{role[:40]}'", f"Roles: {', '.join(ROLES)}.")
        if self.find(name) is not None:
            raise UsageError(f"there is or was a client '{name}'", "Choose another name.")
        token = _PREFIX + _text(secrets.token_bytes(_TOKEN_SIZE))
        row = (name, role, _hash(token), public_key, self._clock.now_ms(), None)
        self._database.write(lambda db: db.execute("insert into client values(?,?,?,?,?,?)", row))
        return token

    def revoke(self, name: str) -> None:
        """Ends a client's rights from its next request on; durable on return."""
        if self.find(name) is None:
            raise UsageError(f"no client '{name[:64]}'", "`sealtrail archive client list`.")
        now_ms = self._clock.now_ms()
        self._database.write(
            lambda db: db.execute(
                "update client set revoked_ms=? where name=? and revoked_ms is null",
                (now_ms, name),
            )
        )

    def find(self, name: str) -> Client | None:
        """The client of that name, revoked or not."""
        return self._one("name=?", name)

    def by_token(self, token: str) -> Client | None:
        """The client with that token; None for an unknown or revoked one."""
        found = self._one("token_hash=?", _hash(token))
        return found if found is not None and found.revoked_ms is None else None

    def all(self) -> list[Client]:
        """Every client there is or was, by name."""
        rows = self._database.rows(
            "select name, role, public_key, made_ms, revoked_ms from client order by name"
        )
        return [Client(*row) for row in rows]

    def set_key(self, client: Client, public_key: bytes, proof: bytes) -> Client:
        """Binds a client to its own key, once. Raises UsageError, AccessRefused."""
        message = _PROOF_LABEL + client.name.encode()
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(proof, message)
        except (InvalidSignature, ValueError):
            raise UsageError("the proof is not by this key for this client's name") from None

        def put(db: sqlite3.Connection) -> int:
            return db.execute(
                "update client set public_key=? where name=? and public_key is null",
                (public_key, client.name),
            ).rowcount

        count = self._database.write(put)
        found = self.find(client.name)
        if found is None or (not count and found.public_key != public_key):
            raise AccessRefused(
                "this client has a key already", "Have another client made for another key."
            )
        return found

    def _one(self, condition: str, value: object) -> Client | None:
        row = self._database.row(
            f"select name, role, public_key, made_ms, revoked_ms from client where {condition}",
            (value,),
        )
        return None if row is None else Client(*row)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
