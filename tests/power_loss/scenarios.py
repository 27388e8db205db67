# SPDX-License-Identifier: MIT
"""Workloads for the sweeps: a ring, journal and record log together, state store, key slots.

A *kit* holds the classes under test, so that mutants of them run the same scenarios.
"""

import hashlib
from binascii import crc32

try:
    from sweep import attempt
except ImportError:
    from tests.power_loss.sweep import attempt


class Kit:
    """The classes under test."""

    def __init__(self, ringlog, journal, recordlog, statestore, keyslots):
        self.Ring = ringlog.Ring
        self.RingFull = ringlog.RingFull
        self.Journal = journal.Journal
        self.SAMPLE_ENTRY = journal.SAMPLE_ENTRY
        self.RecordLog = recordlog.RecordLog
        self.recover_pair = recordlog.recover_pair
        self.StateStore = statestore.StateStore
        self.KeySlots = keyslots.KeySlots


def genuine_kit():
    """The firmware as it is."""
    from tag import journal, keyslots, recordlog, ringlog, statestore

    return Kit(ringlog, journal, recordlog, statestore, keyslots)


def fixed_entropy(size):
    return bytes(range(0x51, 0x51 + size))


# ---- one ring


_contents = {}


def content(index, generation, size):
    """Payload of an entry: tells index and generation.

    A long one has a run of blank-looking bytes, and every other one a forged frame where its
    second slot begins: valid but for its place.
    """
    key = (index, generation, size)
    if key not in _contents:
        head = index.to_bytes(3, "little") + bytes([generation])
        tail = bytes([(index * 37 + k * 11 + generation) & 255 for k in range(8)])
        payload = (head + tail)[:size] + b"\xff" * (size - 12)
        if size >= 40 and index & 2:
            forged = b"\x1cforged entry"
            forged += (crc32(bytes(12) + forged) & 0xFFFFFF).to_bytes(3, "little")
            payload = payload[:13] + forged + payload[13 + len(forged) :]
        _contents[key] = payload
    return _contents[key]


class RingScenario:
    """One ring. *size_of(index)* gives payload sizes; frees lag behind by *lag* entries.

    State: (next, freed, bases): entries from bases[g] on were written in life g + 1.
    """

    on_error = None

    def mend(self, world):
        return world

    def __init__(self, kit, count, size_of, free_every, lag, **geometry):
        self.kit = kit
        self.count = count
        self.size_of = size_of
        self.free_every = free_every
        self.lag = lag
        self.carry_count = geometry.pop("carry_count", 3)
        self.geometry = {
            "sector_count": 4,
            "slot_count": 20,
            "reserve_slots": 3,
            "entry_size_max": 250,
        }
        self.geometry.update(geometry)
        self.sector_count = self.geometry["sector_count"] + 1

    def open(self, device):
        geometry = dict(self.geometry)
        count = geometry.pop("sector_count")
        ring = self.kit.Ring(device, 1, count, entropy=fixed_entropy, **geometry)
        ring.open()
        return ring

    def state_of(self, ring):
        return (ring.next, ring.freed, ())

    def workload(self, ring):
        done = 0
        for index in range(self.count):
            if self.free_every and index % self.free_every == self.free_every - 1:
                self._free(ring, index - self.lag, done)
                done += 1
                yield (ring.next, ring.freed, ())
            for _ in range(40):
                try:
                    self._append(ring, index, done)
                    break
                except self.kit.RingFull:
                    self._free(ring, ring.freed + 2, done)
                    done += 1
                    yield (ring.next, ring.freed, ())
            done += 1
            yield (ring.next, ring.freed, ())

    def _content(self, index, generation):
        """Another life wants other sizes."""
        return content(index, generation, self.size_of(index + generation))

    def _append(self, ring, index, done):
        payload = self._content(index, 0)

        def mark():
            """After an error something else may be written first."""
            if ring.freed < ring.next:
                self._free(ring, ring.freed + 1, done)
            return lambda state: (state[0], max(state[1], ring.freed), state[2])

        got = attempt(self, done, lambda: ring.append(1 + index % 3, payload), mark)
        assert got == index, "index"

    def _free(self, ring, index, done):
        def free():
            try:
                ring.free(index)
            except self.kit.RingFull:
                # No slot for the mark and no sector to gain: free more than that.
                ring.free(ring.next)

        if index > ring.freed:
            attempt(self, done, free)

    def carry_on(self, ring, low, high):
        bases = low[2]
        if ring.next > max(low[0], ring.first):
            # One more than promised came through; it may be of the life before.
            index = ring.next - 1
            theirs = self._content(index, _generation(high[2], index))
            bases = high[2] if ring.read(index)[1] == theirs else bases
        bases += (ring.next,)
        for step in range(self.carry_count):
            if not self._append_next(ring, len(bases)):
                self._free(ring, ring.next, 0)
                yield (ring.next, ring.freed, bases)
                assert self._append_next(ring, len(bases)), "full after all was freed"
            yield (ring.next, ring.freed, bases)
            if step == 1:
                self._free(ring, ring.freed + 1, 0)
                yield (ring.next, ring.freed, bases)

    def _append_next(self, ring, generation):
        index = ring.next
        try:
            ring.append(1 + index % 3, self._content(index, generation))
        except self.kit.RingFull:
            return False
        return True

    def check(self, ring, low, high):
        if not low[0] <= ring.next <= high[0]:
            return f"next {ring.next}, promised {low[0]} to {high[0]}"
        if not low[1] <= ring.freed <= high[1]:
            return f"freed {ring.freed}, promised {low[1]} to {high[1]}"
        if ring.first > ring.freed:
            return f"entries from {ring.freed} overwritten, freed {ring.first}"
        expected = ring.first
        for index, kind, payload in ring.entries(0):
            if index != expected or kind != 1 + index % 3:
                return f"entry {index} where {expected} was due"
            if payload not in (
                self._content(index, _generation(low[2], index)),
                self._content(index, _generation(high[2], index)),
            ):
                return f"payload of {index}"
            expected += 1
        return None if expected == ring.next else f"ends at {expected}, next {ring.next}"


