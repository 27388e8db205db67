# SPDX-License-Identifier: MIT
"""Whole evidence: order, chain, signatures, clocks, epochs, end (R8 to R16)."""

from sealwire import cbor, labels
from tests.vectors.cases_evidence import case, three
from tests.vectors.chain import (
    P256_ORDER,
    START_UTC_S,
    STRANGER,
    TAG,
    TAG_EPOCH_1,
    TAG_ES256,
    Chain,
    certificate,
    cose_sign1,
)

_LID: list[tuple[int, object]] = [(labels.EVENT_LID_OPEN, None)]


# R8 to R10: the chain.


@case("R8", "sequence number out of order", 1)
def r8_begins_at_1() -> object:
    """The first record was left out."""
    chain = three()
    del chain.records[0]
    return chain


@case("R8", "sequence number out of order", 2)
def r8_gap() -> object:
    """A record in the middle was left out."""
    chain = three()
    del chain.records[1]
    return chain


@case("R8", "sequence number out of order", 3)
def r8_doubled() -> object:
    """A record stands twice."""
    chain = three()
    chain.records.insert(2, chain.records[1])
    return chain


@case("R9", "previous hash does not match", 2)
def r9_other_history() -> object:
    """Right number, right signature, another history."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(events=_LID, changes={2: bytes(32)})
    return chain


@case("R9", "previous hash does not match", 1)
def r9_other_certificate() -> object:
    """The chain of another enrolment of the same key."""
    chain = three()
    chain.certificate = certificate(issued_at_s=1_790_000_001)
    return chain


@case("R10", "record signature wrong", 2)
def r10_flipped_value() -> object:
    """One reading changed by 0.01 degrees."""
    chain = three()
    chain.records[1] = chain.records[1].replace(b"\x39\x3a\xa3", b"\x39\x3a\xa4")
    return chain


@case("R10", "record signature wrong", 2)
def r10_stranger() -> object:
    """Signed by somebody else."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(events=_LID, key=STRANGER)
    return chain


@case("R10", "record signature wrong", 1)
def r10_s_plus_l() -> object:
    """S + L instead of S: the same curve point, another record (RFC 8032 5.1.7)."""
    chain = Chain()
    good = chain.add(events=_LID)
    s = int.from_bytes(good[-32:], "little") + 2**252 + 27742317777372353535851937790883648493
    chain.records[0] = good[:-32] + s.to_bytes(32, "little")
    return chain


def _p256_chain() -> Chain:
    return Chain(key=TAG_ES256, certificate=certificate(TAG_ES256))


@case("R10", "record signature wrong", 1)
def r10_p256_upper_half() -> object:
    """order - s instead of s: as good to ECDSA, and another record."""
    chain = _p256_chain()
    good = chain.add(events=_LID)
    s = P256_ORDER - int.from_bytes(good[-32:], "big")
    chain.records[0] = good[:-32] + s.to_bytes(32, "big")
    return chain


@case("R10", "record signature wrong", 1)
def r10_p256_zero() -> object:
    """r and s 0."""
    chain = _p256_chain()
    chain.add(events=_LID, signature=bytes(64))
    return chain


@case("R10", "record signature wrong", 1)
def r10_p256_stranger() -> object:
    """Signed by an Ed25519 key under a header that says -7."""
    chain = _p256_chain()
    chain.add(events=_LID, key=TAG, protected=b"\xa1\x01\x26")
    return chain


# R11: boots and uptime.


@case("R11", "boot number goes back", 2)
def r11_boot_back() -> object:
    """Boot 2, then boot 1."""
    chain = Chain(boot=2)
    chain.add(events=_LID)
    chain.add(boot=1, events=_LID)
    return chain


@case("R11", "uptime goes back", 2)
def r11_uptime_back() -> object:
    """The same boot, one millisecond earlier."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(after_ms=-1, events=_LID)
    return chain


# R12: UTC.


@case("R12", "UTC contradicts an earlier interval", 2)
def r12_too_late() -> object:
    """A minute of uptime, an hour of UTC."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(events=_LID, utc=(START_UTC_S + 3600, 3, 2))
    return chain


