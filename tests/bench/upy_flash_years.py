# SPDX-License-Identifier: MIT
# Runs on MicroPython: the tag's own recorder over simulated years; counts what it costs flash.
# Arguments: samples, seconds between two of them.
import json
import sys

from clockwork import FakeRTC, FakeUptime
from nor import Nor

from tag.clock import Clock
from tag.recording.recorder import Recorder
from tag.store.storage import Storage

KEYS_SECTORS = 16
JOURNAL_SECTORS = 16
RECORD_SECTORS = 512  # 2 MiB of record log
RECEIPT_S = 86_400  # a visitor brings a receipt once a day


class FixedSigner:
    """A signature's bytes; what they are costs flash nothing."""

    algorithm = -8
    public_key = bytes(32)

    def sign(self, parts):
        return b"\x5a" * 64


class Walk:
    """Centi-degrees that wander as in facts: noise of a few centi-degrees, now and then a leap."""

    def __init__(self):
        self._state = 1
        self.value = -19600

    def step(self):
        self._state = self._state * 1103515245 + 12345 & 0x7FFFFFFF
        self.value += (self._state >> 16) % 7 - 3
        if self.value > -19000 or self.value < -19800:
            self.value = -19600
        return self.value


def note_fault(code, text):
    raise AssertionError(("a fault in a sound log", code, text))


def live(sample_count, interval_s):
    """The counts after *sample_count* samples of one probe, without any event but the boot's."""
    log = Nor(JOURNAL_SECTORS + RECORD_SECTORS)
    uptime = FakeUptime()
    storage = Storage(Nor(KEYS_SECTORS), log)
    storage.open()
    clock = Clock(uptime, 500, FakeRTC())
    records = storage.records
    recorder = Recorder(
        storage.journal, records, FixedSigner(), clock, uptime, note_fault, bytes(160)
    )
    recorder.begin(1, "bench")
    log.clear_counts()
    walk, values = Walk(), [0]
    receipt_samples = RECEIPT_S // interval_s
    for number in range(sample_count):
        uptime.advance(interval_s * 1000)
        values[0] = walk.step()
        assert recorder.sample(uptime.now_ms(), values)
        recorder.seal_if_due()
        if number % receipt_samples == receipt_samples - 1:
            records.acknowledge(records.head_seq)
    return figures(log, records, sample_count)


def figures(log, records, sample_count):
    journal = log.erases_of[:JOURNAL_SECTORS]
    record_log = log.erases_of[JOURNAL_SECTORS:]
    return {
        "erases_per_1000": log.erases * 1000 / sample_count,
        "programmed_per_1000": log.program_size * 1000 / sample_count,
        "bytes_per_reading": log.program_size / sample_count,
        "records": records.head_seq + 1,
        "journal_spread": max(journal) - min(journal),
        "record_spread": max(record_log) - min(record_log),
        "journal_most": max(journal),
        "record_most": max(record_log),
        "violations": log.violations,
    }


print(json.dumps(live(int(sys.argv[1]), int(sys.argv[2]))))
