# SPDX-License-Identifier: MIT
"""Statements this home made or took in: they are public, and each is a file of its own.

    statements/service-0002.cbor             19, by number; the newest is the one in use
    statements/fleet-0001.cbor               21, in the order of the rotations
    statements/person-0007.cbor              25, by number
    statements/revocation-TID-0001.cbor      24, by tag and number

A file never changes once it is there. Who signed it is judged where it is used: a file
put here by somebody else convinces no verifier.
"""

from pathlib import Path

from sealtrail import atomic
from sealtrail.errors import StorageError
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import (
    FLEET,
    PERSON,
    REVOCATION,
    SERVICE,
    SIZE_MAX,
    RawStatement,
    read_statement,
)
from sealtrail.home import Home

_NOUNS = {SERVICE: "service", FLEET: "fleet", PERSON: "person", REVOCATION: "revocation"}
_NUMBER_KEYS = {SERVICE: 5, PERSON: 6, REVOCATION: 6}


class Shelf:
    """The statements of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def all(self, kind: int) -> list[RawStatement]:
        """Those of one type, oldest number first. Raises StorageError for a damaged file."""
        paths = sorted(self._home.statements.glob(f"{_NOUNS[kind]}-*.cbor"))
        found = [_read(path, kind) for path in paths]
        key = _NUMBER_KEYS.get(kind)
        return found if key is None else sorted(found, key=lambda one: one.number(key))

    def next_number(self, kind: int) -> int:
        """One above the highest number given; for type 21, their count plus one."""
        found = self.all(kind)
        key = _NUMBER_KEYS.get(kind)
        return 1 + (len(found) if key is None else max((x.number(key) for x in found), default=0))

    def put(self, raw: bytes) -> Path:
        """Stores a statement, durable on return; the same one twice is stored once.

        Raises StorageError where another statement has its number.
        """
        statement = read_statement(raw)
        if any(one.raw == raw for one in self.all(statement.type)):
            return self.path_of(statement, len(self.all(statement.type)))
        path = self.path_of(statement, self.next_number(statement.type))
        if path.exists():
            raise StorageError(
                f"{path}: another statement has this number", "Restore the newest back-up."
            )
        self._home.make(path.parent)
        atomic.write_bytes(path, raw)
        return path

    def path_of(self, statement: RawStatement, place: int) -> Path:
        """Where a statement lies; *place* is the number of one that carries none."""
        key = _NUMBER_KEYS.get(statement.type)
        number = place if key is None else statement.number(key)
        tid = f"-{statement.octets(1).hex()}" if statement.type == REVOCATION else ""
        return self._home.statements / f"{_NOUNS[statement.type]}{tid}-{number:04}.cbor"


def _read(path: Path, kind: int) -> RawStatement:
    try:
        with open(path, "rb") as file:
            statement = read_statement(file.read(SIZE_MAX + 1))
    except OSError as problem:
        raise StorageError(f"{path}: cannot read: {problem.strerror}") from problem
    except Refusal as refusal:
        raise StorageError(
            f"{path}: is no statement ({refusal.reason})", "Restore it from a back-up."
        ) from None
    if statement.type != kind:
        raise StorageError(f"{path}: is another statement", "Restore it from a back-up.")
    return statement
