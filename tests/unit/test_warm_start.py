# SPDX-License-Identifier: MIT
"""Starting both logs from the RTC's memory: at most four reads, never another end than cold."""

import random
import struct

import pytest

from tests.fakes.clockwork import FakeRTC
from tests.fakes.nor import Nor
from tests.micropython import run_upy
from tests.power_loss.kit import fixed_entropy
from tests.power_loss.ring_scenario import fingerprint

RECORD = bytes(213)


def open_pair(device, rtc):
    """Both logs of 2 MB as the storage opens them, recovered."""
    from tag.store import rtcmemory
    from tag.store.journal import Journal
    from tag.store.recordlog import RecordLog, recover_pair
    from tag.store.ringlog import Ring

    rings = []
    for first, count, size_max, part in ((0, 16, 768, 1), (16, 496, 1100, 2)):
        hint = rtcmemory.RingHint(rtc, part) if rtc else None
        rings.append(
            Ring(
                device,
                first,
                count,
                entry_size_max=size_max,
                reserve_slots=24,
                hint=hint,
                entropy=fixed_entropy,
            )
        )
    journal, records = Journal(rings[0]), RecordLog(rings[1])
    journal.open()
    records.open()
    recover_pair(journal, records)
    return journal, records


def prints_of(pair):
    return [fingerprint(store._ring) for store in pair]


def work(pair, record_count):
    journal, records = pair
    journal.append_boot(1, 0)
    for number in range(record_count):
        for _ in range(4):
            journal.append_sample(number, [-19600, 2000])
        records.append(RECORD, journal.next)
        journal.free(journal.next)
        if number % 50 == 49 and records.fill_permille > 800:
            records.acknowledge(records.head_seq - 100)


@pytest.mark.parametrize("record_count", [1, 40, 8_000, 9_500])
def test_both_logs_start_warm_in_four_reads_with_the_head_and_what_is_unsealed(record_count):
    device, rtc = Nor(512), FakeRTC()
    pair = open_pair(device, rtc)
    work(pair, record_count)
    pair[0].append_sample(9, [1])
    device.clear_counts()
    journal, records = open_pair(device, rtc)
    assert len(records.head_hash) == 32
    assert records.read(records.head_seq) == RECORD
    assert device.reads <= 4
    assert device.read_size <= 2 * 4096 + 2 * 32
    assert (device.programs, device.erases) == (2, 0)
    assert prints_of((journal, records)) == prints_of(open_pair(device, None))


def test_a_loss_of_power_costs_a_cold_start_and_nothing_else():
    device, rtc = Nor(512), FakeRTC()
    work(open_pair(device, rtc), 300)
    warm = prints_of(open_pair(device, rtc))
    rtc.lose_power()
    device.clear_counts()
    cold = prints_of(open_pair(device, rtc))
    assert device.reads > 512
    assert warm == cold
    device.clear_counts()
    open_pair(device, rtc)
    assert device.reads <= 4


def test_what_a_warm_start_did_not_read_is_learned_in_a_few_reads_when_asked_for():
    device, rtc = Nor(512), FakeRTC()
    pair = open_pair(device, rtc)
    work(pair, 9_500)
    pair[1].acknowledge(pair[1].head_seq - 4_000)
    _, cold = open_pair(device, None)
    _, records = open_pair(device, rtc)
    device.clear_counts()
    assert records.fill_permille == cold.fill_permille
    assert device.reads <= 12
    assert (records.first_seq, records.acknowledged) == (cold.first_seq, cold.acknowledged)
    assert [seq for seq, _ in records.records(records.head_seq - 40)] == list(
        range(records.head_seq - 40, records.head_seq + 1)
    )
    device.clear_counts()
    assert records.fill_permille == cold.fill_permille
    assert device.reads == 0


def fill_to_the_edge(ring, free, sector):
    """Appends until *sector* has no slot left, not even for a mark."""
    from tag.store.ringlog import RingFull

    while True:
        try:
            if ring.next and ring._map.active == sector and ring._tail.left < 14:
                break
            ring.append(1, RECORD)
        except RingFull:
            if ring._map.active == sector:
                break
            free(ring.freed + 600)
    while ring._tail.left:
        free(ring.freed + 1)


