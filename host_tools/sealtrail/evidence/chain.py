# SPDX-License-Identifier: MIT
"""Records in order (R7 to R16): the state a chain has, and what each record may do to it.

No I/O. `ChainJudge.take` is called with one record after the other; the first that breaks
a rule raises Refusal, and nothing it said has entered the state.

Signatures (R10) fall due in `take` and are verified many at once by `settle`: taken in
turns, libsodium and Python drive each other out of the processor's cache, a tenth of the
time. Whoever calls `take` believes nothing before `settle` and, where `take` refused,
asks it first: an earlier signature, or that of the same record, may be what is wrong.
"""

import hashlib

from sealtrail.evidence.cose import Envelope, VerifyingKey
from sealtrail.evidence.payload import CRASH_BLOCK, END, UNSIGNED, Payload
from sealtrail.evidence.refusal import Refusal

CLOCK_RESET = 37
# R12: clocks of tags are trusted to 5 %; anything beyond is no drift but a contradiction.
_DRIFT_PPM = 50_000
_FAR_MS = 1 << 62  # an upper bound that nobody knows: beyond every other, however moved


class ChainJudge:
    """The chain of one enrolment, from its certificate on."""

    def __init__(self, certificate_item: bytes, public_key: bytes) -> None:
        self._enrolled = VerifyingKey(public_key)
        self._key = self._enrolled
        self._keys_seen = {public_key}
        self._algorithms = self._enrolled.algorithms
        self.head_hash = hashlib.sha256(certificate_item).digest()
        self.count = 0
        self.hashes: list[bytes] = []
        # (seq of the first record a key signs, key): for attestations (R18).
        self.epochs: list[tuple[int, VerifyingKey]] = [(0, self._enrolled)]
        # Signatures not verified yet: (seq, the key in force, envelope).
        self.due: list[tuple[int, VerifyingKey, Envelope]] = []
        self._boot = 0
        self._up_ms = 0
        self._clock = _ClockBounds()
        self._sealed_by = 0
        self._has_ended = False
        self._is_unsigned = False

    def take(self, item: bytes, envelope: Envelope, payload: Payload) -> bytes:
        """Judges the next record; returns its SHA-256."""
        if payload.algorithm not in self._algorithms:
            raise Refusal("R7", "algorithm does not fit the key", f"algorithm {payload.algorithm}")
        if payload.seq != self.count:
            detail = f"{payload.seq} instead of {self.count}"
            if self.count == 0:
                detail += "; a ticket for one trip fetches that trip's records only"
            raise Refusal("R8", "sequence number out of order", detail)
        if payload.prev != self.head_hash:
            raise Refusal("R9", "previous hash does not match", "cut, swapped or from elsewhere")
        if self._has_ended:
            raise Refusal("R15", "record after the end")
        if payload.kind == UNSIGNED or self._is_unsigned:
            self._judge_unsigned(envelope, payload)
        else:
            self.due.append((payload.seq, self._key, envelope))
        self._judge_time(payload)
        self._judge_crash(payload)
        if payload.next_key is not None:
            self._judge_epoch(payload.next_key)
        self._advance(payload)
        self.head_hash = hashlib.sha256(item).digest()
        self.hashes.append(self.head_hash)
        self.count += 1
        return self.head_hash

    def settle(self) -> int | None:
        """R10: verifies what is due; the seq of the first record that fails, None if none."""
        due, self.due = self.due, []
        for seq, key, envelope in due:
            if not key.holds(envelope):
                return seq
        return None

    def key_behind(self, seq: int) -> VerifyingKey:
        """The epoch key in force behind record *seq* (R18, statement 23)."""
        in_force = self._enrolled
        for first_seq, key in self.epochs:
            if first_seq <= seq + 1:
                in_force = key
        return in_force

    def _judge_unsigned(self, envelope: Envelope, payload: Payload) -> None:
        if payload.kind != UNSIGNED:
            raise Refusal("R16", "signed record after an unsigned block")
        if any(envelope.signature):
            raise Refusal("R16", "unsigned block with a signature")

    def _judge_time(self, payload: Payload) -> None:
        if payload.boot < self._boot:
            raise Refusal("R11", "boot number goes back", f"{payload.boot} after {self._boot}")
        if payload.boot == self._boot and payload.up_ms < self._up_ms:
            raise Refusal("R11", "uptime goes back", f"{payload.up_ms} after {self._up_ms} ms")
        for event in payload.events:
            if event.code == CLOCK_RESET:
                self._clock.forget()
        if payload.utc is not None:
            self._clock.take(payload.boot, payload.up_ms, payload.utc)

    def _judge_crash(self, payload: Payload) -> None:
        sealed_by = payload.sealed_by_boot
        if payload.kind == CRASH_BLOCK:
            assert sealed_by is not None
            if sealed_by <= payload.boot or sealed_by < self._sealed_by:
                raise Refusal("R13", "crash block out of place", f"sealed by boot {sealed_by}")
        elif payload.boot < self._sealed_by:
            raise Refusal("R13", "crash block out of place", f"boot {payload.boot} follows one")

    def _judge_epoch(self, key: bytes) -> None:
        if key in self._keys_seen:
            raise Refusal("R14", "epoch key repeated")
        if VerifyingKey(key).is_ed25519 != self._enrolled.is_ed25519:
            raise Refusal("R14", "epoch key does not fit the algorithm")

    def _advance(self, payload: Payload) -> None:
        self._boot, self._up_ms = payload.boot, payload.up_ms
        if payload.sealed_by_boot is not None:
            self._sealed_by = payload.sealed_by_boot
        if payload.next_key is not None:
            self._key = VerifyingKey(payload.next_key)
            self._keys_seen.add(payload.next_key)
            self.epochs.append((payload.seq + 1, self._key))
        self._has_ended = payload.kind == END
        self._is_unsigned = payload.kind == UNSIGNED


class _ClockBounds:
    """R12: intervals of one boot must have a common time; over boots time does not go back."""

    def __init__(self) -> None:
        self._boot: int | None = None
        self._up_ms = 0
        self._lo_ms = 0
        self._hi_ms = _FAR_MS
        self._floor_ms = 0  # highest lower bound of all records so far

    def forget(self) -> None:
        """What came before says nothing any more (CLOCK_RESET)."""
        self._boot, self._floor_ms = None, 0

    def take(self, boot: int, up_ms: int, utc: tuple[int, int, int | None]) -> None:
        """Holds *utc* (lo_s, source, width_s) against the earlier ones. Raises Refusal R12."""
        lo_s, _, width_s = utc
        lo_ms = lo_s * 1000
        floor_ms = lo_ms if lo_ms > self._floor_ms else self._floor_ms
        hi_ms = _FAR_MS if width_s is None else lo_ms + width_s * 1000
        if hi_ms < self._floor_ms:
            raise _contradiction()
        if self._boot == boot:
            passed_ms = up_ms - self._up_ms
            slack_ms = -(-passed_ms * _DRIFT_PPM // 1_000_000)
            early_ms = self._lo_ms + passed_ms - slack_ms
            late_ms = self._hi_ms + passed_ms + slack_ms
            if hi_ms < early_ms or lo_ms > late_ms:
                raise _contradiction()
            lo_ms = early_ms if early_ms > lo_ms else lo_ms
            hi_ms = late_ms if late_ms < hi_ms else hi_ms
        self._boot, self._up_ms, self._lo_ms, self._hi_ms = boot, up_ms, lo_ms, hi_ms
        self._floor_ms = floor_ms


def _contradiction() -> Refusal:
    return Refusal("R12", "UTC contradicts an earlier interval")
