# SPDX-License-Identifier: MIT
"""Decommissioning, cut at every flash operation: all or nothing (rule K5).

State: 0 the tag runs, 1 it has ended. A tag that has ended holds no seed and no access key
anywhere in raw flash, but its certificate and a log that verifies up to the farewell.
"""

from sealwire import record
from sealwire.labels import KIND_END
from tag.dock import decommission
from tag.store import statestore
from tag.store.storage import Storage
from tests.fakes import nor
from tests.power_loss.key_scenario import (
    KEYS_SECTORS,
    LOG_SECTORS,
    KeyTripScenario,
)

ACCESS_KEYS = [bytes([number]) * 32 for number in (0xA1, 0xA2)]  # the first is overwritten


class Ended:
    """What is left of a tag: its stores, and nothing that runs."""

    def __init__(self, chip, storage):
        self.chip = chip
        self.storage = storage


class EndScenario(KeyTripScenario):
    """A few readings, then the end."""

    def open(self, device):
        tag = self._open_stores(device)
        if isinstance(tag, Ended):
            return tag
        tag = super().open(device)
        state = tag.storage.state
        if state.get(statestore.CERTIFICATE) is None:
            for access_key in ACCESS_KEYS:
                state.put(statestore.ACCESS_KEY, access_key)
            state.put(statestore.LOCKS, b"\x00" * 60)
            state.delete(statestore.LOCKS)
            state.put(statestore.CERTIFICATE, self.certificate)
        return tag

    def _open_stores(self, device):
        storage = Storage(
            nor.Part(device, 0, KEYS_SECTORS), nor.Part(device, KEYS_SECTORS, LOG_SECTORS)
        )
        storage.key_slots = self.slots(nor.Part(device, 0, 2), 0, 1)
        storage.open()
        if not decommission.is_ended(storage.records):
            decommission.take_back(storage)
            return None
        decommission.complete(storage, self._store(storage))
        return Ended(device, storage)

    def _store(self, storage):
        class Keys:
            erase_all = storage.key_slots.erase_all

        return Keys

    def state_of(self, tag):
        return 1 if isinstance(tag, Ended) else 0

    def workload(self, tag):
        tag.sample(1)
        yield 0
        tag.sample(2)
        yield 0
        tag.key_roll.roll()
        yield 0
        tag.sample(3)
        yield 0
        self.end(tag)
        self.seeds.life = 1
        self.is_recorded = True
        yield 1

    def end(self, tag):
        decommission.end(tag.storage, tag.keys, tag.recorder, tag.uptime.now_ms(), tag.clock.utc())

    def carry_on(self, tag, low, high):
        if isinstance(tag, Ended):
            yield 1
            return
        tag.sample(9)
        yield 0
        if self.rolls_again:
            self.end(tag)
            yield 1

    def check(self, tag, low, high):
        state = self.state_of(tag)
        if state not in (low, high):
            return f"state {state}"
        records = [raw for _, raw in tag.storage.records.records(0)]
        wrong = self._wrong_records(records)
        if wrong:
            return wrong
        kinds = [record.head_of(raw)[1] for raw in records]
        if kinds[:-1].count(KIND_END) or (kinds[-1:] == [KIND_END]) != bool(state):
            return f"kinds {kinds}"
        return self._wrong_end(tag) if state else self._wrong_keys(tag)

    def _wrong_end(self, tag):
        memory = bytes(tag.chip.memory)
        if any(seed in memory for seed in self.seeds.made):
            return "a seed is still in flash"
        if any(access_key in memory for access_key in ACCESS_KEYS):
            return "an access key is still in flash"
        state = tag.storage.state
        if state.get(statestore.CERTIFICATE) != self.certificate:
            return "the certificate is gone"
        if any(state.get(key) for key in (statestore.ACCESS_KEY, statestore.KEY_EPOCH)):
            return "state of the old life is left"
        before = bytes(tag.chip.memory)
        decommission.complete(tag.storage, None)
        return None if bytes(tag.chip.memory) == before else "the end never ends"
