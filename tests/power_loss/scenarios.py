# SPDX-License-Identifier: MIT
"""Workloads of state store and key slots for the sweeps."""

import hashlib

try:
    from kit import fixed_entropy
    from sweep import attempt
except ImportError:
    from tests.power_loss.kit import fixed_entropy
    from tests.power_loss.sweep import attempt


class StateScenario:
    """Puts and deletes of a few keys, so many that the ring goes round. State: dict items."""

    on_error = None

    def mend(self, world):
        return world

    def __init__(self, kit, count, sector_count=6, slot_count=20):
        self.kit = kit
        self.count = count
        self.sector_count = sector_count
        self.slot_count = slot_count

    def open(self, device):
        ring = self.kit.Ring(
            device,
            0,
            self.sector_count,
            entry_size_max=90,
            reserve_slots=2,
            slot_count=self.slot_count,
            entropy=fixed_entropy,
        )
        store = self.kit.StateStore(ring)
        store.open()
        return store

    def state_of(self, store):
        return tuple((key, store.get(key)) for key in range(1, 6))

    def workload(self, store):
        attempt(self, 0, lambda: store.put(5, b"never written again"))
        yield self.state_of(store)
        for step in range(1, self.count):
            attempt(self, step, lambda step=step: self._change(store, step, 0))
            yield self.state_of(store)

    def _change(self, store, step, generation):
        key = 1 + step * 7 % 4
        if step % 9 == 8:
            store.delete(key)
        else:
            store.put(key, bytes([step & 255, generation]) + b"\xff" * (step * 13 % 60))

    def carry_on(self, store, low, high):
        for step in range(3):
            self._change(store, step, 1)
            yield self.state_of(store)

    def check(self, store, low, high):
        state = self.state_of(store)
        return None if state in (low, high) else f"state {state}"


# ---- key slots


def public_key_of(seed):
    return hashlib.sha256(b"public" + seed).digest()


class KeyScenario:
    """First seed, rolls with and without their key-epoch record, the end; or the first alone.

    The log beside it is one variable: the newest public key recorded. State: (that key, the
    seeds that may be active).
    """

    on_error = None
    sector_count = 2

    def mend(self, world):
        return world

    def __init__(self, kit, has_rolls=True):
        self.kit = kit
        self.has_rolls = has_rolls
        self._seeds = {}

    def open(self, device):
        return [self.kit.KeySlots(device, 0, 1), device]

    def state_of(self, world):
        active = world[0].active()
        seed = None if active is None else active[1]
        return (None if seed is None else public_key_of(seed), (seed,))

    def _seed(self, number):
        if number not in self._seeds:
            self._seeds[number] = hashlib.sha256(b"seed" + bytes([number])).digest()
        return self._seeds[number]

    def workload(self, world):
        slots = world[0]
        done = 0
        first = self._seed(0)
        attempt(self, done, lambda: self._store_first(slots, first))
        if not self.has_rolls:
            yield (None, (first,))
            return
        yield (public_key_of(first), (first,))
        done += 1
        old = first
        for epoch in range(1, 5):
            new = self._seed(epoch)
            attempt(self, done, lambda epoch=epoch, new=new: slots.begin(epoch, new))
            done += 1
            yield (public_key_of(old), (old,))
            if epoch == 2:
                continue  # its record was never sealed; the next roll takes its place
            # The key-epoch record becomes durable here, outside the slots.
            yield (public_key_of(new), (new,))
            done += 1
            attempt(self, done, lambda new=new: self._finish(slots, new))
            done += 1
            yield (public_key_of(new), (new,))
            old = new
        attempt(self, done, slots.erase_all)
        yield (public_key_of(old), (None,))

    def _store_first(self, slots, seed):
        if slots.active() is None:
            slots.store_first(seed)

    def _finish(self, slots, seed):
        """A second try after an error is what the next boot would do."""
        if self.on_error is not None and slots.active()[1] == seed:
            slots.recover(public_key_of(seed), public_key_of)
        else:
            slots.finish()

    def carry_on(self, world, low, high):
        slots = world[0]
        active = slots.active()
        if not self.has_rolls:
            yield (None, (None if active is None else active[1],))
            return
        if active is None and None in high[1]:
            yield (high[0], (None,))
            return
        if active is None:
            new = self._seed(100)
            slots.store_first(new)
        else:
            epoch, new = active[0] + 1, self._seed(active[0] + 101)
            slots.begin(epoch, new)
            yield (public_key_of(active[1]), (active[1],))
            # The key-epoch record becomes durable here.
            yield (public_key_of(new), (new,))
            slots.finish()
        yield (public_key_of(new), (new,))

    def check(self, world, low, high):
        """Recovers with what the log says, then exactly one seed must be there."""
        slots, device = world
        active = slots.recover(low[0], public_key_of)
        seed = None if active is None else active[1]
        is_allowed = seed in low[1]
        if low[0] is None or None in high[1]:
            is_allowed |= seed in high[1]
        if not is_allowed:
            return "wrong seed active"
        if slots.recover(low[0], public_key_of) != active:
            return "recovery is not idempotent"
        memory = bytes(device.memory)
        for other in self._seeds.values():
            if other != seed and other in memory:
                return "a dead seed is still in flash"
        return None
