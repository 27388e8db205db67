# SPDX-License-Identifier: MIT
"""The ring log without power cuts: order, room, refusals, cost. Cuts: tests/power_loss."""

import random

import pytest

from tests.fakes.nor import (
    ERASE_FAULTS,
    PROGRAM_FAULTS,
    SECTOR_SIZE,
    Dice,
    Nor,
    apply_op,
    pages_of,
    tear,
)
from tests.power_loss.kit import fixed_entropy


def new_ring(
    device=None, sector_count=4, slot_count=20, size_max=100, reserve=3, first=0, **settings
):
    from tag.store.ringlog import Ring

    device = device or Nor(first + sector_count)
    return Ring(
        device,
        first,
        sector_count,
        entry_size_max=size_max,
        reserve_slots=reserve,
        slot_count=slot_count,
        entropy=fixed_entropy,
        **settings,
    )


@pytest.fixture
def device():
    return Nor(4)


@pytest.fixture
def ring(device):
    ring = new_ring(device)
    ring.open()
    return ring


def fill(ring, is_urgent=False):
    from tag.store.ringlog import RingFull

    try:
        while True:
            ring.append(1, ring.next.to_bytes(4, "little"), is_urgent)
    except RingFull:
        return ring.next


def reopened(device):
    ring = new_ring(device)
    ring.open()
    return ring


@pytest.mark.parametrize("size", [0, 1, 12, 13, 26, 27, 42, 43, 99, 100])
def test_an_entry_of_any_size_reads_back_whole_in_one_program(ring, device, size):
    ring.append(1, b"first")
    device.clear_counts()
    payload = bytes(range(size))
    assert ring.append(3, payload) == 1
    assert device.programs == 1
    assert ring.read(1) == (3, payload)
    assert reopened(device).read(1) == (3, payload)


def test_a_payload_of_up_to_12_bytes_takes_one_slot(ring, device):
    ring.append(1, b"")
    device.clear_counts()
    ring.append(1, bytes(12))
    assert device.program_size == 16


@pytest.mark.parametrize(("kind", "size"), [(0, 1), (7, 1), (1, 101)])
def test_a_wrong_kind_or_size_is_refused(ring, kind, size):
    with pytest.raises(ValueError):
        ring.append(kind, bytes(size))


def test_an_entry_size_beyond_a_sector_is_refused():
    with pytest.raises(ValueError):
        new_ring(size_max=400)


def test_free_marks_are_not_counted_as_entries(ring, device):
    ring.append(1, b"a")
    ring.free(1)
    assert ring.append(1, b"b") == 1
    again = reopened(device)
    assert [i for i, _, _ in again.entries()] == [0, 1]
    assert (again.next, again.freed) == (2, 1)


def test_free_is_idempotent_and_never_moves_back(ring, device):
    for _ in range(5):
        ring.append(1, b"x")
    ring.free(3)
    device.clear_counts()
    ring.free(3)
    ring.free(1)
    assert (ring.freed, device.programs) == (3, 0)


def test_freeing_what_does_not_exist_is_refused(ring):
    with pytest.raises(ValueError):
        ring.free(1)


def test_a_full_ring_refuses_and_keeps_everything(ring, device):
    count = fill(ring)
    again = reopened(device)
    assert [i for i, _, _ in again.entries()] == list(range(count))
    assert again.fill_permille == ring.fill_permille == 1000


def test_a_full_ring_takes_the_mark_that_frees_a_sector_and_goes_on(ring):
    count = fill(ring)
    ring.free(20)
    for more in range(10):
        assert ring.append(1, b"more") == count + more
    assert ring.first == 20


def test_the_reserve_takes_marks_that_free_no_sector(ring, device):
    fill(ring)
    for index in (1, 2, 3):
        ring.free(index)
    assert reopened(device).freed == 3


@pytest.mark.parametrize("reserve", [0, 3])
def test_when_all_slots_are_out_a_mark_that_frees_a_sector_goes_into_a_header(reserve):
    from tag.store.ringlog import RingFull

    device = Nor(4)
    ring = new_ring(device, reserve=reserve)
    ring.open()
    fill(ring)
    with pytest.raises(RingFull):
        for index in range(1, 10):
            ring.free(index)
    ring.free(25)
    assert reopened(device).freed == 25
    ring.append(1, b"goes on")


