# SPDX-License-Identifier: MIT
"""The chains of the tags as the verifier's own judge left them, ready for the next record.

A judge is rebuilt from the records on the disk, all rules and signatures over again: what
the disk has changed is found there, and nothing is built on it. The last used stay in
memory. Whoever uses one holds the tag's lock, and drops it when his write fails.
"""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator

from sealtrail.archive.database import Database
from sealtrail.archive.sequence import read_record
from sealtrail.errors import StorageError
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.refusal import Refusal

_KEPT_COUNT = 64
_BATCH = 256


class Chains:
    """Judges by tid, and one lock a tag."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[bytes, ChainJudge] = OrderedDict()
        self._locks: dict[bytes, threading.Lock] = {}
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def locked(self, tid: bytes) -> Iterator[None]:
        """One upload of a tag at a time."""
        with self._guard:
            lock = self._locks.setdefault(tid, threading.Lock())
        with lock:
            yield

    def load(self, tid: bytes, certificate: bytes, public_key: bytes) -> ChainJudge:
        """The judge behind the last record held. Raises StorageError for damaged records."""
        with self._guard:
            kept = self._kept.get(tid)
            if kept is not None:
                self._kept.move_to_end(tid)
                return kept
        judge = self._replayed(tid, certificate, public_key)
        with self._guard:
            self._kept[tid] = judge
            while len(self._kept) > _KEPT_COUNT:
                self._kept.popitem(last=False)
        return judge

    def drop(self, tid: bytes) -> None:
        """Forgets a judge that took what was not written, or that a refusal has spoiled."""
        with self._guard:
            self._kept.pop(tid, None)

    def _replayed(self, tid: bytes, certificate: bytes, public_key: bytes) -> ChainJudge:
        judge = ChainJudge(certificate, public_key)
        while True:
            rows = self._database.rows(
                "select seq, raw, hash from record where tid=? and seq>=? order by seq limit ?",
                (tid, judge.count, _BATCH),
            )
            if not rows:
                return judge
            for seq, raw, record_hash in rows:
                self._take(judge, seq, raw, record_hash)
            bad_seq = judge.settle()
            if bad_seq is not None:
                raise self._damaged(bad_seq)

    def _take(self, judge: ChainJudge, seq: int, raw: bytes, record_hash: bytes) -> None:
        try:
            one = read_record(raw)
            if seq != judge.count or hashlib.sha256(raw).digest() != record_hash:
                raise Refusal("R8", "not the record that was stored")
            judge.take(one.raw, one.envelope, one.payload)
        except Refusal as refusal:
            raise self._damaged(seq) from refusal

    def _damaged(self, seq: int) -> StorageError:
        return StorageError(
            f"{self._database.path}: record {seq} of a tag is damaged or gone",
            "Restore the archive from a back-up; what came since then can be uploaded again.",
        )
