# SPDX-License-Identifier: MIT
"""Judges one upload against what is held, and says what is to be written. No I/O.

Each record finds its place: next in the chain (all rules), known, loose (a gap lies before
it: form and links only), or a fork (its place is taken, and the tag's key has signed it).
The first that has none ends the work; what came before it is kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sealtrail.archive.sequence import ReadRecord, Refused, Upload
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.payload import UNSIGNED
from sealtrail.evidence.refusal import Refusal

REVOCATION_EVENT = 46
LOOSE_MAX = 65_536  # of one tag
_SAME_SEQ_MAX = 4  # loose ones with one number: only one can be the tag's


@dataclass(slots=True)
class Changes:
    """What an upload changes. *gone*: loose records that found their place or have none."""

    chain: list[ReadRecord] = field(default_factory=list)
    loose: dict[int, ReadRecord] = field(default_factory=dict)  # by seq
    forks: list[ReadRecord] = field(default_factory=list)
    gone: list[ReadRecord] = field(default_factory=list)
    known_count: int = 0
    confirmed_floor: int = 0
    refused: Refused | None = None
    is_spoiled: bool = False  # the judge has seen what does not hold


class LooseHeld(Protocol):
    """The loose records on the disk."""

    def count(self) -> int: ...

    def hashes(self, seq: int) -> Sequence[bytes]: ...

    def fetch(self, seq: int) -> Sequence[ReadRecord]: ...

    def seqs_below(self, seq: int) -> Sequence[int]: ...


class Intake:
    """One upload for one tag. *forks*: those held."""

    def __init__(self, judge: ChainJudge, loose: LooseHeld, forks: Iterable[ReadRecord]) -> None:
        self._judge = judge
        self._held = loose
        self._loose_count = loose.count()
        self._forks = {one.hash: one for one in forks}
        self._due: list[ReadRecord] = []  # taken by the judge, signatures not settled
        # Refused by the judge; its signature may be what is wrong first.
        self._failing: ReadRecord | None = None
        self.changes = Changes()

    def take(self, upload: Upload) -> Changes:
        """Judges all records of *upload*, then what is loose. Call once."""
        before: ReadRecord | None = None
        is_before_stray = False
        for one in upload.records:
            try:
                is_before_stray = self._place(one, before, is_before_stray)
            except Refusal as refusal:
                self._settle()
                if self.changes.refused is None:
                    self._refuse(one.index, one.seq, refusal)
                break
            before = one
        self._settle()
        if not self.changes.is_spoiled:
            self._anchor()
            self._sort_passed()
        if self.changes.refused is None:
            self.changes.refused = upload.refused
        return self.changes

    def _place(self, one: ReadRecord, before: ReadRecord | None, is_before_stray: bool) -> bool:
        """Finds the place of one record; True if it is a fork. Raises Refusal."""
        follows = before is not None and one.seq == before.seq + 1
        if before is not None and follows and one.payload.prev != before.hash:
            raise Refusal("R9", "previous hash does not match", "cut, swapped or from elsewhere")
        if one.seq < self._judge.count and self._judge.hashes[one.seq] == one.hash:
            self.changes.known_count += 1
            return False
        is_next = one.seq == self._judge.count
        if is_next and one.payload.prev == self._judge.head_hash:
            self._extend(one)
            return False
        if one.seq <= self._judge.count or (follows and is_before_stray):
            self._take_fork(one)
            return True
        self._take_loose(one)
        return False

    def _extend(self, one: ReadRecord) -> None:
        try:
            self._judge.take(one.raw, one.envelope, one.payload)
        except Refusal:
            self.changes.is_spoiled = True
            self._failing = one
            raise
        self._due.append(one)

    def _settle(self) -> None:
        """R10 for what the judge took; what fails, and all behind it, is not kept."""
        due, self._due = self._due, []
        bad_seq = self._judge.settle()
        for one in due:
            if bad_seq is not None and one.seq >= bad_seq:
                break
            self.changes.chain.append(one)
            for event in one.payload.events:
                if event.code == REVOCATION_EVENT:
                    self._note_floor(event.content)
        if bad_seq is not None:
            bad = next((one for one in due if one.seq == bad_seq), self._failing)
            assert bad is not None
            refusal = Refusal(
                "R10", "record signature wrong", "changed after signing, or by another key"
            )
            self.changes.is_spoiled = True
            self._refuse(bad.index, bad_seq, refusal)
            loose = self.changes.loose
            self.changes.loose = {seq: loose[seq] for seq in loose if seq < bad_seq}
            self.changes.forks = [x for x in self.changes.forks if x.seq < bad_seq]

    def _note_floor(self, content: object) -> None:
        """The chain says which floor the tag has taken (T4)."""
        if isinstance(content, list) and len(content) == 3 and type(content[1]) is int:
            self.changes.confirmed_floor = max(self.changes.confirmed_floor, content[1])

    def _take_fork(self, one: ReadRecord) -> None:
        """Keeps another record of a known seq, if the tag's key signed it. Raises Refusal."""
        if one.hash in self._forks:
            self.changes.known_count += 1
            return
        self._settle()
        if self.changes.is_spoiled:
            raise Refusal("R9", "previous hash does not match")
        if not self._is_signed(one):
            raise Refusal(
                "R9", "previous hash does not match", "not the record held, nor signed by the tag"
            )
        self._forks[one.hash] = one
        self.changes.forks.append(one)

    def _is_signed(self, one: ReadRecord) -> bool:
        """Whether a key that the tag had at that place, in the chain or the fork, signed it."""
        if one.payload.kind == UNSIGNED:
            return False
        keys = [self._judge.key_behind(one.seq - 1)]
        for other in self._forks.values():
            if other.payload.next_key is not None and other.seq < one.seq:
                keys.append(VerifyingKey(other.payload.next_key))
        return any(key.allows(one.payload.algorithm) and key.holds(one.envelope) for key in keys)

    def _take_loose(self, one: ReadRecord) -> None:
        same = self._held.hashes(one.seq)
        if one.hash in same:
            self.changes.known_count += 1
            return
        if len(same) >= _SAME_SEQ_MAX or self._loose_count >= LOOSE_MAX:
            raise Refusal("R8", "sequence number out of order", "too many records without a chain")
        self._loose_count += 1
        self.changes.loose[one.seq] = one

    # ---- loose records whose turn has come

    def _anchor(self) -> None:
        while not self.changes.is_spoiled:
            genuine = [x for x in self._loose_at(self._judge.count) if self._is_next(x)]
            if not genuine:
                return
            try:
                self._extend(genuine[0])
            except Refusal:
                return  # signed by the tag, and breaks a rule: it stays loose, for people
            self._settle()
            self._leave(genuine[0])

    def _loose_at(self, seq: int) -> list[ReadRecord]:
        arrived = self.changes.loose.get(seq)
        return [*self._held.fetch(seq), *([] if arrived is None else [arrived])]

    def _is_next(self, one: ReadRecord) -> bool:
        if one.payload.prev != self._judge.head_hash:
            return False
        key = self._judge.key_behind(one.seq - 1)
        is_signed = key.allows(one.payload.algorithm) and key.holds(one.envelope)
        return one.payload.kind == UNSIGNED or is_signed

    def _leave(self, one: ReadRecord) -> None:
        """Takes *one* from the loose ones, wherever it lies."""
        if self.changes.loose.get(one.seq) is one:
            del self.changes.loose[one.seq]
        else:
            self.changes.gone.append(one)

    def _sort_passed(self) -> None:
        """Loose ones whose place the chain has taken: a fork if the tag signed them."""
        end = self._judge.count
        left = {one.hash for one in self.changes.gone}
        passed = [x for x in self.changes.loose.values() if x.seq < end]
        for seq in self._held.seqs_below(end):
            passed += [x for x in self._held.fetch(seq) if x.hash not in left]
        for one in passed:
            self._leave(one)
            if self._judge.hashes[one.seq] != one.hash and self._is_signed(one):
                self._forks[one.hash] = one
                self.changes.forks.append(one)

    def _refuse(self, index: int, seq: int | None, refusal: Refusal) -> None:
        self.changes.refused = Refused(index, seq, refusal.rule, refusal.reason, refusal.detail)


def runs_of(seqs: Iterable[int]) -> list[tuple[int, int]]:
    """[first, last] of each run in ascending numbers."""
    runs: list[tuple[int, int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], seq)
        elif not runs or seq != runs[-1][1]:
            runs.append((seq, seq))
    return runs
