# SPDX-License-Identifier: MIT
"""The state store: latest wins, it never fills, it can be wiped."""

import random

import pytest

from tests.fakes.nor import Nor
from tests.unit.test_ring import new_ring


@pytest.fixture
def device():
    return Nor(14)


def opened(device, **geometry):
    from tag.store.statestore import StateStore

    store = StateStore(new_ring(device, sector_count=14, **{"size_max": 260, **geometry}))
    store.open()
    return store


def test_a_missing_key_is_none(device):
    assert opened(device).get(1) is None


def test_the_latest_value_wins_now_and_after_a_boot(device):
    store = opened(device)
    store.put(1, b"old")
    store.put(1, b"new")
    store.put(2, b"")
    for one in (store, opened(device)):
        assert (one.get(1), one.get(2)) == (b"new", b"")


def test_a_deleted_key_stays_deleted(device):
    store = opened(device)
    store.put(1, b"x")
    store.delete(1)
    store.delete(1)
    assert store.get(1) is opened(device).get(1) is None


def test_putting_what_is_there_costs_no_write(device):
    store = opened(device)
    store.put(1, b"x")
    device.clear_counts()
    store.put(1, bytearray(b"x"))
    store.delete(9)
    assert device.programs == 0


@pytest.mark.parametrize(("key", "size"), [(-1, 1), (256, 1), (1, 641)])
def test_a_key_or_value_out_of_range_is_refused(device, key, size):
    with pytest.raises(ValueError):
        opened(device, slot_count=254, size_max=641).put(key, bytes(size))


def test_it_never_fills_and_keeps_every_value_through_ten_thousand_changes(device):
    store = opened(device)
    dice = random.Random(7)
    expected = {0: b"written once"}
    store.put(0, b"written once")
    for _ in range(10_000):
        key = dice.randrange(1, 8)
        if dice.random() < 0.1:
            store.delete(key)
            expected.pop(key, None)
        else:
            expected[key] = dice.randbytes(dice.randrange(40))
            store.put(key, expected[key])
        # A boot reads what is in use: a third of the region, not all of it.
        assert store._ring.kept_sectors <= 14 // 3 + 1
    for one in (store, opened(device)):
        assert {k: one.get(k) for k in range(8) if one.get(k) is not None} == expected
    assert device.violations == 0


def test_one_put_writes_a_bounded_amount(device):
    store = opened(device, slot_count=254, size_max=641)
    for key in range(12):
        store.put(key, bytes(640))
    worst = 0
    for step in range(400):
        device.clear_counts()
        store.put(step % 12, bytes([step & 255]) * 640)
        worst = max(worst, device.program_size)
    assert worst <= 3 * 4096


def test_values_beyond_the_room_are_refused_and_nothing_is_lost(device):
    from tag.store.ringlog import RingFull

    store = opened(device)
    kept = {}
    with pytest.raises(RingFull):
        for key in range(256):
            store.put(key, bytes([key]) * 200)
            kept[key] = bytes([key]) * 200
    assert len(kept) >= 3
    again = opened(device)
    assert {key: again.get(key) for key in kept} == kept


def test_wipe_leaves_no_trace_of_any_value(device):
    store = opened(device)
    for step in range(30):
        store.put(1, b"secret %d" % step)
    store.wipe()
    assert store.get(1) is None
    assert b"secret" not in bytes(device.memory)


def test_visitor_state_goes_and_the_enrolment_stays(device):
    from tag.store import statestore

    store = opened(device)
    store.put(statestore.CERTIFICATE, b"c")
    store.put(statestore.LOCKS, b"l")
    store.put(statestore.ACCESS_KEY, b"k")
    store.wipe_visitors()
    assert store.get(statestore.CERTIFICATE) == b"c"
    assert store.get(statestore.LOCKS) is store.get(statestore.ACCESS_KEY) is None
