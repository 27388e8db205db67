# SPDX-License-Identifier: MIT
"""Nothing that was tampered with is ever proved, and the first changed item is named."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date

import pytest

from sealtrail.errors import UnreadableEvidence, VerifyError
from sealtrail.evidence import payload
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey, open_envelope
from sealtrail.evidence.payload import Payload
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.trust import Asked, KnownHead
from sealtrail.evidence.verify import verify_evidence
from sealtrail.model import Completeness
from tests.fakes import mutations
from tests.fakes.mutations import INCOMPLETE, REFUSED, UNREADABLE, Mutation, Sample
from tests.vectors.chain import FLEET, NONCE, START_UTC_S, Chain, cose_sign1

# CPU time for one file of some thirty records, far above what any takes.
_SECONDS_MAX = 0.5
# Of so many bits or bytes, one is changed in the short run; primes, to meet every place.
_STEPS = {"bit_flips": 61, "byte_deletions": 17, "byte_insertions": 17, "truncations": 13}


class NonceTrust:
    """A verifier that asked for this attestation and knows no head."""

    def fleet_keys(self) -> list[FleetKey]:
        return [FleetKey("fleet", VerifyingKey(FLEET.public), date(2026, 1, 1), date(2035, 1, 1))]

    def nonces(self, tid: bytes) -> dict[bytes, Asked]:
        return {NONCE: Asked(0, None)}

    def known_head(self, tid: bytes) -> KnownHead | None:
        return None

    def statements(self, tid: bytes) -> list[bytes]:
        return []


def _judge(mutation: Mutation) -> str:
    """ "" where the verifier says what it must, else what it said."""
    begun = time.process_time()
    index, rule, reason = None, "", ""
    try:
        verified = verify_evidence(mutation.evidence, NonceTrust())
    except (VerifyError, UnreadableEvidence) as refused:
        verdict = UNREADABLE if isinstance(refused, UnreadableEvidence) else REFUSED
        index, rule, reason = refused.index, refused.rule, refused.reason
    else:
        is_proved = verified.freshness.completeness is Completeness.PROVED
        verdict = "proved" if is_proved else INCOMPLETE
    spent_s = time.process_time() - begun
    as_said = (
        verdict in mutation.verdicts
        and (verdict == INCOMPLETE or index == mutation.index)
        and mutation.rule in ("", rule)
        and mutation.reason in ("", reason)
        and spent_s < _SECONDS_MAX
    )
    said = f"{verdict} {index} {rule} {reason}, {spent_s:.3f} s"
    return "" if as_said else f"{mutation.name}: {said}, not {mutation.verdicts} {mutation.index}"


def _all_as_said(made: Iterable[Mutation]) -> int:
    said = [_judge(mutation) for mutation in made]
    wrong = [one for one in said if one]
    assert not wrong, "\n".join(wrong[:20])
    return len(said)


def _short(family: Callable[..., Iterator[Mutation]], one: Sample) -> Iterator[Mutation]:
    step = _STEPS.get(family.__name__)
    return family(one) if step is None else family(one, step)


def test_the_sample_itself_is_proved():
    one = mutations.sample()
    verified = verify_evidence(one.evidence, NonceTrust())
    assert verified.freshness.completeness is Completeness.PROVED
    assert [step.verdict for step in verified.custody] == ["handed over"]
    assert one.record_count >= 28


@pytest.mark.parametrize("family", mutations.FAMILIES, ids=lambda family: family.__name__)
def test_no_change_is_proved_and_the_first_changed_item_is_named(family):
    assert _all_as_said(_short(family, mutations.sample())) > 20


def test_the_short_run_has_two_thousand_mutations():
    one = mutations.sample()
    assert sum(1 for family in mutations.FAMILIES for _ in _short(family, one)) >= 2000


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", mutations.BY_STEP, ids=lambda family: family.__name__)
def test_no_single_bit_or_byte_of_the_file_can_be_changed(family):
    assert _all_as_said(family(mutations.sample())) > 5000


# ---- the two ways to read a payload (sealtrail.evidence.payload)


def _outcome(read: Callable[[], Payload]) -> Payload | tuple[str, str]:
    try:
        return read()
    except Refusal as refusal:
        return refusal.rule, refusal.reason


def _plain_blocks() -> list[bytes]:
    one = mutations.sample()
    records = one.items[1 : one.record_count + 1]
    found = [mutations.payload_of(item) for item in records]
    return [source for source in found if payload._plain_block(source) is not None]


def _quick(source: bytes) -> Payload:
    fields = payload._plain_block(source)
    assert fields is not None
    return payload._take(fields, -8)


def _assert_both_ways_agree(source: bytes) -> bool:
    """Whether the patterns matched *source*; then the slow way must say the same."""
    fields = payload._plain_block(source)
    if fields is None:
        return False
    quick = _outcome(lambda: payload._take(fields, -8))
    assert quick == _outcome(lambda: payload._read_any(source, -8)), source.hex()
    return True


def test_the_patterns_take_the_blocks_with_readings():
    assert len(_plain_blocks()) >= 20
    assert all(map(_assert_both_ways_agree, _plain_blocks()))


def test_what_the_patterns_match_is_judged_as_the_slow_way_does():
    # A block with two runs and an event: every byte in turn becomes every other byte.
    source = max(_plain_blocks(), key=len)
    matched = 0
    for offset in range(len(source)):
        for byte in range(256):
            changed = source[:offset] + bytes((byte,)) + source[offset + 1 :]
            matched += _assert_both_ways_agree(changed)
    assert matched > 5000


def test_runs_that_stand_twice_cannot_pass_for_each_other():
    # cbor2 keeps the second RUNS, the patterns walk over the first: here the second ones
    # have such lengths that the walk stumbles from head to head up to the very end.
    source = min(_plain_blocks(), key=len)
    start = b"\xa7" + source[1 : source.index(b"\x05\x82\x86")]
    first = bytes.fromhex("05 81 86 00 00 00 01 05 40")
    false_head = bytes.fromhex("86 00 3a 01020304 1a 01")
    second = bytes.fromhex("05 83 86 00 00 01 0d 05 4c 000000") + false_head
    second += bytes.fromhex("86 00 38 19 01 02 05 41 00 86 00 00 00 01 05 40")
    assert payload._plain_block(start + first + second) is None
    verdict = _outcome(lambda: payload._read_any(start + first + second, -8))
    assert verdict == ("R3", "duplicate map key")


def test_events_of_a_plain_block_may_nest_no_deeper_than_the_payload_may():
    source = min(_plain_blocks(), key=len)
    assert source[0] == 0xA6
    for depth, is_allowed in ((3, True), (4, False)):
        counts = b"\x06\x81\x83\x00\x18\x2f" + b"\x81" * depth + b"\x00"
        changed = b"\xa7" + source[1:] + counts
        assert (payload._plain_block(changed) is not None) == is_allowed
        verdict = _outcome(lambda changed=changed: payload._read_any(changed, -8))
        assert (verdict == ("R3", "nested too deep")) != is_allowed


def test_an_envelope_with_bytes_behind_it_is_none():
    for item in mutations.sample().items:
        assert open_envelope(item).signature == item[-64:]
        with pytest.raises(Refusal) as refused:
            open_envelope(item + b"\x00")
        assert (refused.value.rule, refused.value.reason) == ("R3", "trailing bytes")


_SHORT = ["00", "17", "1818", "190100", "1a00010000", "1affffffff", "1b0000000100000000"]
_LONG = ["1b000000ffffffffff", "1b0000010000000000", "1b0000ffffffffffff", "1bffffffffffffffff"]
_WRONG = ["1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "1b0001000000000000", "20", "f6"]


@pytest.mark.parametrize("number", _SHORT + _LONG + _WRONG)
def test_numbers_of_a_plain_block_are_in_range_and_in_shortest_form(number):
    for place in range(5):
        seq, boot, up_ms, lo_s, width_s = (
            bytes.fromhex(number) if place == one else b"\x01" for one in range(5)
        )
        made = b"\xa6\x00\x00\x01" + seq + b"\x02\x58\x20" + bytes(32)
        made += b"\x03\x82" + boot + up_ms + b"\x04\x83" + lo_s + b"\x00" + width_s
        made += b"\x05\x81\x86\x00\x00\x00\x01\x05\x40"
        is_good = isinstance(_outcome(lambda made=made: payload._read_any(made, -8)), Payload)
        assert (payload._plain_block(made) is not None) == is_good


@pytest.mark.parametrize("count", ["00", "190401"])
def test_a_run_has_1_to_1024_readings(count):
    source = min(_plain_blocks(), key=len)
    start = source[: source.index(b"\x05\x82\x86")]
    run = b"\x05\x81\x86\x00\x20\x01" + bytes.fromhex(count) + b"\x05\x40"
    assert payload._plain_block(start + run) is not None
    for read in (lambda: payload._read_any(start + run, -8), lambda: _quick(start + run)):
        assert _outcome(read) == ("R4", "runs malformed")


# ---- edges of the chain's rules that no vector has


def _refusal(chain: Chain) -> tuple[str, int] | None:
    try:
        verify_evidence(chain.evidence(), NonceTrust())
    except VerifyError as refused:
        return refused.rule, refused.index
    return None


def _clocked(*records: tuple[int, int, int | None]) -> Chain:
    """One record for each (uptime, UTC after the start, width), all in seconds."""
    chain = Chain()
    for up_s, lo_s, width_s in records:
        when = (START_UTC_S + lo_s, 3, width_s)
        chain.add(after_ms=1000 * up_s - chain.up_ms, events=[(2, None)], utc=when)
    return chain


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        # A thousand seconds of uptime, ten of UTC: not below the earlier bound, but too slow.
        (((0, 0, 2), (1000, 10, 2)), ("R12", 2)),
        # The wide interval in the middle takes nothing back of what the first one said.
        (((0, 0, 2), (100, 0, 4000), (200, 150, 2)), ("R12", 3)),
        (((0, 0, 2), (100, 0, 4000), (200, 260, 2)), ("R12", 3)),
        (((0, 0, 2), (100, 0, None), (200, 260, 2)), ("R12", 3)),
        (((0, 0, 2), (100, 0, None), (200, 200, 2)), None),
        (((0, 0, None), (100, 4000, 2), (200, 4100, None)), None),
    ],
)
def test_intervals_of_a_boot_have_a_common_time(records, verdict):
    assert _refusal(_clocked(*records)) == verdict


def test_crash_blocks_are_sealed_in_the_order_of_the_boots_that_seal():
    for second, verdict in ((3, None), (4, None), (2, ("R13", 2))):
        chain = Chain()
        for sealed_by_boot in (3, second):
            chain.add(4, events=[(2, None)], utc=None, sealed_by_boot=sealed_by_boot)
        assert _refusal(chain) == verdict


def test_the_signature_is_wrong_before_what_comes_later_is():
    for later in (b"\x00", b"\xd2\x84\x43", FLEET.public):
        chain = _clocked((0, 0, 2), (60, 60, 2), (120, 120, 2))
        chain.records[1] = chain.records[1][:-1] + bytes((chain.records[1][-1] ^ 1,))
        chain.records[2] = later
        assert _refusal(chain) == ("R10", 2)


def test_in_a_long_chain_the_first_wrong_signature_is_named():
    # Signatures are verified some hundred at a time: at both sides of each seam.
    chain = _clocked(*((60 * number, 60 * number, 2) for number in range(600)))
    good = list(chain.records)
    for seq in (0, 254, 255, 256, 257, 511, 512, 599):
        chain.records = list(good)
        for bad in {seq, 599}:
            chain.records[bad] = good[bad][:-1] + bytes((good[bad][-1] ^ 1,))
        # The record behind it breaks R9, and is not what is named.
        assert _refusal(chain) == ("R10", seq + 1)
    chain.records = good
    assert _refusal(chain) is None


def test_an_item_of_the_usual_form_may_not_be_longer_than_1024_bytes():
    for size, rule in ((948, "R4"), (949, "R1")):
        chain = _clocked((0, 0, 2))
        chain.records.append(
            cose_sign1(chain.key, b"\x59" + (size - 3).to_bytes(2, "big") + bytes(size - 3))
        )
        assert len(chain.records[-1]) == 76 + size
        assert _refusal(chain) == (rule, 2)
