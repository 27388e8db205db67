# SPDX-License-Identifier: MIT
"""The key slots: one active seed, the next one beside it, nothing of the old one left."""

import pytest

from tests.fakes.nor import Nor
from tests.power_loss.scenarios import public_key_of

FIRST = b"1" * 32
SECOND = b"2" * 32


@pytest.fixture
def device():
    return Nor(2)


@pytest.fixture
def slots(device):
    from tag.store.keyslots import KeySlots

    return KeySlots(device, 0, 1)


def test_a_new_tag_has_no_seed(slots):
    assert slots.active() is None
    assert slots.recover(None, public_key_of) is None


def test_the_first_seed_is_epoch_0(slots):
    slots.store_first(FIRST)
    assert slots.active() == (0, FIRST)


def test_a_second_first_seed_is_refused(slots):
    from tag.store.keyslots import KeySlotError

    slots.store_first(FIRST)
    with pytest.raises(KeySlotError):
        slots.store_first(SECOND)


def test_a_begun_seed_is_not_active(slots):
    slots.store_first(FIRST)
    slots.begin(1, SECOND)
    assert slots.active() == (0, FIRST)


def test_a_finished_seed_is_active_and_the_old_one_is_gone_from_flash(slots, device):
    slots.store_first(FIRST)
    slots.begin(1, SECOND)
    slots.finish()
    assert slots.active() == (1, SECOND)
    assert FIRST not in bytes(device.memory)
    assert device.violations == 0


def test_steps_out_of_order_are_refused(slots):
    from tag.store.keyslots import KeySlotError

    with pytest.raises(KeySlotError):
        slots.begin(1, FIRST)
    with pytest.raises(KeySlotError):
        slots.finish()
    slots.store_first(FIRST)
    with pytest.raises(KeySlotError):
        slots.finish()
    with pytest.raises(KeySlotError):
        slots.begin(0, SECOND)


def test_recovery_takes_the_begun_seed_if_the_log_names_it(slots, device):
    slots.store_first(FIRST)
    slots.begin(1, SECOND)
    assert slots.recover(public_key_of(SECOND), public_key_of) == (1, SECOND)
    assert FIRST not in bytes(device.memory)


def test_recovery_drops_the_begun_seed_if_the_log_does_not_name_it(slots, device):
    slots.store_first(FIRST)
    slots.begin(1, SECOND)
    assert slots.recover(public_key_of(FIRST), public_key_of) == (0, FIRST)
    assert SECOND not in bytes(device.memory)


def test_recovery_of_sound_slots_changes_no_byte(slots, device):
    slots.store_first(FIRST)
    before = bytes(device.memory)
    slots.recover(None, public_key_of)
    assert bytes(device.memory) == before


def test_erase_all_zeroes_before_it_erases_and_leaves_nothing(slots, device):
    slots.store_first(FIRST)
    slots.begin(1, SECOND)
    device.log = []
    slots.erase_all()
    assert bytes(device.memory) == b"\xff" * len(device.memory)
    assert [op[2] is None for op in device.log] == [False, True, False, True]
    # The active seed goes last: a cut before leaves a tag that still signs.
    assert [op[0] for op in device.log] == [1, 1, 0, 0]


def test_many_rolls_wear_both_slots_alike(slots, device):
    slots.store_first(FIRST)
    for epoch in range(1, 21):
        slots.begin(epoch, bytes([epoch]) * 32)
        slots.finish()
    assert slots.active() == (20, bytes([20]) * 32)
    assert abs(device.erases_of[0] - device.erases_of[1]) <= 2


# ---- looking at them


def begun(slots):
    slots.store_first(FIRST)
    slots.begin(1, SECOND)


def both_done(slots):
    begun(slots)
    slots._mark_done(1)


def torn(slots):
    begun(slots)
    slots._device.writeblocks(1, bytes(4), 20)


@pytest.mark.parametrize("newest", [FIRST, SECOND, b"3" * 32])
@pytest.mark.parametrize("state", [lambda slots: None, begun, both_done, torn])
def test_what_is_expected_is_what_recover_finds_and_looking_writes_nothing(
    slots, device, state, newest
):
    state(slots)
    before = bytes(device.memory)
    seed = slots.expected(public_key_of(newest), public_key_of)
    assert bytes(device.memory) == before
    active = slots.recover(public_key_of(newest), public_key_of)
    assert (active[1] if active else None) == seed
