# SPDX-License-Identifier: MIT
"""What is held of each tag, as docs/archive.md 1.1 says it, and the evidence file of one."""

from typing import Any

from sealtrail.archive.database import Database
from sealtrail.archive.intake import runs_of
from sealtrail.evidence.certificate import FleetKey, judge_certificate
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import (
    FLEET,
    PERSON,
    REVOCATION,
    SERVICE,
    StatementJudge,
    service_kid,
)
from sealtrail.home import Home
from sealtrail.keys import person, service
from sealtrail.keys.shelf import Shelf

_LAST = {REVOCATION: 1}
_FIRST = {SERVICE: -2, PERSON: -1}


class Holdings:
    """Reads one archive."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._home = home

    def tids(self) -> list[bytes]:
        """Every tag of which anything is held, by serial."""
        return [row[0] for row in self._database.rows("select tid from tag order by serial, tid")]

    def certificate(self, tid: bytes) -> bytes | None:
        """The tag's certificate, None for a tag nobody has brought anything of."""
        row = self._database.row("select certificate from tag where tid=?", (tid,))
        return None if row is None else bytes(row[0])

    def confirmed_floor(self, tid: bytes) -> int:
        """The highest floor of tickets that the tag's chain says it has taken."""
        row = self._database.row("select confirmed_floor from tag where tid=?", (tid,))
        return 0 if row is None else int(row[0])

    def held(self, tid: bytes) -> dict[str, Any] | None:
        """The object *held* without the reason of a receipt withheld; None: nothing."""
        row = self._database.row(
            "select serial, seen_head, last_seen_ms from tag where tid=?", (tid,)
        )
        if row is None:
            return None
        serial, seen_head, last_seen_ms = row
        head = self._database.row(
            "select seq, hash from record where tid=? order by seq desc limit 1", (tid,)
        )
        loose = self._database.rows("select seq from loose where tid=? order by seq", (tid,))
        receipt = self.newest_receipt(tid)
        return {
            "tid": tid.hex(),
            "serial": serial,
            "first": 0,
            "head": -1 if head is None else head[0],
            "head_hash": None if head is None else head[1].hex(),
            "loose": [list(run) for run in runs_of(seq for (seq,) in loose)],
            "seen_head": seen_head,
            "forks": self.forks(tid),
            "revoked_after": self.revoked_after(tid),
            "receipt": None if receipt is None else receipt[1].hex(),
            "receipt_seq": None if receipt is None else receipt[0],
            "last_seen_ms": last_seen_ms,
        }

    def newest_receipt(self, tid: bytes) -> tuple[int, bytes, bytes] | None:
        """(seq, statement 17, key id) of the receipt to carry.

        One by the service key in use goes first: an older key may be withdrawn.
        """
        newest = service.newest(self._home)
        kid = b"" if newest is None else service_kid(newest)
        row = self._database.row(
            "select seq, raw, kid from receipt where tid=? order by kid=? desc, seq desc limit 1",
            (tid, kid),
        )
        return None if row is None else (int(row[0]), bytes(row[1]), bytes(row[2]))

    def forks(self, tid: bytes) -> list[dict[str, Any]]:
        """Each seq that has more than one record, with the hashes of all."""
        rows = self._database.rows(
            "select f.seq, r.hash, f.hash from fork f left join record r"
            " on r.tid=f.tid and r.seq=f.seq where f.tid=? order by f.seq",
            (tid,),
        )
        found: dict[int, list[str]] = {}
        for seq, ours, other in rows:
            hashes = found.setdefault(seq, [] if ours is None else [ours.hex()])
            hashes.append(other.hex())
        return [{"seq": seq, "hashes": hashes} for seq, hashes in found.items()]

    def revoked_after(self, tid: bytes) -> int | None:
        """The last record that the fleet still trusts, None for a tag that is not revoked."""
        rows = self._database.rows(
            "select seq from statement where tid=? and type=?", (tid, REVOCATION)
        )
        named = [one for one in Shelf(self._home).all(REVOCATION) if one.octets(1) == tid]
        return min([seq for (seq,) in rows] + [one.number(2) for one in named], default=None)

    def evidence(self, tid: bytes, judge: ChainJudge, fleet: list[FleetKey]) -> bytes | None:
        """`evidence.seal` of the chain, with every statement that holds; None: unknown tag.

        Loose records are no part of it: nobody could verify the file.
        """
        certificate = self.certificate(tid)
        if certificate is None:
            return None
        judge_certificate(certificate, fleet)
        rows = self._database.rows("select raw from record where tid=? order by seq", (tid,))
        records = [bytes(raw) for (raw,) in rows]
        return b"".join([certificate, *records, *self._statements(tid, records, judge, fleet)])

    def _statements(
        self, tid: bytes, records: list[bytes], judge: ChainJudge, fleet: list[FleetKey]
    ) -> list[bytes]:
        rows = self._database.rows(
            "select type, raw from statement where tid=? order by id", (tid,)
        )
        rows.sort(key=lambda row: _FIRST.get(row[0], _LAST.get(row[0], 0)))
        shelf = Shelf(self._home)
        named = person.named_in(self._home, records)
        receipt = self.newest_receipt(tid)
        vouching = [one.raw for one in shelf.all(SERVICE)] if receipt or named else []
        revoked = [one.raw for one in shelf.all(REVOCATION) if one.octets(1) == tid]
        offered = [*vouching, *named, *(raw for _, raw in rows), *revoked]
        offered += [receipt[1]] if receipt else []
        statements = StatementJudge(tid, judge, fleet)
        kept: dict[bytes, None] = {}
        for raw in offered:
            try:
                statement, _ = statements.take(raw)
            except Refusal:
                continue  # it would have the whole file refused
            if statement.type != FLEET:
                kept[raw] = None
        return list(kept)