@pytest.mark.parametrize("is_journal_at_its_end", [False, True])
@pytest.mark.parametrize("full_sector", [0, 200, 493, 494, 495])
@pytest.mark.parametrize("lap", [1, 2])
def test_a_newest_record_in_the_sector_before_costs_no_more_than_four_reads(
    lap, full_sector, is_journal_at_its_end
):
    device, rtc = Nor(512), FakeRTC()
    journal, records = open_pair(device, rtc)
    journal.append_boot(1, 0)
    if is_journal_at_its_end:
        while journal._ring._map.active != 15:
            journal.append_sample(1, [1, 2])
            journal.free(journal.next)
    ring = records._ring
    if lap == 2:
        fill_to_the_edge(ring, ring.free, 495)
        ring.free(ring.freed + 600)
    fill_to_the_edge(ring, ring.free, full_sector)
    ring.free(min(ring.freed + 40, ring.next))  # its mark opens a sector
    assert ring._map.active == (full_sector + 1) % 496
    assert ring._tail.left == 254 and ring.next - 1 < ring.place_of(ring.next)[2]
    newest = ring.read_newest()
    device.clear_counts()
    again = open_pair(device, rtc)
    assert len(again[1].head_hash) == 32
    assert device.reads <= 4
    assert (device.programs, device.erases) == (2, 0)
    assert again[1]._ring.read_newest() == newest
    device.clear_counts()
    cold = open_pair(device, None)
    assert (cold[1].head_hash, cold[1].journal_next) == (again[1].head_hash, again[1].journal_next)
    assert device.reads <= 530
    assert device.read_size <= 33_000
    assert prints_of(again) == prints_of(cold)


@pytest.mark.parametrize("full_sector", [200, 494])
@pytest.mark.parametrize("at", [4, 12, 33, 4090])
def test_a_damaged_sector_before_the_newest_is_judged_as_in_a_cold_start(full_sector, at):
    device, rtc = Nor(512), FakeRTC()
    journal, records = open_pair(device, rtc)
    journal.append_boot(1, 0)
    ring = records._ring
    fill_to_the_edge(ring, ring.free, full_sector)
    ring.free(min(ring.freed + 40, ring.next))
    device.memory[(16 + full_sector) * 4096 + at] ^= 0xFF

    def newest_by(rtc):
        try:
            records = open_pair(device, rtc)[1]
            return records.head_seq, records._ring.read_newest()
        except (IndexError, RingError) as e:
            return e.args

    from tag.store.ringlog import RingError

    assert newest_by(rtc) == newest_by(None)


def test_a_thousand_warm_boots_without_an_append_leave_flash_byte_identical():
    device, rtc = Nor(512), FakeRTC()
    work(open_pair(device, rtc), 60)
    open_pair(device, rtc)
    before = bytes(device.memory)
    for _ in range(1000):
        device.clear_counts()
        open_pair(device, rtc)
        assert device.reads <= 4
    assert bytes(device.memory) == before


# ---- hints that are wrong


def small_ring(device, hint, **geometry):
    from tag.store.ringlog import Ring

    settings = {"entry_size_max": 100, "reserve_slots": 3, "slot_count": 20, **geometry}
    ring = Ring(device, 0, 5, entropy=fixed_entropy, hint=hint, **settings)
    ring.open()
    return ring


def rtc_hint(rtc):
    from tag.store.rtcmemory import RECORDS, RingHint

    return RingHint(rtc, RECORDS)


def image_and_rtc(count=130):
    device, rtc = Nor(5), FakeRTC()
    ring = small_ring(device, rtc_hint(rtc))
    for index in range(count):
        ring.append(1, index.to_bytes(4, "little"))
        ring.free(max(0, index - 20))
    return bytes(device.memory), bytes(rtc.content)


def assert_same_as_cold(image, content):
    cold = small_ring(Nor(5, image=image), None)
    rtc = FakeRTC()
    rtc.content = bytes(content)
    warm = small_ring(Nor(5, image=image), rtc_hint(rtc))
    assert fingerprint(warm) == fingerprint(cold)
    assert list(warm.entries()) == list(cold.entries())
    return warm


@pytest.mark.parametrize("at", range(76))
def test_any_damaged_byte_of_the_memory_changes_nothing(at):
    image, content = image_and_rtc()
    damaged = bytearray(content)
    damaged[at] ^= 0x81
    assert_same_as_cold(image, damaged)


