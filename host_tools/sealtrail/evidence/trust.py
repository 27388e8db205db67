# SPDX-License-Identifier: MIT
"""What only this verifier knows: nonces it chose, and the highest head it saw of each tag.

One JSON file a tag, trust/TID.json, replaced as a whole; two commands at once take turns.
A nonce is durable before it is asked for: an answer to a forgotten number proves nothing.
Freshness (R21) and the bounds of a tag's clock after a loss of power rest on this file.
Beside it lie the statements this computer knows: revocations (R20), and who is who.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealtrail import atomic
from sealtrail.errors import StorageError, UsageError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.statements import PERSON, REVOCATION, SERVICE
from sealtrail.home import Home
from sealtrail.keys.fleet import read_lines
from sealtrail.keys.shelf import Shelf

NONCE_SIZE = 16
# The oldest go first. More would only matter to somebody who never verifies.
_NONCES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """When a nonce was sent, and when its answer was here; Unix ms of this verifier."""

    asked_ms: int
    answered_ms: int | None


@dataclass(frozen=True, slots=True)
class KnownHead:
    """The highest record seen of a tag."""

    seq: int
    sha256: bytes


class TrustStore:
    """Files under *home*; *fleet_pub* names another fleet.pub than the home's own."""

    def __init__(self, home: Home, fleet_pub: Path | None = None) -> None:
        self._home = home
        self._fleet_pub = fleet_pub or home.fleet_pub

    def fleet_keys(self) -> list[FleetKey]:
        """The keys of fleet.pub. Raises UsageError where it cannot be used."""
        if not self._fleet_pub.exists():
            raise UsageError(
                f"{self._fleet_pub}: no public fleet key here",
                "Name the fleet's file with --fleet-pub.",
            )
        return [
            FleetKey(line.name, VerifyingKey(line.key), line.not_before, line.not_after)
            for line in read_lines(self._fleet_pub)
        ]

    def nonces(self, tid: bytes) -> dict[bytes, Asked]:
        """Every nonce this verifier chose for the tag."""
        rows = self._load(tid).get("nonces", {})
        return {bytes.fromhex(nonce): Asked(row[0], row[1]) for nonce, row in rows.items()}

    def known_head(self, tid: bytes) -> KnownHead | None:
        """The highest head seen, None for a tag never seen before."""
        row = self._load(tid).get("head")
        return None if row is None else KnownHead(row[0], bytes.fromhex(row[1]))

    def statements(self, tid: bytes) -> list[bytes]:
        """Service certificates, persons, and the revocations of the tag, in this order."""
        shelf = Shelf(self._home)
        named = [*shelf.all(SERVICE), *shelf.all(PERSON)]
        revoked = [one for one in shelf.all(REVOCATION) if one.octets(1) == tid]
        return [one.raw for one in (*named, *revoked)]

    def new_nonce(self, tid: bytes, now_ms: int) -> bytes:
        """A fresh nonce for the tag, durable when this returns."""
        nonce = secrets.token_bytes(NONCE_SIZE)
        with self._home.lock("trust"):
            content = self._load(tid)
            rows = content.setdefault("nonces", {})
            rows[nonce.hex()] = [now_ms, None]
            for old in list(rows)[:-_NONCES_MAX]:
                del rows[old]
            self._save(tid, content)
        return nonce

    def note_answer(self, tid: bytes, nonce: bytes, now_ms: int) -> None:
        """Keeps when the answer to *nonce* was here."""
        with self._home.lock("trust"):
            content = self._load(tid)
            row = content.get("nonces", {}).get(nonce.hex())
            if row is not None and row[1] is None:
                row[1] = now_ms
                self._save(tid, content)

    def note_head(self, tid: bytes, seq: int, sha256: bytes) -> None:
        """Keeps a verified head if it is higher than the one known."""
        with self._home.lock("trust"):
            content = self._load(tid)
            known = content.get("head")
            if known is None or known[0] < seq:
                content["head"] = [seq, sha256.hex()]
                self._save(tid, content)

    def _path(self, tid: bytes) -> Path:
        return self._home.root / "trust" / f"{tid.hex()}.json"

    def _load(self, tid: bytes) -> dict[str, Any]:
        path = self._path(tid)
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as problem:
            raise StorageError(f"{path}: cannot read the trust store: {problem}") from problem
        if not isinstance(content, dict):
            raise StorageError(f"{path}: is no trust store")
        return content

    def _save(self, tid: bytes, content: dict[str, Any]) -> None:
        self._home.make(self._home.root / "trust")
        text = json.dumps(content, indent=1, sort_keys=False) + "\n"
        atomic.write_bytes(self._path(tid), text.encode())