def test_sectors_are_reused_oldest_first_with_even_wear(device, ring):
    for index in range(1000):
        ring.append(1, b"x")
        if index % 10 == 9:
            ring.free(index)
    assert max(device.erases_of) - min(device.erases_of) <= 1
    assert device.violations == 0


def test_fill_counts_sectors_that_may_not_be_overwritten(ring):
    assert ring.fill_permille == 0
    for _ in range(30):
        ring.append(1, b"x")
    assert ring.fill_permille == 500
    ring.free(20)
    assert ring.fill_permille == 250
    ring.free(30)
    assert ring.fill_permille == 0


def test_an_index_that_is_not_held_is_an_index_error(ring):
    ring.append(1, b"x")
    for index in (-1, 1, 99):
        with pytest.raises(IndexError):
            ring.read(index)


def test_entries_can_be_read_in_any_order(ring):
    for index in range(60):
        ring.append(1, bytes([index]))
    order = list(range(60))
    random.Random(1).shuffle(order)
    assert [ring.read(i)[1][0] for i in order] == order


def test_reading_on_costs_one_read_an_entry(ring, device):
    for index in range(15):
        ring.append(1, bytes([index]))
    device.clear_counts()
    assert len(list(ring.entries())) == 15
    assert device.reads == 15


def test_what_is_refused_is_not_written_not_even_after_an_unclean_boot(ring, device):
    from tag.store.ringlog import RingFull

    fill(ring)
    again = reopened(device)
    device.clear_counts()
    with pytest.raises(RingFull):
        again.append(1, b"x")
    assert (device.programs, device.erases) == (0, 0)


# ---- the reserve for urgent entries


@pytest.mark.parametrize("spared", [1, 2])
def test_ordinary_entries_leave_the_reserve_and_urgent_ones_use_all_of_it(spared):
    from tag.store.ringlog import RingFull

    device = Nor(6)
    ring = new_ring(device, sector_count=6, reserve_sectors=spared)
    ring.open()
    count = fill(ring)
    assert ring.kept_sectors == 6 - spared
    assert count == (6 - spared) * 20 - 3
    assert fill(ring, is_urgent=True) == 6 * 20 - 3
    with pytest.raises(RingFull):
        ring.append(1, b"ordinary")
    ring.free(20)
    with pytest.raises(RingFull):
        ring.append(1, b"ordinary: the reserve comes first")
    ring.append(1, b"urgent", True)


def test_a_sector_that_an_urgent_entry_opened_is_not_for_ordinary_ones():
    from tag.store.ringlog import RingFull

    ring = new_ring(Nor(6), sector_count=6, reserve_sectors=2)
    ring.open()
    count = fill(ring)
    while ring.kept_sectors == 4:
        ring.append(1, b"urgent", True)
    for _ in range(50):
        with pytest.raises(RingFull):
            ring.append(1, b"ordinary")
    assert 3 <= ring.next - count <= 4
    ring.free(40)
    ring.append(1, b"ordinary")


@pytest.mark.parametrize("spared", [-1, 2])
def test_a_reserve_that_leaves_no_ring_is_refused(spared):
    with pytest.raises(ValueError):
        new_ring(Nor(4), reserve_sectors=spared)


# ---- lazy freeing: blank sectors first, then the oldest freed one, never a newer one


def test_what_is_freed_stays_readable_while_a_blank_sector_is_left():
    device = Nor(8)
    ring = new_ring(device, sector_count=8)
    ring.open()
    for index in range(300):
        ring.append(1, bytes([index & 255]))
        ring.free(ring.next)
        assert (ring.first == 0) == (device.erases <= 8)
        assert ring.read(ring.first)[1] == bytes([ring.first & 255])


@pytest.mark.parametrize("overwrites", [False, True])
def test_only_the_oldest_sector_is_ever_reused_so_the_newest_are_out_of_reach(overwrites):
    device = Nor(8)
    ring = new_ring(device, sector_count=8, overwrites=overwrites)
    ring.open()
    start_of = {}
    for index in range(900):
        ring.append(1, bytes(index % 40))
        start_of.setdefault(ring._map.active_seq, index)
        if not overwrites and index % 3 == 0:
            ring.free(ring.next)
        assert ring.first == start_of[max(1, ring._map.active_seq - 7)]


# ---- overwriting


def overwriting_ring(device, **settings):
    ring = new_ring(device, sector_count=device.sector_count, overwrites=True, **settings)
    ring.open()
    return ring


