# SPDX-License-Identifier: MIT
"""What this home has to bring a tag at the next visit: carry/TID.cbor, replaced as a whole.

    {version, statements: [[op, type, statement]], taken: [SHA-256], nonces: [[nonce, asked_ms]],
     time_ms}

Statements come from the archive. `taken` are those the tag has answered OK or STALE to.
`nonces` wait for a time token: the tag forgets them after 24 h. Losing the file loses no
evidence: the archive gives all of it out again.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cbor2

from sealtrail import atomic
from sealtrail.errors import StorageError
from sealtrail.home import Home

NONCE_LIFE_MS = 24 * 3_600_000
_NONCES_MAX = 4  # that a tag keeps open
_STATEMENTS_MAX = 64
_TAKEN_MAX = 256
_TIME = 16  # type of statement
Row = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class Pouch:
    """For one tag. *time_ms*: when it last took a time token, 0: never by this home."""

    statements: tuple[Row, ...] = ()
    taken: tuple[bytes, ...] = ()
    nonces: tuple[tuple[bytes, int], ...] = field(default=(), repr=False)
    time_ms: int = 0

    @property
    def due(self) -> tuple[Row, ...]:
        """(op, type, statement) of what the tag has not taken yet, in order of delivery."""
        return tuple(row for row in self.statements if _hash(row[2]) not in self.taken)

    def refilled(self, rows: tuple[Row, ...]) -> "Pouch":
        """With *rows* from the archive in the place of all but time tokens still on the way."""
        kept = tuple(row for row in self.statements if row[1] == _TIME and row in self.due)
        statements = (*rows, *kept)[:_STATEMENTS_MAX]
        return replace(self, statements=statements)

    def with_taken(self, statement: bytes) -> "Pouch":
        """The tag has this one."""
        return replace(self, taken=(*self.taken, _hash(statement))[-_TAKEN_MAX:])

    def with_nonce(self, nonce: bytes, now_ms: int) -> "Pouch":
        """A nonce that the tag keeps open from now on."""
        return replace(self, nonces=(*self.nonces, (nonce, now_ms))[-_NONCES_MAX:])

    def with_token(self, nonce: bytes, op: int, token: bytes) -> "Pouch":
        """The archive has answered *nonce*."""
        nonces = tuple(row for row in self.nonces if row[0] != nonce)
        return replace(self, nonces=nonces, statements=(*self.statements, (op, _TIME, token)))

    def with_time(self, now_ms: int) -> "Pouch":
        """The tag took a time token now."""
        return replace(self, time_ms=now_ms)

    def live_nonces(self, now_ms: int) -> tuple[bytes, ...]:
        """Those a tag still knows."""
        return tuple(nonce for nonce, asked in self.nonces if now_ms - asked < NONCE_LIFE_MS)


class PouchShelf:
    """The pouches of one home. Raises StorageError."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def load(self, tid: bytes) -> Pouch:
        """The pouch of one tag, empty where there is none."""
        path = self._path(tid)
        try:
            content: Any = cbor2.loads(path.read_bytes())
            if content["version"] != 1:
                raise ValueError("version")
            return Pouch(
                tuple((int(op), int(kind), bytes(raw)) for op, kind, raw in content["statements"]),
                tuple(map(bytes, content["taken"])),
                tuple((bytes(nonce), int(asked)) for nonce, asked in content["nonces"]),
                int(content["time_ms"]),
            )
        except FileNotFoundError:
            return Pouch()
        except OSError as problem:
            raise StorageError(f"{path}: cannot be read: {problem.strerror}") from problem
        except (cbor2.CBORDecodeError, ValueError, TypeError, KeyError):
            raise StorageError(
                f"{path}: is damaged", "Remove it: the archive gives all of it out again."
            ) from None

    def save(self, tid: bytes, pouch: Pouch) -> None:
        """Keeps it, durable on return."""
        self._home.make(self._home.root / "carry")
        content = {
            "version": 1,
            "statements": [list(row) for row in pouch.statements],
            "taken": list(pouch.taken),
            "nonces": [list(row) for row in pouch.nonces],
            "time_ms": pouch.time_ms,
        }
        # A cut before this leaves the older pouch: what it holds is brought once more.
        atomic.write_bytes(self._path(tid), cbor2.dumps(content, canonical=True), mode=0o600)

    def _path(self, tid: bytes) -> Path:
        return self._home.root / "carry" / f"{tid.hex()}.cbor"


def _hash(statement: bytes) -> bytes:
    return hashlib.sha256(statement).digest()