def _generation(bases, index):
    return sum(1 for base in bases if base <= index)


# ---- journal and record log together


class PairScenario:
    """Samples into the journal, sealed every *block* into a record, then freed.

    A sample is its number (up_ms) and its boot (value). State: samples promised. Records and
    unsealed samples must together be each sample once, with its boot.
    """

    on_error = None

    def mend(self, world):
        self.kit.recover_pair(*world)
        return world

    journal_sectors = 4
    record_sectors = 4
    sector_count = 8

    def __init__(self, kit, count, block=5, record_size_max=200, slot_count=20):
        self.kit = kit
        self.count = count
        self.block = block
        self.record_size_max = record_size_max
        self.slot_count = slot_count

    def open(self, device):
        journal = self.kit.Journal(self._ring(device, 0, self.journal_sectors, 60))
        records = self.kit.RecordLog(
            self._ring(device, self.journal_sectors, self.record_sectors, self.record_size_max)
        )
        journal.open()
        records.open()
        self.kit.recover_pair(journal, records)
        return (journal, records)

    def _ring(self, device, first, count, size_max):
        return self.kit.Ring(
            device,
            first,
            count,
            entry_size_max=size_max,
            reserve_slots=3,
            slot_count=self.slot_count,
            entropy=fixed_entropy,
        )

    def state_of(self, world):
        journal, records = world
        total = 0
        for _, record in records.records():
            total = int.from_bytes(record[-4:-2], "little") + 1
        for entry in journal.entries():
            if entry.kind == self.kit.SAMPLE_ENTRY:
                total = entry.up_ms + 1
        return (total, records.acknowledged)

    def workload(self, world):
        journal, records = world
        done = 0
        attempt(self, done, lambda: journal.append_boot(1, 0))
        done += 1
        yield (0, records.acknowledged)
        for number in range(self.count):
            self._sample(journal, number, 1, done)
            done += 1
            yield (number + 1, records.acknowledged)
            if number % self.block == self.block - 1:
                self._seal(world, number + 1, done)
                if records.head_seq % 3 == 2:
                    upto = records.head_seq - 1
                    attempt(self, done, lambda upto=upto: records.acknowledge(upto))
                    done += 1
                    yield (number + 1, records.acknowledged)

    def _sample(self, journal, number, boot, done):
        attempt(self, done, lambda: journal.append_sample(number, [boot, number % 50 - 25]))

    def _seal(self, world, total, done):
        """One record over all unsealed samples: number and boot of each, and padding."""
        journal, records = world
        body = b""
        for entry in journal.entries():
            if entry.kind == self.kit.SAMPLE_ENTRY:
                assert entry.boot == entry.values[0], "boot"
                body += entry.up_ms.to_bytes(2, "little") + entry.boot.to_bytes(2, "little")
        if not body:
            return
        record = b"\xff" * (40 + total % 60) + b"R" + body
        attempt(self, done, lambda: records.append(record, journal.next))
        attempt(self, done, lambda: journal.free(journal.next))

    def carry_on(self, world, low, high):
        journal, _records = world
        total, acknowledged = self.state_of(world)
        boot = journal.read_last_boot() + 1
        self._seal(world, total, 0)
        journal.append_boot(boot, 0)
        for number in (total, total + 1):
            self._sample(journal, number, boot, 0)
            yield (number + 1, acknowledged)
        self._seal(world, total + 2, 0)
        yield (total + 2, acknowledged)

    def check(self, world, low, high):
        journal, records = world
        numbers = []
        seqs = []
        for seq, record in records.records():
            seqs.append(seq)
            body = record[record.index(b"R") + 1 :]
            for at in range(0, len(body), 4):
                numbers.append(int.from_bytes(body[at : at + 2], "little"))
        for entry in journal.entries():
            if entry.kind == self.kit.SAMPLE_ENTRY:
                if entry.boot != entry.values[0]:
                    return f"boot {entry.boot} of sample {entry.up_ms} of boot {entry.values[0]}"
                numbers.append(entry.up_ms)
        if not low[1] <= records.acknowledged <= high[1]:
            return f"acknowledged {records.acknowledged}"
        if seqs and (seqs[0] > records.acknowledged + 1 or seqs[-1] != records.head_seq):
            return f"records {seqs[0]} to {seqs[-1]}, head {records.head_seq}"
        if seqs and hashlib.sha256(record).digest() != records.head_hash:
            return "head hash"
        start = numbers[0] if numbers else 0
        if numbers != list(range(start, start + len(numbers))) or (seqs[:1] == [0] and start):
            return f"lost or doubled: {numbers}"
        total = start + len(numbers)
        return None if low[0] <= total <= high[0] else f"samples {total}, promised {low[0]}"


# ---- state store


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