def test_an_overwriting_ring_is_never_full_and_counts_each_entry_it_gave_up(device):
    ring = overwriting_ring(device)
    for index in range(1000):
        assert ring.append(1, index.to_bytes(4, "little")) == index
        assert ring.lost == ring.first
    again = reopened(device)
    assert (again.lost, again.first, again.next) == (ring.lost, ring.first, 1000)
    assert [int.from_bytes(p, "little") for _, _, p in again.entries()] == list(
        range(ring.first, 1000)
    )
    assert max(device.erases_of) - min(device.erases_of) <= 1


def test_what_was_freed_in_time_is_not_lost(device):
    ring = overwriting_ring(device)
    for index in range(1000):
        ring.append(1, b"x")
        ring.free(max(0, index - 5))
    assert ring.lost == 0
    for _ in range(200):
        ring.append(1, b"x")
    assert ring.lost == ring.first - (999 - 5)
    assert reopened(device).lost == ring.lost


def test_the_mode_can_be_turned_on_and_off_and_the_count_stays(device):
    from tag.store.ringlog import RingFull

    ring = reopened(device)
    count = fill(ring)
    ring.overwrites = True
    ring.append(1, b"in place of the oldest")
    for _ in range(9):
        ring.append(1, b"x")
    lost = ring.lost
    assert lost == 20
    ring.overwrites = False
    with pytest.raises(RingFull):
        fill_one = ring.next
        while ring.next < fill_one + 100:
            ring.append(1, b"x")
    again = reopened(device)
    assert (again.lost, again.overwrites) == (lost, False)
    assert again.next > count
    ring.free(ring.next)
    for _ in range(100):
        ring.append(1, b"x")
        ring.free(ring.next)
    assert reopened(device).lost == ring.lost == lost


def test_a_ring_without_a_slot_for_a_mark_can_still_be_told_to_overwrite():
    from tag.store.ringlog import RingFull

    device = Nor(4)
    ring = new_ring(device, reserve=0)
    ring.open()
    fill(ring)
    with pytest.raises(RingFull):
        for index in range(1, 10):
            ring.free(index)
    freed = ring.freed
    ring.overwrites = True
    ring.append(1, b"x")
    assert ring.lost == reopened(device).lost == 20 - freed


def test_unclean_sector_changes_cost_one_erase_each_and_no_more():
    """Cut between erase and header, once every other round: the spread stays with them."""
    device = Nor(5)
    ring = overwriting_ring(device)
    unclean = 0
    for index in range(3000):
        if index % 97 == 0:
            is_armed = [True]

            def cut(number, op, is_armed=is_armed):
                if is_armed[0] and op[1] == 0 and op[2] is not None and any(op[2]):
                    is_armed[0] = False
                    return 0
                return -1

            device.before_op = cut
        try:
            ring.append(1, b"x")
        except OSError:
            unclean += 1
            device.before_op = None
            ring = overwriting_ring(device)
            ring.append(1, b"x")
    assert unclean > 20
    assert max(device.erases_of) - min(device.erases_of) <= 1 + unclean
    assert ring.lost == ring.first


# ---- opening


def test_a_blank_device_opens_empty_and_stays_blank(device):
    ring = reopened(device)
    assert (ring.next, list(ring.entries())) == (0, [])
    assert device.op_count == 0


def test_boots_that_append_nothing_leave_flash_byte_identical(ring, device):
    for _ in range(25):
        ring.append(1, b"x")
    device.memory[3 * 4096 - 1] = 0  # dirt in a sector's unused end
    before = bytes(device.memory)
    for _ in range(1000):
        reopened(device)
    assert bytes(device.memory) == before
    assert device.violations == 0


def test_opening_with_a_torn_tail_leaves_flash_byte_identical_too(ring, device):
    for _ in range(5):
        ring.append(1, b"x")
    device.writeblocks(0, b"\x1c" + b"torn" * 3 + b"\x00\x00\x00", 32 + 5 * 16)
    before = bytes(device.memory)
    assert reopened(device).next == 5
    assert bytes(device.memory) == before


def test_a_log_has_a_random_id_of_its_own():
    import os

    from tag.store.ringlog import Ring

    ids = set()
    for _ in range(3):
        ring = Ring(Nor(3), 0, 3, entry_size_max=50, reserve_slots=0, entropy=os.urandom)
        ring.open()
        ids.add(ring.log_id)
    assert len(ids) == 3


