# SPDX-License-Identifier: MIT
"""Whatever bytes come as evidence: refused by name or kept, and no defect."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealtrail.archive.sequence import read_upload
from sealtrail.errors import SealtrailError
from sealtrail.evidence.verify import judge
from tests.archive.parts import Shop, grown, part, shop
from tests.fakes.owner import owner, owner_with_scrypt
from tests.vectors.chain import TAG_EPOCH_1, certificate

__all__ = ["owner", "owner_with_scrypt", "shop"]
_SLOW = [HealthCheck.too_slow]


@settings(max_examples=300, deadline=None, suppress_health_check=_SLOW)
@given(st.binary(max_size=600), st.booleans())
def test_random_bytes_are_refused_by_name(body: bytes, has_certificate: bool):
    start = certificate() if has_certificate else b""
    with pytest.raises(SealtrailError):
        read_upload(start + body, [])  # of no fleet: whatever it is, it is refused


def mutated(body: bytes, source: random.Random) -> bytes:
    """*body* with one to three faults: bits, cuts, doublings, swaps."""
    made = bytearray(body)
    for _ in range(source.randint(1, 3)):
        at, end = sorted(source.randrange(len(made)) for _ in range(2))
        match source.randrange(4):
            case 0:
                made[at] ^= 1 << source.randrange(8)
            case 1:
                del made[at : at + source.randint(1, 40)]
            case 2:
                made[at:at] = made[at : min(end, at + 300)]
            case _:
                made[at : at + 4], made[end : end + 4] = made[end : end + 4], made[at : at + 4]
    return bytes(made)


def test_mutated_evidence_never_gets_into_the_chain(shop: Shop):
    tag = grown(shop.tag(), 4)
    tag.roll(TAG_EPOCH_1)
    grown(tag, 3)
    tag.attest()
    good = set(tag.records)
    source = random.Random(11)
    body = tag.evidence()
    for _ in range(400):
        try:
            shop.archive.take(mutated(body, source), "fuzz")
        except SealtrailError:
            continue
    rows = shop.archive.database.rows("select raw from record order by seq")
    assert {raw for (raw,) in rows} <= good
    forks = shop.archive.database.rows("select raw from fork")
    assert forks == []
    shop.restart()
    _, held = shop.archive.take(body, "fuzz")
    assert (held["head"], held["loose"], held["forks"]) == (7, [], [])
    sealed = shop.archive.seal(tag.tid)
    assert sealed.startswith(part(tag, 0))
    assert judge(sealed, shop.archive.evidence.trust.fleet_keys()).chain.count == 8


@pytest.mark.parametrize("seed", range(6))
def test_parts_in_any_order_from_many_hands_make_one_chain(shop: Shop, seed: int):
    source = random.Random(seed)
    tag = grown(shop.tag(), 10)
    tag.roll(TAG_EPOCH_1)
    grown(tag, 10)
    count = len(tag.records)
    for _ in range(60):
        first = source.randrange(count)
        taken, _ = shop.archive.take(part(tag, first, first + source.randint(1, 6)), "x")
        assert taken.refused is None
    taken, held = shop.archive.take(part(tag, 0), "x")
    assert (taken.refused, held["head"], held["loose"]) == (None, count - 1, [])
    assert held["receipt_seq"] == count - 1