@pytest.mark.parametrize("size", range(0, 76, 5))
def test_memory_that_was_written_half_changes_nothing(size):
    image, content = image_and_rtc()
    assert_same_as_cold(image, content[:size])
    assert_same_as_cold(image, content[:size] + bytes(76 - size))
    assert_same_as_cold(image, content[:size] + b"\xff" * (2048 - size))


def test_random_memory_changes_nothing():
    dice = random.Random(6)
    image, _ = image_and_rtc()
    for _ in range(300):
        assert_same_as_cold(image, dice.randbytes(dice.choice([0, 1, 76, 76, 2048])))


def test_random_hints_with_a_right_checksum_change_nothing():
    dice = random.Random(7)
    image, _ = image_and_rtc()
    log_id = struct.unpack("<I", fixed_entropy(4))[0]
    for _ in range(500):
        rtc = FakeRTC()
        rtc_hint(rtc).store(
            dice.choice([log_id, log_id, dice.getrandbits(32)]),
            dice.choice([dice.randrange(5), dice.getrandbits(32)]),
            dice.choice([dice.randrange(12), dice.getrandbits(32)]),
            dice.choice([0, dice.randrange(200), 2**32 - 1]),
        )
        assert_same_as_cold(image, rtc.content)


def test_the_hint_of_any_earlier_moment_changes_nothing():
    device, rtc, seen = Nor(5), FakeRTC(), set()
    ring = small_ring(device, rtc_hint(rtc))
    for index in range(130):
        ring.append(1, index.to_bytes(4, "little"))
        ring.free(max(0, index - 20))
        seen.add(bytes(rtc.content))
        for content in seen:
            assert_same_as_cold(bytes(device.memory), content)
    assert len(seen) > 7


def test_the_hint_of_another_tag_changes_nothing():
    content = image_and_rtc()[1]
    other = Nor(5)
    ring = small_ring(other, None)
    ring.format()
    ring.log_id ^= 5
    for index in range(130):
        ring.append(1, bytes([index]))
        ring.free(max(0, index - 20))
    assert_same_as_cold(bytes(other.memory), content)


def test_a_hint_from_before_a_format_changes_nothing():
    image, content = image_and_rtc()
    device, rtc = Nor(5, image=image), FakeRTC()
    rtc.content = content
    ring = small_ring(device, rtc_hint(rtc))
    ring.format()
    assert_same_as_cold(bytes(device.memory), content)
    ring.format(first_index=500)
    ring.append(1, b"x")
    assert_same_as_cold(bytes(device.memory), content)
    assert assert_same_as_cold(bytes(device.memory), rtc.content).first == 500


def test_a_log_of_another_geometry_or_a_foreign_one_is_refused_with_a_hint_too():
    from tag.store.ringlog import Ring, RingError

    image, content = image_and_rtc()
    rtc = FakeRTC()
    rtc.content = content
    wider = Ring(
        Nor(7, image=image + b"\xff" * 8192),
        0,
        7,
        entry_size_max=100,
        reserve_slots=3,
        slot_count=20,
        hint=rtc_hint(rtc),
    )
    with pytest.raises(RingError, match="geometry"):
        wider.open()
    with pytest.raises(RingError, match="foreign"):
        small_ring(Nor(5, image=b"\x5a" * len(image)), rtc_hint(rtc))
    with pytest.raises(RingError, match="encrypted"):
        small_ring(Nor(5, image=image, is_encrypted=True), rtc_hint(rtc))


@pytest.mark.parametrize("sector", range(5))
def test_a_header_that_rots_unseen_by_the_warm_start_ends_as_in_a_cold_one(sector):
    image, content = image_and_rtc()
    damaged = bytearray(image)
    damaged[sector * 4096 + 9] ^= 0xFF
    cold = small_ring(Nor(5, image=damaged), None)
    rtc = FakeRTC()
    rtc.content = content
    warm = small_ring(Nor(5, image=damaged), rtc_hint(rtc))
    assert list(warm._map.learn_all()) == list(cold._map.learn_all())
    assert (warm.first, warm.next, warm.kept_sectors) == (cold.first, cold.next, cold.kept_sectors)