@case("R12", "UTC contradicts an earlier interval", 2)
def r12_too_early() -> object:
    """A minute of uptime, UTC ten minutes back."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(events=_LID, utc=(START_UTC_S - 600, 3, 2))
    return chain


@case("R12", "UTC contradicts an earlier interval", 2)
def r12_back_over_a_boot() -> object:
    """Another boot cannot lie before an earlier lower bound either."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(boot=2, events=_LID, utc=(START_UTC_S - 600, 3, 2))
    return chain


@case("", "ok", completeness="unproved")
def r12_clock_reset() -> object:
    """CLOCK_RESET, ordered by the archive, ends all bounds before it."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(events=[(labels.EVENT_CLOCK_RESET, None)], utc=(START_UTC_S - 600, 3, 2))
    return chain


@case("", "ok", completeness="unproved")
def r12_drift_of_4_percent() -> object:
    """A clock without a crystal: 1,000 s of uptime were 1,040 s."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(after_ms=1_000_000, events=_LID, utc=(START_UTC_S + 60 + 1040, 3, 0))
    return chain


# R13: blocks sealed after a crash.


@case("R13", "crash block out of place", 2)
def r13_sealed_by_the_same_boot() -> object:
    """A boot cannot seal its own crash."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(labels.KIND_CRASH_BLOCK, events=_LID, sealed_by_boot=1, utc=None)
    return chain


@case("R13", "crash block out of place", 3)
def r13_boot_before_its_seal() -> object:
    """Sealed by boot 3, but the next record is of boot 2."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(labels.KIND_CRASH_BLOCK, events=_LID, sealed_by_boot=3, utc=None)
    chain.add(boot=2, events=_LID, utc=None)
    return chain


# R14: key epochs.


@case("R10", "record signature wrong", 3)
def r14_old_key_after_roll() -> object:
    """The old key signs on after its roll."""
    chain = Chain()
    chain.add(events=_LID)
    chain.roll(TAG_EPOCH_1)
    chain.add(events=_LID, key=TAG)
    return chain


@case("R14", "epoch key repeated", 2)
def r14_back_to_the_first() -> object:
    """Roll to the key in force."""
    chain = Chain()
    chain.add(events=_LID)
    chain.roll(TAG)
    return chain


@case("R14", "epoch key does not fit the algorithm", 1)
def r14_33_bytes() -> object:
    """A P-256 point in a chain of Ed25519."""
    chain = Chain()
    chain.roll(TAG_ES256)
    return chain


@case("R14", "epoch key does not fit the algorithm", 1)
def r14_32_bytes() -> object:
    """An Ed25519 key in a chain of P-256."""
    chain = _p256_chain()
    chain.roll(TAG)
    return chain


# R15, R16: the end, and the lost key.


@case("R15", "record after the end", 3)
def r15_after_end() -> object:
    """The key was to be erased."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(labels.KIND_END)
    chain.add(events=_LID)
    return chain


@case("R16", "unsigned block with a signature", 2)
def r16_signed_unsigned() -> object:
    """Kind 6 with a true signature is a contradiction."""
    chain = Chain()
    chain.add(events=_LID)
    payload = cbor.decode(b"\x84" + chain.add(labels.KIND_UNSIGNED, events=_LID)[2:])
    assert isinstance(payload, list)
    chain.records[1] = cose_sign1(TAG, payload[2])
    return chain


@case("R16", "signed record after an unsigned block", 3)
def r16_signed_after_unsigned() -> object:
    """A lost key does not come back."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(labels.KIND_UNSIGNED, events=_LID)
    chain.add(events=_LID)
    return chain


@case("R9", "previous hash does not match", 3)
def r16_unsigned_not_chained() -> object:
    """Unsigned blocks are unproven, but still in order."""
    chain = Chain()
    chain.add(events=_LID)
    chain.add(labels.KIND_UNSIGNED, events=_LID)
    chain.add(labels.KIND_UNSIGNED, events=_LID, changes={2: bytes(32)})
    return chain
