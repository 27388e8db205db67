# SPDX-License-Identifier: MIT
"""Block builder and record reader: sizes, times, bounds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwire import blockbuilder, cbor, labels, record
from sealwire.blockbuilder import BLOCK_FULL, EVENT_COUNT_MAX, RUN_COUNT_MAX

PREV = bytes(32)
UTC = (1_795_000_000, labels.SOURCE_TOKEN, 40)


def _sealed(block: record.BlockBuilder, up_ms: int, **more) -> record.Record:
    payload = block.payload(0, 1000, PREV, 12, up_ms, UTC, **more)
    return record.parse_record(record.envelope(payload, bytes(64)))


def _instants(parsed: record.Record, probe: int = 0) -> list[tuple[int, int]]:
    return [
        (parsed.up_ms + t0_ms + index * dt_ms, value)
        for number, t0_ms, dt_ms, values in parsed.runs
        if number == probe
        for index, value in enumerate(values)
    ]


def random_walk(count: int, seed: int) -> list[int]:
    """Centi-degrees, noise of sigma 2, as in the measurements this format was chosen by."""
    chance = random.Random(seed)
    values, at = [], -15_000
    for _ in range(count):
        at += round(chance.gauss(0, 2))
        values.append(at)
    return values


def bytes_per_reading(seed: int) -> float:
    """One probe, 64 readings a minute apart, no events, UTC known, a tag in mid-life."""
    block = record.BlockBuilder()
    start_ms = 500_000_000
    for index, value in enumerate(random_walk(64, seed)):
        block.add_sample(start_ms + 60_000 * index, (value,))
    payload = block.payload(0, 1000, PREV, 12, start_ms + 63 * 60_000, UTC)
    return len(record.envelope(payload, bytes(64))) / 64


def test_64_readings_cost_at_most_3_4_bytes_each():
    assert max(bytes_per_reading(seed) for seed in range(20)) <= 3.4


def test_even_samples_with_jitter_stay_one_run():
    block = record.BlockBuilder()
    chance = random.Random(1)
    real = [1_000 + 60_000 * index + chance.randrange(0, 900) for index in range(64)]
    for up_ms in real:
        block.add_sample(up_ms, (500,))
    parsed = _sealed(block, real[-1])
    assert len(parsed.runs) == 1
    assert parsed.runs[0][2] == 60_000
    assert all(abs(at - up) <= 1000 for (at, _), up in zip(_instants(parsed), real, strict=True))


def test_slow_drift_of_the_distance_is_followed_or_split_but_never_wrong():
    block = record.BlockBuilder()
    real = [index * 60_000 + index * index * 20 for index in range(64)]
    for up_ms in real:
        block.add_sample(up_ms, (up_ms // 60_000,))
    parsed = _sealed(block, real[-1])
    assert 1 < len(parsed.runs) < 16
    assert all(abs(at - up) <= 1000 for (at, _), up in zip(_instants(parsed), real, strict=True))


@pytest.mark.parametrize(("third_ms", "distances"), [(123_000, [61_000]), (123_001, [60_000, 0])])
def test_a_run_ends_when_no_distance_puts_every_reading_within_1_s(third_ms, distances):
    # 61 s puts the second reading 1,000 ms late and the third in place; a millisecond more
    # would need 61,001 ms, for which the second is too early.
    block = record.BlockBuilder()
    for up_ms in (0, 60_000, third_ms):
        block.add_sample(up_ms, (500,))
    assert [run[2] for run in _sealed(block, third_ms).runs] == distances


def test_a_burst_begins_a_run_of_its_own_and_probes_share_instants():
    block = record.BlockBuilder()
    for up_ms in (0, 60_000, 120_000, 130_000, 140_000, 150_000):
        block.add_sample(up_ms, (500, -100))
    parsed = _sealed(block, 150_000)
    assert [run[:3] for run in parsed.runs] == [
        (0, -150_000, 60_000),
        (1, -150_000, 60_000),
        (0, -20_000, 10_000),
        (1, -20_000, 10_000),
    ]


def test_a_change_of_probes_begins_a_new_run_and_deltas_stay_apart():
    block = record.BlockBuilder()
    for index, values in enumerate([(1, 2), (3, 5), (7,), (9,), (10, 20), (11, 23)]):
        block.add_sample(index * 1000, values)
    parsed = _sealed(block, 5000)
    assert [v for _, v in _instants(parsed, 0)] == [1, 3, 7, 9, 10, 11]
    assert [v for _, v in _instants(parsed, 1)] == [2, 5, 20, 23]


def test_an_event_may_overtake_a_sample_and_the_uptime_covers_both():
    block = record.BlockBuilder()
    block.add_sample(1_000, (500,))
    block.add_event(61_500, labels.EVENT_LID_OPEN)
    block.add_sample(61_000, (501,))
    parsed = _sealed(block, 61_200)
    assert parsed.up_ms == 61_500
    assert parsed.events == ((0, labels.EVENT_LID_OPEN, None),)
    assert _instants(parsed) == [(1_000, 500), (61_000, 501)]


def test_clear_forgets_everything():
    block = record.BlockBuilder()
    block.add_sample(5, (1, 2, 3, 4))
    block.add_event(6, labels.EVENT_BATTERY_LOW, [3000])
    block.clear()
    assert block.is_empty
    assert block.sample_count == 0
    block.add_sample(1_000_000, (9,))
    assert _instants(_sealed(block, 1_000_000)) == [(1_000_000, 9)]


READINGS = st.integers(-27_315, 100_000) | st.integers(1_000_001, 1_000_007)
ENTRIES = st.lists(
    st.tuples(
        st.integers(0, 90_000),
        st.lists(READINGS, min_size=1, max_size=4) | st.binary(min_size=1, max_size=200),
    ),
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(ENTRIES, st.integers(0, 1 << 47))
def test_what_fits_is_taken_and_every_record_is_within_1024_bytes(entries, up_ms):
    block = record.BlockBuilder()
    samples, events = [], []
    for after_ms, content in entries:
        up_ms += after_ms
        if isinstance(content, bytes):
            offer = [1, bytes(8), content]
            encoded = cbor.encode(offer)
            if not block.fits_event(up_ms, labels.EVENT_OFFER, encoded):
                break
            block.add_event(up_ms, labels.EVENT_OFFER, encoded)
            events.append((up_ms, offer))
        else:
            if not block.fits_sample(up_ms, content):
                break
            block.add_sample(up_ms, content)
            samples.append((up_ms, content))
    if block.is_empty:
        return
    payload = block.payload(
        labels.KIND_CRASH_BLOCK,
        (1 << 32) - 1,
        PREV,
        (1 << 32) - 2,
        up_ms,
        ((1 << 40) - 1, 4, (1 << 32) - 1),
        sealed_by_boot=(1 << 32) - 1,
    )
    parsed = record.parse_record(record.envelope(payload, bytes(64)))
    assert [(up_ms + t, data) for t, _, data in parsed.events] == events
    for probe in range(4):
        expected = [(at, values[probe]) for at, values in samples if len(values) > probe]
        got = _instants(parsed, probe)
        assert [value for _, value in got] == [value for _, value in expected]
        assert all(abs(g - e) <= 1000 for (g, _), (e, _) in zip(got, expected, strict=True))


def test_the_largest_fixed_part_leaves_the_promised_room():
    block = record.BlockBuilder()
    while block.fits_event(0, labels.EVENT_CLAIM, bytes(90)):
        block.add_event(0, labels.EVENT_CLAIM, cbor.encode(bytes(88)))
    size = len(
        block.payload(
            labels.KIND_KEY_EPOCH,
            (1 << 32) - 1,
            PREV,
            (1 << 32) - 1,
            (1 << 48) - 1,
            ((1 << 40) - 1, 4, (1 << 32) - 1),
            next_key=bytes(33),
        )
    )
    assert size + 76 <= labels.RECORD_SIZE_MAX


def test_worst_case_sizes_are_those_of_the_encodings():
    # A byte string's head is 3 bytes where a run fills a record, 1 in the empty run here.
    run = [3, -(1 << 30), (1 << 30) - 1, 1024, 1_000_007, b""]
    assert len(cbor.encode(run)) + 2 == blockbuilder._RUN_SIZE
    assert len(cbor.encode([-(1 << 30), 255])) == blockbuilder._EVENT_SIZE
    utc = ((1 << 40) - 1, 4, (1 << 32) - 1)
    largest = (1 << 32) - 1
    payload = record.BlockBuilder().payload(
        3, largest, PREV, largest, (1 << 48) - 1, utc, next_key=bytes(33)
    )
    heads = 2 * (1 + 3)  # RUNS and EVENTS, key and array
    envelope = len(record.envelope(bytes(300), bytes(64))) - 300
    assert len(payload) + heads + envelope <= blockbuilder._FIXED_SIZE


def test_a_run_may_fill_a_record_to_the_brim_and_no_further():
    block = record.BlockBuilder()
    count = 0
    with pytest.raises(record.RecordError, match=BLOCK_FULL):
        for count in range(2000):
            block.add_sample(count * 1000, (1_000_001 if count & 1 else -27_315,))
    made = record.envelope(block.payload(0, (1 << 32) - 1, PREV, 1, count * 1000, UTC), bytes(64))
    assert 900 < len(made) <= 1024
    assert len(record.parse_record(made).runs[0][3]) == count == block.sample_count


def test_the_33rd_run_is_refused_by_add_sample_too():
    block = record.BlockBuilder(8192)
    with pytest.raises(record.RecordError, match=BLOCK_FULL):
        for index in range(RUN_COUNT_MAX + 1):
            block.add_sample(index, (1,) * (1 + index % 2))
    assert block.sample_count == RUN_COUNT_MAX


def test_a_full_block_refuses_and_stays_as_it_was():
    block = record.BlockBuilder(300)
    while block.fits_sample(0, (1,)):
        block.add_sample(0, (1,))
    before = block.payload(0, 0, PREV, 1, 0)
    with pytest.raises(record.RecordError, match=BLOCK_FULL):
        for _ in range(100):
            block.add_event(0, labels.EVENT_CLAIM, [1, 2, 3])
            before = block.payload(0, 0, PREV, 1, 0)
    assert block.payload(0, 0, PREV, 1, 0) == before


def test_runs_and_events_are_counted():
    block = record.BlockBuilder(8192)
    for index in range(RUN_COUNT_MAX):
        assert block.fits_sample(index * index * 10_000, (1,))
        block.add_sample(index * index * 10_000, (1,) * (1 + index % 2))
    assert not block.fits_sample(99_000_000, (1,))
    for _ in range(EVENT_COUNT_MAX):
        block.add_event(99_000_000, labels.EVENT_LID_OPEN)
    assert not block.fits_event(99_000_000, labels.EVENT_LID_OPEN)
    with pytest.raises(record.RecordError, match=BLOCK_FULL):
        block.add_event(99_000_000, labels.EVENT_LID_OPEN)


def test_a_block_spans_12_days_at_most():
    block = record.BlockBuilder()
    block.add_sample(0, (1,))
    assert block.fits_sample((1 << 30) - 1, (1,))
    assert not block.fits_sample(1 << 30, (1,))
    with pytest.raises(record.RecordError, match=BLOCK_FULL):
        block.add_sample(1 << 30, (1,))


@pytest.mark.parametrize("values", [(), (1, 2, 3, 4, 5)])
def test_a_sample_has_1_to_4_values(values):
    with pytest.raises(record.RecordError):
        record.BlockBuilder().add_sample(0, values)


def test_event_data_that_is_no_cbor_value_is_refused_and_leaves_nothing():
    block = record.BlockBuilder()
    with pytest.raises(cbor.CborError):
        block.add_event(0, labels.EVENT_CLAIM, [1, None])
    assert block.is_empty


def test_a_refused_event_leaves_no_bytes_for_the_next_one():
    block = record.BlockBuilder()
    with pytest.raises(cbor.CborError):
        block.add_event(0, labels.EVENT_CLAIM, [1, None])
    with pytest.raises(record.RecordError):
        block.add_event(0, labels.EVENT_CLAIM, cbor.encode(bytes(830)))
    block.add_event(0, labels.EVENT_BATTERY_LOW, [3000])
    assert _sealed(block, 0).events == ((0, labels.EVENT_BATTERY_LOW, [3000]),)


def test_signed_bytes_are_those_of_rfc_9052():
    protected, payload = b"\xa1\x01\x27", b"x" * 300
    parts = record.sig_structure_parts(protected, payload)
    assert b"".join(parts) == cbor.encode(["Signature1", protected, b"", payload])
    assert parts[1] is payload


@pytest.mark.parametrize(("alg", "byte"), [(-8, 0x27), (-19, 0x32), (-7, 0x26), (-9, 0x28)])
def test_protected_header_names_the_algorithm_only(alg, byte):
    assert record.protected_header(alg) == bytes([0xA1, 0x01, byte])


def test_an_envelope_is_refused_above_1024_bytes_and_for_other_algorithms():
    with pytest.raises(record.RecordError, match=cbor.TOO_LONG):
        record.envelope(bytes(1000), bytes(64))
    with pytest.raises(record.RecordError):
        record.envelope(b"\xa0", bytes(64), -36)
    with pytest.raises(record.RecordError):
        record.envelope(b"\xa0", bytes(63))


GOOD = record.envelope(
    cbor.encode(
        {0: 0, 1: 1, 2: PREV, 3: [1, 9000], 5: [[0, -9, 3, 3, 500, b"\x00\x01"]], 6: [[0, 2]]}
    ),
    bytes(64),
)


def _judge(source: bytes) -> None:
    try:
        parsed = record.parse_record(source)
    except record.RecordError as error:
        assert isinstance(error.reason, str)
        return
    rebuilt = record.seal_envelope(parsed.protected, parsed.payload, parsed.signature, 1024)
    assert rebuilt == source


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_record_error(source):
    _judge(source)
    _judge(b"\xd2\x84\x43\xa1\x01\x27\xa0" + source)


def test_every_single_byte_change_is_a_reason_or_another_record():
    record.parse_record(GOOD)
    for index in range(len(GOOD)):
        for flip in (1, 0x20, 0x80, 0xFF):
            _judge(GOOD[:index] + bytes([GOOD[index] ^ flip]) + GOOD[index + 1 :])
        _judge(GOOD[:index])


KEYS = st.integers(0, 10)
ITEMS = st.recursive(
    st.integers(-(1 << 40), 1 << 64) | st.binary(max_size=33) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([0, 1, 3, 4, 5, 6, 7, 8, 9, 10]), ITEMS, max_size=2))
def test_payloads_of_any_types_raise_nothing_but_record_error(changes):
    fields = cbor.decode(record.parse_record(GOOD).payload)
    fields.update(changes)
    try:
        payload = cbor.encode(fields)
    except cbor.CborError:
        return
    if len(payload) < 900:
        _judge(record.envelope(payload, bytes(64)))


@pytest.mark.parametrize("seq", [0, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1])
@pytest.mark.parametrize("data_size", [1, 200, 600])
def test_head_of_reads_seq_and_kind_without_the_rest(seq, data_size):
    block = record.BlockBuilder()
    block.add_event(0, labels.EVENT_CLAIM, cbor.encode(bytes(data_size)))
    made = record.envelope(block.payload(5, seq, PREV, 1, 0), bytes(64))
    assert record.head_of(made) == (seq, 5)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_head_of_refuses_other_bytes(source):
    try:
        record.head_of(b"\xd2\x84\x43\xa1\x01\x27\xa0" + source)
    except record.RecordError:
        pass
