# SPDX-License-Identifier: MIT
"""What the archive signs with the service key: receipts (17) and time tokens (16).

A receipt says that all records of a tag up to one are here, verified and on the disk: the
tag may overwrite them. So the records are read back from the disk before it is signed, and
a tag with a fork or a revocation gets none (F3, R5).
"""

import hashlib
from typing import Any

from sealtrail.archive.database import Database
from sealtrail.archive.holdings import Holdings
from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.statements import RECEIPT, TIME
from sealtrail.home import Home
from sealtrail.keys import service
from sealtrail.keys.secrets import Vault
from sealtrail.keys.statements import signed

FORK, REVOKED, NO_KEY, LOST = "fork", "revoked", "no service key", "lost"
_CLOCK_ERROR = "clock_error_ms"
CLOCK_ERROR_MAX_MS = 3_600_000


class ClockNotStated(UsageError):
    """Nobody has said how wrong this computer's clock may be."""


class ServiceDesk:
    """Signs for one archive. *vault* None: it has no keys and signs nothing."""

    def __init__(self, database: Database, home: Home, vault: Vault | None, clock: Clock) -> None:
        self._database = database
        self._home = home
        self._vault = vault
        self._clock = clock
        self._holdings = Holdings(database, home)

    def receipt_for(self, tid: bytes, judge: ChainJudge) -> str:
        """Makes a receipt of the whole chain where there is none yet.

        Returns "" or why there is no newer one. For who holds the tag's lock.
        """
        seq = judge.count - 1
        why = self._why_none(tid) if seq >= 0 else ""
        if why or seq < 0:
            return why
        try:
            signer = self._signer("receipt")
        except AccessRefused:
            return NO_KEY
        last_seq = self._last_seq(tid, signer.kid)
        if last_seq >= seq:
            return ""
        if not self._is_held(tid, last_seq, judge):
            return LOST
        self._sign_receipt(tid, seq, judge.hashes[seq], signer)
        return ""

    def why_withheld(self, held: dict[str, Any]) -> str:
        """Why a tag has no receipt of its head, for the object *held*; "" where it has one."""
        if held["receipt_seq"] == held["head"] or held["head"] < 0:
            return ""
        return self._why_none(bytes.fromhex(held["tid"])) or NO_KEY

    def _why_none(self, tid: bytes) -> str:
        if self._holdings.forks(tid):
            return FORK
        return REVOKED if self._holdings.revoked_after(tid) is not None else ""

    def _sign_receipt(
        self, tid: bytes, seq: int, record_hash: bytes, signer: service.ServiceKey
    ) -> None:
        now_ms = self._clock.now_ms()
        fields: dict[int, object] = {1: tid, 2: seq, 3: record_hash, 4: now_ms}
        made = signed(signer.key, RECEIPT, fields, signer.kid)
        # Durable before it is given out, so that what a tag was told can be looked up.
        self._database.write(
            lambda db: db.execute(
                "insert or ignore into receipt values(?,?,?,?,?)",
                (tid, seq, signer.kid, made, now_ms),
            )
        )

    def time_token(self, tid: bytes, nonce: bytes) -> bytes:
        """Statement 16: now, with the stated error, for one nonce of one tag (16 B).

        Raises ClockNotStated, AccessRefused without a key that may sign it.
        """
        err_ms = self.clock_error_ms()
        if err_ms is None:
            raise ClockNotStated(
                "nobody has stated how wrong this computer's clock may be",
                "`sealtrail archive init --clock-error-ms N` states it.",
            )
        signer = self._signer("time")
        fields: dict[int, object] = {1: tid, 2: nonce, 3: self._clock.now_ms(), 4: err_ms}
        return signed(signer.key, TIME, fields, signer.kid)

    def clock_error_ms(self) -> int | None:
        """How far this computer's clock may be off, as its owner stated it."""
        row = self._database.row("select value from setting where name=?", (_CLOCK_ERROR,))
        return None if row is None else int(row[0])

    def state_clock_error(self, err_ms: int) -> None:
        """Keeps the owner's statement, 1 to 3,600,000 ms; durable on return."""
        if not 1 <= err_ms <= CLOCK_ERROR_MAX_MS:
            raise UsageError(f"--clock-error-ms: 1 to {CLOCK_ERROR_MAX_MS} ms")
        self._database.write(
            lambda db: db.execute(
                "insert into setting values(?,?) on conflict(name) do update set"
                " value=excluded.value",
                (_CLOCK_ERROR, str(err_ms)),
            )
        )

    def _signer(self, usage: str) -> service.ServiceKey:
        if self._vault is None:
            raise AccessRefused("this archive runs without its keys", "Start it without --sealed.")
        return service.load(self._home, self._vault, self._clock, usage)

    def _last_seq(self, tid: bytes, kid: bytes) -> int:
        """The last record with a receipt by this key: after a rotation all begins anew."""
        row = self._database.row("select max(seq) from receipt where tid=? and kid=?", (tid, kid))
        return -1 if row is None or row[0] is None else int(row[0])

    def _is_held(self, tid: bytes, last_seq: int, judge: ChainJudge) -> bool:
        """Whether the disk gives back every record from the last receipt to the judge's head."""
        expected = last_seq + 1
        while expected < judge.count:
            rows = self._database.rows(
                "select seq, raw from record where tid=? and seq>=? order by seq limit 256",
                (tid, expected),
            )
            for seq, raw in rows:
                if seq != expected or hashlib.sha256(raw).digest() != judge.hashes[seq]:
                    return False
                expected += 1
            if not rows:
                return False
        row = self._database.row(
            "select count(*) from record where tid=? and seq<?", (tid, judge.count)
        )
        return row is not None and row[0] == judge.count