def refusal(device, **geometry):
    from tag.store.ringlog import RingError

    ring = new_ring(device, **geometry)
    before = bytes(device.memory)
    with pytest.raises(RingError) as caught:
        ring.open()
    assert bytes(device.memory) == before
    assert not ring.is_open
    return caught.value.args[0]


def test_an_encrypted_partition_is_refused():
    assert refusal(Nor(4, is_encrypted=True)) == "encrypted"


def test_a_partition_that_is_too_small_is_refused():
    assert refusal(Nor(3), sector_count=4) == "too small"


def test_a_cut_in_the_first_append_ever_leaves_a_usable_ring():
    device = Nor(4, image=b"\x3c" * SECTOR_SIZE + b"\xff" * (3 * SECTOR_SIZE))
    ring = new_ring(device)
    ring.open()
    ring.append(1, b"x")
    assert reopened(device).read(0) == (1, b"x")


def test_a_foreign_partition_is_refused():
    littlefs = b"\x01\x00\x00\x00\xf0\x0f\xff\xf7littlefs".ljust(SECTOR_SIZE, b"\xff")
    assert refusal(Nor(4, image=littlefs * 4)) == "foreign"


def test_a_log_of_another_size_is_refused():
    device = Nor(6)
    ring = new_ring(device, sector_count=4)
    ring.open()
    ring.append(1, b"x")
    assert refusal(device, sector_count=6) == "geometry"


def test_two_logs_mixed_are_refused():
    one, two = Nor(4), Nor(4)
    for device, log_id in ((one, b"aaaa"), (two, b"bbbb")):
        ring = new_ring(device)
        ring._entropy = lambda size, log_id=log_id: log_id
        ring.open()
        for _ in range(50):
            ring.append(1, b"x")
    mixed = bytes(one.memory[:SECTOR_SIZE]) + bytes(two.memory[SECTOR_SIZE:])
    assert refusal(Nor(4, image=mixed)) == "mixed logs"


def test_random_content_never_crashes_and_never_invents_an_entry():
    from tag.store.ringlog import RingError

    dice = random.Random(3)
    for _ in range(200):
        device = Nor(4, image=dice.randbytes(4 * SECTOR_SIZE))
        with pytest.raises(RingError):
            new_ring(device).open()


def test_random_damage_to_a_log_never_crashes_and_never_invents_an_entry(ring, device):
    from tag.store.ringlog import RingError

    for index in range(55):
        ring.append(1, index.to_bytes(4, "little"))
    image = bytes(device.memory)
    dice = random.Random(4)
    for _ in range(300):
        damaged = bytearray(image)
        for _ in range(dice.randint(1, 60)):
            at = dice.randrange(4) * SECTOR_SIZE + dice.randrange(352)
            damaged[at] = dice.randrange(256)
        again = new_ring(Nor(4, image=damaged))
        try:
            again.open()
            for _, _, payload in again.entries():
                assert int.from_bytes(payload, "little") < 55
        except RingError:
            pass


def test_format_begins_a_new_log(ring, device):
    fill(ring)
    ring.format()
    assert (ring.next, list(ring.entries())) == (0, [])
    assert ring.append(1, b"x") == 0
    assert reopened(device).next == 1


@pytest.mark.parametrize("order", ["format", "wipe"])
def test_a_cut_anywhere_in_format_or_wipe_leaves_a_ring_that_opens(order):
    device = Nor(4)
    ring = new_ring(device)
    ring.open()
    for _ in range(70):
        ring.append(1, bytes(9))
        ring.free(ring.next)
    memory = bytearray(device.memory)
    device.log = ops = []
    getattr(ring, order)()
    for op in ops:
        for page in pages_of(op):
            for fault in ERASE_FAULTS if page[2] is None else PROGRAM_FAULTS:
                torn = bytearray(memory)
                tear(torn, page, fault, Dice(3))
                again = new_ring(Nor(4, image=torn))
                again.open()
                getattr(again, order)()
                assert again.append(1, b"new") == 0
            apply_op(memory, page)


def test_format_makes_a_foreign_partition_usable():
    device = Nor(4, image=random.Random(5).randbytes(4 * SECTOR_SIZE))
    ring = new_ring(device)
    ring.format()
    ring.append(1, b"x")
    assert reopened(device).read(0) == (1, b"x")


