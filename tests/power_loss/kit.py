# SPDX-License-Identifier: MIT
"""The classes under test in one object, so that mutants of them run the same scenarios."""


class Kit:
    """The classes under test."""

    def __init__(self, ringlog, journal, recordlog, statestore, keyslots, rtcmemory):
        self.Ring = ringlog.Ring
        self.RingFull = ringlog.RingFull
        self.Journal = journal.Journal
        self.SAMPLE_ENTRY = journal.SAMPLE_ENTRY
        self.RecordLog = recordlog.RecordLog
        self.recover_pair = recordlog.recover_pair
        self.StateStore = statestore.StateStore
        self.KeySlots = keyslots.KeySlots
        self.RingHint = rtcmemory.RingHint


def genuine_kit():
    """The firmware as it is."""
    from tag.store import journal, keyslots, recordlog, ringlog, rtcmemory, statestore

    return Kit(ringlog, journal, recordlog, statestore, keyslots, rtcmemory)


def fixed_entropy(size):
    return bytes(range(0x51, 0x51 + size))
