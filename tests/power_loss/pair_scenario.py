# SPDX-License-Identifier: MIT
"""Workload of journal and record log together for the sweeps: samples, seals, receipts."""

import hashlib

try:
    from kit import fixed_entropy
    from sweep import attempt
except ImportError:
    from tests.power_loss.kit import fixed_entropy
    from tests.power_loss.sweep import attempt


class PairScenario:
    """Samples into the journal, sealed every *block* into a record, then freed.

    A sample is its number (up_ms) and its boot (value). State: samples promised. Records and
    unsealed samples must together be each sample once, with its boot. With *overwrites* no
    receipt ever comes: what the record log lost must be exactly what is gone.
    """

    on_error = None

    def mend(self, world):
        self.kit.recover_pair(*world)
        return world

    journal_sectors = 4
    record_sectors = 4
    sector_count = 8

    def __init__(self, kit, count, block=5, record_size_max=200, slot_count=20, overwrites=False):
        self.kit = kit
        self.count = count
        self.block = block
        self.record_size_max = record_size_max
        self.slot_count = slot_count
        self.overwrites = overwrites

    def open(self, device):
        journal = self.kit.Journal(self._ring(device, 0, self.journal_sectors, 60))
        records = self.kit.RecordLog(
            self._ring(device, self.journal_sectors, self.record_sectors, self.record_size_max)
        )
        journal.open()
        records.open()
        self.kit.recover_pair(journal, records)
        records.overwrites = self.overwrites
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
                if records.head_seq % 3 == 2 and not self.overwrites:
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
        if self.overwrites:
            if not records.lost == records.first_seq == records.acknowledged + 1:
                return f"lost {records.lost}, gone {records.first_seq}"
        elif not low[1] <= records.acknowledged <= high[1] or records.lost:
            return f"acknowledged {records.acknowledged}, lost {records.lost}"
        if seqs and (seqs[0] > records.acknowledged + 1 or seqs[-1] != records.head_seq):
            return f"records {seqs[0]} to {seqs[-1]}, head {records.head_seq}"
        if seqs and hashlib.sha256(record).digest() != records.head_hash:
            return "head hash"
        start = numbers[0] if numbers else 0
        if numbers != list(range(start, start + len(numbers))) or (seqs[:1] == [0] and start):
            return f"lost or doubled: {numbers}"
        total = start + len(numbers)
        return None if low[0] <= total <= high[0] else f"samples {total}, promised {low[0]}"
