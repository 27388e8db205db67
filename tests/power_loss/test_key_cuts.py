# SPDX-License-Identifier: MIT
"""Cuts the power at every flash operation of a trip whose key rolls: K1 to K3, whole tag.

After each cut, torn in every way of tests/fakes/nor.py, the host's verifier takes the
evidence, the tag signs with the key that the chain names, and no other seed is in raw flash.
"""

import pytest

from tag.keys import keyepoch, keyroll
from tag.store import keyslots, recordlog, statestore
from tests.fakes import nor
from tests.power_loss import sweep
from tests.power_loss.census import CENSUS
from tests.power_loss.key_scenario import REQUEST, KeyTripScenario
from tests.power_loss.sweep import Tally

FIRST = ("none", "weak", "ghost", "zeros")
SECOND = ("none", "half", "weak", "ghost", "zeros")


def assert_clean(name, tally, states_min):
    CENSUS[name] = (tally.states, tally.bad)
    assert not tally.bad, f"{tally.bad} bad of {tally.states}: {tally.samples}"
    assert tally.states >= states_min


@pytest.mark.parametrize("rolls_again", [True, pytest.param(False, marks=pytest.mark.long)])
def test_every_cut_of_a_trip_with_rolls_leaves_one_key_and_evidence_that_holds(rolls_again):
    tally = Tally()
    recording = sweep.sweep(KeyTripScenario(rolls_again=rolls_again), tally)
    assert len(recording.ops) > 80
    name = "whole trip with key rolls" + (", idle after it" if not rolls_again else "")
    assert_clean(name, tally, 700)


def twice(stride, roll_count=1):
    tally = Tally()
    scenario = KeyTripScenario(roll_count=roll_count)
    sweep.sweep_twice(scenario, tally, lambda number: number % stride == 0, FIRST, SECOND)
    return tally


def test_a_second_cut_while_the_first_is_mended_leaves_the_same():
    assert_clean("whole trip with key rolls, twice", twice(200), 150)


@pytest.mark.long
def test_every_second_cut_after_every_first_leaves_the_same():
    assert_clean("whole trip with key rolls, twice, all", twice(1), 30_000)


# ---- guards


class NotZeroed(keyslots.KeySlots):
    def _erase(self, slot):
        self._device.ioctl(6, self._sectors[slot])


class LowerKept(keyslots.KeySlots):
    def _erase_lower(self):
        pass


class NeverFinished(keyslots.KeySlots):
    def recover(self, newest_public_key, public_key_of):
        return self.active()


@pytest.mark.parametrize("slots", [NotZeroed, LowerKept, NeverFinished])
def test_the_sweep_notices_a_slot_that_keeps_a_seed(slots):
    tally = Tally()
    sweep.sweep(KeyTripScenario(slots, rolls_again=False), tally, stop_at_bad=True)
    assert tally.bad


def test_the_sweep_notices_a_record_that_comes_to_life_after_its_key_was_erased(monkeypatch):
    monkeypatch.setattr(recordlog.RecordLog, "settle", lambda self: None)
    tally = Tally()
    sweep.sweep(KeyTripScenario(rolls_again=False), tally, stop_at_bad=True)
    assert tally.bad


def _no_note(self, seq, since_s, public_key):
    self._intended = [self.number + 1, seq, since_s, public_key]


def _early_note(self):
    """The note settled without asking the log."""
    stored = self._state.get(statestore.KEY_EPOCH)
    note = {0: self._certified} if stored is None else keyepoch.cbor.decode(stored)
    self._epoch = note.get(1, note[0])
    self._intended = None


def _blind(self, epoch):
    return False


def _done_before_the_record(self, public_key):
    self._keys.finish()
    keyroll.KeyRoll.genuine_hand_over(self, public_key)


