# SPDX-License-Identifier: MIT
"""The journal: what goes in comes out, with its boot, until a record covers it."""

import pytest

from tests.fakes.nor import Nor
from tests.micropython import run_upy
from tests.unit.test_ring import new_ring


@pytest.fixture
def device():
    return Nor(4)


def opened(device, reserve=3):
    from tag.store.journal import Journal

    journal = Journal(new_ring(device, size_max=200, reserve=reserve))
    journal.open()
    return journal


def test_samples_events_and_boots_come_back_in_order(device):
    from tag.store.journal import BOOT_ENTRY, EVENT_ENTRY, SAMPLE_ENTRY

    journal = opened(device)
    journal.append_boot(7, 12, 3)
    journal.append_sample(1000, [-19600, 2150])
    journal.append_event(1500, 4, b"\x83\x19\x10\x00\x02\x01")
    journal.append_event(1600, 2)
    expected = [
        (0, 7, BOOT_ENTRY, 12, None, 3, None),
        (1, 7, SAMPLE_ENTRY, 1000, [-19600, 2150], None, None),
        (2, 7, EVENT_ENTRY, 1500, None, 4, b"\x83\x19\x10\x00\x02\x01"),
        (3, 7, EVENT_ENTRY, 1600, None, 2, None),
    ]
    assert [tuple(e) for e in journal.entries()] == expected
    assert [tuple(e) for e in opened(device).entries()] == expected


@pytest.mark.parametrize("values", [[0], [-1, 1], [-8388608, 8388607, 1000001], [1, 2, 3, 4]])
def test_one_to_four_probes_keep_their_values(device, values):
    journal = opened(device)
    journal.append_sample(5, values)
    assert next(journal.entries()).values == values


@pytest.mark.parametrize("count", [1, 2])
def test_a_sample_of_one_or_two_probes_costs_one_slot(device, count):
    journal = opened(device)
    journal.append_boot(1, 0)
    device.clear_counts()
    journal.append_sample(2**47, [-19600] * count)
    assert (device.programs, device.program_size) == (1, 16)


def test_uptime_goes_on_after_49_days(device):
    journal = opened(device)
    journal.append_sample(2**40, [1])
    assert next(journal.entries()).up_ms == 2**40


@pytest.mark.parametrize(
    ("up_ms", "values"),
    [(-1, [0]), (2**48, [0]), (0, []), (0, [0] * 5), (0, [2**23]), (0, [-(2**23) - 1])],
)
def test_a_sample_out_of_range_is_refused_and_costs_nothing(device, up_ms, values):
    journal = opened(device)
    with pytest.raises(ValueError):
        journal.append_sample(up_ms, values)
    assert device.programs == 0


def test_entries_below_free_are_gone(device):
    journal = opened(device)
    for number in range(6):
        journal.append_sample(number, [number])
    journal.free(4)
    assert [e.up_ms for e in journal.entries()] == [4, 5]
    assert journal.unsealed_count == opened(device).unsealed_count == 2


def test_an_entry_keeps_its_boot_after_the_boot_entry_was_overwritten(device):
    journal = opened(device)
    journal.append_boot(3, 0)
    for number in range(200):
        journal.append_sample(number, [3])
        if number % 10 == 9:
            journal.free(journal.next - 4)
    journal.append_boot(4, 0)
    journal.append_sample(0, [4])
    again = opened(device)
    assert again.read_last_boot() == 4
    assert [e.boot for e in again.entries()] == [3, 3, 3, 3, 4, 4]


def test_an_empty_journal_has_no_entries_and_no_boot(device):
    journal = opened(device)
    assert (list(journal.entries()), journal.read_last_boot(), journal.next) == ([], 0, 0)


def test_a_full_journal_that_cannot_note_the_free_hides_sealed_entries_for_this_life(device):
    from tag.store.ringlog import RingFull

    journal = opened(device, reserve=0)
    with pytest.raises(RingFull):
        while True:
            journal.append_sample(1, [1])
    journal.free(5)
    assert next(journal.entries()).index == 5
    assert next(opened(device).entries()).index == 0
    journal.free(30)
    assert opened(device).freed == 30


def test_urgent_events_and_their_boot_go_into_the_reserve_of_a_full_journal(device):
    from tag.store.journal import Journal
    from tag.store.ringlog import RingFull

    def reserved():
        journal = Journal(new_ring(device, size_max=200, reserve_sectors=1))
        journal.open()
        return journal

    journal = reserved()
    journal.append_boot(1, 0)
    with pytest.raises(RingFull):
        while True:
            journal.append_sample(1, [1])
    assert journal.kept_sectors == 3
    journal = reserved()
    with pytest.raises(RingFull):
        journal.append_event(5, 4)
    journal.append_boot(2, 0)
    journal.append_event(5, 4, b"\x80", True)
    last = list(reserved().entries())[-1]
    assert (last.boot, last.code, last.content) == (2, 4, b"\x80")


_APPEND = """
import gc
from tag.store.journal import Journal
from tag.store.ringlog import Ring

class Chip:
    # Stands for the C Partition: takes writes without allocating.
    def __init__(self, content):
        self.content = content
    def ioctl(self, op, argument):
        return {4: 16, 5: 4096}.get(op, 0)
    def readblocks(self, block, buffer, offset=0):
        for i in range(len(buffer)):
            buffer[i] = 255
    def writeblocks(self, block, content, offset=None):
        assert offset is not None

journal = Journal(Ring(Chip(0), 0, 16, entry_size_max=768, reserve_slots=24, reserve_sectors=1))
journal.open()
journal.append_boot(1, 0)
values = [-19600, 2150]
content = b"12345"

def sample(up_ms):
    journal.append_sample(up_ms, values)

def short_event(up_ms):
    journal.append_event(up_ms, 4, content)

def urgent_event(up_ms):
    journal.append_event(up_ms, 4, None, True)

def measure(append, first_ms):
    append(first_ms)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for up_ms in range(first_ms, first_ms + 50):
        append(up_ms)
    used = gc.mem_alloc() - before
    gc.enable()
    return used

for append in (sample, short_event, urgent_event):
    print(measure(append, 5), end=" ")
"""


def test_samples_and_short_events_allocate_nothing_on_micropython():
    assert run_upy(_APPEND).split() == ["0", "0", "0"]


_RECORD = (
    _APPEND.split("journal = ", maxsplit=1)[0]
    + """
from tag.store.recordlog import RecordLog

records = RecordLog(Ring(Chip(0), 0, 16, entry_size_max=1100, reserve_slots=24))
records.open()
record = bytes(213)
records.append(record, 1)
gc.collect()
gc.disable()
before = gc.mem_alloc()
for _ in range(10):
    records.append(record, 1)
print((gc.mem_alloc() - before) // 10)
"""
)


def test_a_record_costs_a_copy_of_itself_and_its_hash():
    """One an hour or so: 213 bytes cost these bytes of heap on a 64-bit port."""
    assert int(run_upy(_RECORD)) <= 213 + 4 + 600