def test_format_can_go_on_with_the_numbers(ring, device):
    ring.format(first_index=500)
    assert reopened(device).next == 500
    assert ring.append(1, b"x") == 500
    assert [i for i, _, _ in reopened(device).entries()] == [500]


def test_wipe_leaves_no_byte_and_zeroes_before_it_erases(ring, device):
    fill(ring)
    device.log = []
    ring.wipe()
    assert bytes(device.memory) == b"\xff" * len(device.memory)
    zeroed = {op[0] for op in device.log if op[2] is not None}
    first_erase = next(i for i, op in enumerate(device.log) if op[2] is None)
    assert zeroed == {0, 1, 2, 3}
    assert all(op[2] is None for op in device.log[first_erase:])


# ---- readers while the ring goes on


class BusyNor(Nor):
    """Lets *meanwhile* run before every read, as another task might."""

    meanwhile = None

    def readblocks(self, block, buffer, offset=0):
        action, self.meanwhile = self.meanwhile, None
        if action and action() != "once":
            self.meanwhile = action
        super().readblocks(block, buffer, offset)


@pytest.mark.parametrize("pace", [1, 2, 5, 9])
def test_a_reader_never_sees_torn_or_wrong_entries_while_the_ring_goes_round(pace):
    device = BusyNor(4)
    ring = new_ring(device)
    ring.open()
    fill(ring)
    ring.free(ring.next - 12)

    def go_on():
        for _ in range(pace):
            index = ring.append(1, ring.next.to_bytes(4, "little"))
            ring.free(index - 12)

    seen = []
    reading = ring.entries()
    device.meanwhile = go_on
    for index, _, payload in reading:
        assert int.from_bytes(payload, "little") == index
        seen.append(index)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("pace", [1, 2, 5, 9])
def test_a_reader_beside_an_overwriting_ring_sees_right_entries_or_a_step(pace):
    device = BusyNor(4)
    ring = overwriting_ring(device)
    for index in range(75):
        ring.append(1, index.to_bytes(4, "little"))

    def go_on():
        for _ in range(pace):
            ring.append(1, ring.next.to_bytes(4, "little"))

    seen = []
    reading = ring.entries(0, 75 + 400)
    device.meanwhile = go_on
    for index, _, payload in reading:
        assert int.from_bytes(payload, "little") == index
        seen.append(index)
    assert seen == sorted(set(seen))
    assert ring.lost == ring.first


def test_a_search_through_a_sector_that_is_just_reused_ends_in_an_index_error():
    device = BusyNor(4)
    ring = new_ring(device)
    ring.open()
    fill(ring)
    ring.free(20)

    def reuse():
        while ring.first == 0:
            ring.append(1, b"x")
        return "once"

    device.meanwhile = reuse
    with pytest.raises(IndexError):
        ring.read(15)


def test_an_entry_overwritten_under_the_reader_is_a_step_in_the_index(ring):
    fill(ring)
    reading = ring.entries()
    assert next(reading)[0] == 0
    ring.free(45)
    for _ in range(30):
        ring.append(1, b"x")
    assert next(reading)[0] == ring.first > 1


# ---- cost at real size, 2 MB


def open_real_pair(device):
    from tag.store.journal import Journal
    from tag.store.recordlog import RecordLog
    from tag.store.ringlog import Ring

    journal = Journal(Ring(device, 0, 16, entry_size_max=768, reserve_slots=24))
    records = RecordLog(Ring(device, 16, 496, entry_size_max=1100, reserve_slots=24))
    journal.open()
    records.open()
    return journal, records


def test_both_logs_of_2_mb_recover_full_within_530_reads_33_kb_and_4_programs():
    from tag.store.recordlog import recover_pair
    from tag.store.ringlog import RingFull

    device = Nor(512)
    journal, records = open_real_pair(device)
    journal.append_boot(1, 0)
    record = bytes(213)
    for number in range(64 * 14):
        journal.append_sample(number, [-19600, 2000])
    journal.free(journal.next)
    with pytest.raises(RingFull):
        while True:
            records.append(record, journal.next)
    with pytest.raises(RingFull):
        while True:
            journal.append_sample(1, [-19600, 2000])
    device.clear_counts()
    journal, records = open_real_pair(device)
    recover_pair(journal, records)
    assert len(records.head_hash) == 32
    assert device.reads <= 530
    assert device.read_size <= 33_000
    assert (device.programs, device.erases) == (2, 0)
    assert journal.fill_permille == records.fill_permille == 1000