@pytest.mark.parametrize(
    ("owner", "name", "mutant"),
    [
        (keyepoch.KeyEpoch, "intend", _no_note),
        (keyepoch.KeyEpoch, "load", _early_note),
        (keyepoch.KeyEpoch, "_is_sealed", _blind),
        (keyroll.KeyRoll, "_hand_over", _done_before_the_record),
    ],
    ids=["no note", "note believed", "log not asked", "done before the record"],
)
def test_the_sweep_notices_when_a_step_of_the_roll_is_out_of_order(
    monkeypatch, owner, name, mutant
):
    genuine = keyroll.KeyRoll._hand_over
    monkeypatch.setattr(keyroll.KeyRoll, "genuine_hand_over", genuine, raising=False)
    monkeypatch.setattr(owner, name, mutant)
    tally = Tally()
    try:
        sweep.sweep(KeyTripScenario(), tally, stop_at_bad=True)
    except Exception as e:  # not even the uncut workload gets through
        tally.note("workload", repr(e))
    assert tally.bad


# ---- flash that fails, life going on


def rolling_tag(device):
    scenario = KeyTripScenario()
    tag = scenario.open(device)
    tag.sample(1)
    tag.trip.start(REQUEST)
    tag.sample(2)
    return scenario, tag


def operations_of_a_roll():
    device = nor.Nor(KeyTripScenario.sector_count)
    _, tag = rolling_tag(device)
    begun = device.op_count
    assert tag.key_roll.roll()
    return begun, device.op_count


@pytest.mark.parametrize("mode", ["before", "half", "after"])
@pytest.mark.parametrize("failure_count", [1, 2, 12])
def test_flash_that_fails_in_a_roll_leaves_one_key_now_and_after_a_reboot(mode, failure_count):
    """*failure_count* operations in a row fail; then flash works again."""
    begun, ended = operations_of_a_roll()
    for failing in range(begun, ended):
        device = nor.Nor(KeyTripScenario.sector_count)
        scenario, tag = rolling_tag(device)

        def fail(number, op, failing=failing):
            if not failing <= number < failing + failure_count:
                return -1
            size = nor.SECTOR_SIZE if op[2] is None else len(op[2])
            if mode == "before":
                raise OSError(5)
            return size // 2 if mode == "half" else size

        device.before_op = fail
        tag.key_roll.roll()
        # A reboot now: whatever the flash holds, it holds one key.
        copy = nor.Nor(device.sector_count, image=device.memory)
        rebooted = scenario.open(copy)
        bounds = ((2, ("trip",)), (2, ("trip",)))
        assert scenario.check(rebooted, *bounds) is None, (failing, "reboot")
        # Or life goes on: the journal takes readings, and once flash works, so does the key.
        device.before_op = None
        tag.sample(3)
        tag.key_roll.roll_if_due(tag.trip)
        assert tag.key_roll.roll(), (failing, tag.faults)
        tag.sample(4)
        assert tag.recorder.seal_open_block()
        bounds = ((4, ("trip",)), (4, ("trip",)))
        assert scenario.check(tag, *bounds) is None, (failing, "same life")
        assert device.violations == 0
        copy = nor.Nor(device.sector_count, image=device.memory)
        assert scenario.check(scenario.open(copy), *bounds) is None, (failing, "later reboot")


@pytest.mark.parametrize("mode", ["before", "half", "after"])
def test_a_failed_roll_and_then_a_cut_in_the_next_one_leave_one_key(mode):
    """The record of the failed roll may be found by the boot: its key must not be gone."""
    begun, ended = operations_of_a_roll()
    for failing in range(begun, ended):
        device = nor.Nor(KeyTripScenario.sector_count)
        scenario, tag = rolling_tag(device)

        def fail(number, op, failing=failing):
            if number != failing:
                return -1
            size = nor.SECTOR_SIZE if op[2] is None else len(op[2])
            if mode == "before":
                raise OSError(5)
            return size // 2 if mode == "half" else size

        device.before_op = fail
        tag.key_roll.roll()
        device.before_op, device.log = None, []
        memory = bytearray(device.memory)
        tag.key_roll.roll()
        for op in [*device.log, None]:
            copy = nor.Nor(device.sector_count, image=memory)
            rebooted = scenario.open(copy)
            bounds = ((2, ("trip",)), (2, ("trip",)))
            assert scenario.check(rebooted, *bounds) is None, (failing, op)
            if op:
                nor.apply_op(memory, op)