# ---- life after a warm start


@pytest.mark.parametrize("overwrites", [False, True])
def test_a_life_of_warm_resets_writes_the_same_flash_as_one_of_cold_boots(overwrites):
    dice = random.Random(8)
    cold_chip, warm_chip, rtc = Nor(5), Nor(5), FakeRTC()
    settings = {"overwrites": overwrites}
    cold = small_ring(cold_chip, None, **settings)
    warm = small_ring(warm_chip, rtc_hint(rtc), **settings)
    for step in range(600):
        for ring in (cold, warm):
            ring.append(1, bytes([step & 255]) * (step % 40))
            if not overwrites or step % 70 == 0:
                ring.free(max(0, ring.next - 15))
            assert ring.read(ring.next - 1)[1] == bytes([step & 255]) * (step % 40)
        assert (cold.kept_sectors, cold.lost, cold.first) == (
            warm.kept_sectors,
            warm.lost,
            warm.first,
        )
        if dice.random() < 0.1:
            cold = small_ring(cold_chip, None, **settings)
            warm = small_ring(warm_chip, rtc_hint(rtc), **settings)
    assert cold_chip.memory == warm_chip.memory
    assert list(cold.entries()) == list(warm.entries())


def test_an_error_of_a_header_read_late_leaves_the_entry_out_and_the_next_try_in():
    class Flaky(Nor):
        is_down = False

        def readblocks(self, block, buffer, offset=0):
            if self.is_down:
                raise OSError(5)
            super().readblocks(block, buffer, offset)

    image, content = image_and_rtc()
    device, rtc = Flaky(5, image=image), FakeRTC()
    rtc.content = content
    ring = small_ring(device, rtc_hint(rtc))
    count = ring.next
    device.is_down = True
    with pytest.raises(OSError):
        ring.append(1, b"x")
    device.is_down = False
    assert ring.append(1, b"x") == count
    assert small_ring(Nor(5, image=device.memory), None).next == count + 1


def test_the_clock_and_both_logs_share_the_memory_without_harm():
    from tag.clock import SRC_SERIAL, Clock
    from tag.store import rtcmemory
    from tests.fakes.clockwork import FakeUptime

    rtc = FakeRTC()
    Clock(FakeUptime(), 500, rtc).narrow(10**12, 10**12 + 5, SRC_SERIAL)
    hints = [rtcmemory.RingHint(rtc, part) for part in (rtcmemory.JOURNAL, rtcmemory.RECORDS)]
    hints[0].store(1, 2, 3, 4)
    hints[1].store(5, 6, 7, 8)
    assert Clock(FakeUptime(), 500, rtc).resume_from_rtc()
    assert [hint.load() for hint in hints] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert len(rtc.content) <= 2048


def test_no_part_of_the_memory_passes_for_another():
    from tag.store import rtcmemory

    rtc = FakeRTC()
    rtcmemory.RingHint(rtc, rtcmemory.JOURNAL).store(1, 2, 3, 4)
    rtc.content = rtc.content[:56] + rtc.content[36:56]
    assert rtcmemory.RingHint(rtc, rtcmemory.JOURNAL).load() == (1, 2, 3, 4)
    assert rtcmemory.RingHint(rtc, rtcmemory.RECORDS).load() is None


_STORAGE = """
from clockwork import FakeRTC
from nor import Nor
from tag.board import RTCMemory
from tag.store.recordlog import recover_pair
from tag.store.storage import Storage

log, keys, rtc = Nor(64), Nor(16), RTCMemory(FakeRTC())

def boot(rtc):
    log.clear_counts()
    storage = Storage(keys, log, rtc)
    storage.open()
    recover_pair(storage.journal, storage.records)
    storage.records.head_hash
    print(log.reads, end=" ")
    return storage

storage = boot(rtc)
storage.journal.append_boot(1, 0)
for number in range(300):
    storage.journal.append_sample(number, [1])
    if number % 64 == 63:
        storage.records.append(bytes(213), storage.journal.next)
        storage.journal.free(storage.journal.next)
boot(rtc)
boot(None)
boot(rtc)
"""


def test_the_storage_starts_warm_on_micropython_with_the_memory_of_the_board():
    assert run_upy(_STORAGE).split() == ["64", "2", "66", "2"]
