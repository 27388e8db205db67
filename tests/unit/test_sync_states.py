# SPDX-License-Identifier: MIT
"""The two state machines of a sync, over a pipe that loses, repeats and cuts."""

import pytest

from sealwire import sync
from sealwire.protocol import (
    ACK,
    BAD_STATE,
    CREDIT_MIN,
    NO_SCOPE,
    OK,
    REFETCH_MAX,
    STALL_MS,
    SYNC,
)
from sealwire.sync import HostSync, SyncError, TagSync, pack_sync, parse_sync
from tests import sync_census
from tests.upy.access_sync_pipe import (
    CERTIFICATE,
    RANDOM_CUTS,
    CutPipe,
    FakeTag,
    LinkCut,
    LossyPipe,
    Pipe,
    Store,
    cut_at_every_frame,
    lossy_runs,
    make_chain,
    make_record,
    random_cuts,
    run_link,
)

CHAIN = make_chain(10)


def reply(chain: list[bytes]) -> bytes:
    return (len(chain) - 1).to_bytes(4, "big") + sync.sha256(chain[-1])


def asked(next_seq: int = 0, prev_hash: bytes | None = None, credit: int = 8) -> HostSync:
    host = HostSync(next_seq, prev_hash, credit)
    host.start(0)
    assert host.take_command() == (SYNC, pack_sync(next_seq, max(credit, CREDIT_MIN)))
    return host


def test_a_whole_chain_arrives_once_and_in_order():
    store = Store()
    run_link(FakeTag(CHAIN, 240), store, Pipe())
    assert store.records == CHAIN


@pytest.mark.parametrize("chunk_size", [1, 16, 240, 505])
def test_any_chunk_size_gives_the_same_records(chunk_size):
    store = Store()
    run_link(FakeTag(CHAIN, chunk_size), store, Pipe())
    assert store.records == CHAIN


def test_a_cut_at_every_frame_loses_nothing_and_doubles_nothing():
    count = cut_at_every_frame(6, 16)
    assert count > 80
    sync_census.note(sync_census.MEMORY, "every frame, CPython", count)


def test_cuts_among_drops_repeats_and_reordering_are_all_clean():
    count = random_cuts(RANDOM_CUTS)
    assert count >= 500
    sync_census.note(sync_census.MEMORY, "random, CPython", count)


@pytest.mark.long
def test_five_thousand_cuts_are_all_clean():
    count = random_cuts(5_000, seed=2)
    sync_census.note(sync_census.MEMORY, "long, CPython", count)


def test_a_host_that_asks_once_more_for_what_it_holds_is_found_out(monkeypatch):
    whole = sync.HostSync.__init__

    def one_too_low(self, next_seq, prev_hash, credit):
        whole(self, max(0, next_seq - 1), None, credit)

    monkeypatch.setattr(sync.HostSync, "__init__", one_too_low)
    with pytest.raises(AssertionError):
        random_cuts(RANDOM_CUTS)


def test_lost_and_repeated_commands_and_lost_frames_are_made_good():
    lossy_runs(20, 6)


def test_a_sync_from_an_empty_tag_is_done_at_once():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_reply(OK, b"\xff\xff\xff\xff" + sync.sha256(CERTIFICATE), 1)
    assert host.is_done


def test_a_sync_resumes_at_the_first_record_not_held():
    store = Store()
    store.records = CHAIN[:7]
    tag = FakeTag(CHAIN, 240)
    run_link(tag, store, Pipe())
    assert store.records == CHAIN
    assert tag.read_count == 3


def test_the_tag_sends_no_record_beyond_its_credit():
    tag = FakeTag(CHAIN, 240)
    tag.limit = 3
    tag.sync.begin(0, 3, 9)
    while tag.sync.next_chunk(240) is not None:
        pass
    assert tag.highest_read == 2
    assert tag.sync.state == "WAITING"


def test_an_older_acknowledgement_takes_no_credit_back():
    tag = TagSync(lambda seq: CHAIN[seq])
    tag.begin(0, 4, 9)
    tag.acknowledge(4, 4)
    tag.acknowledge(1, 2)
    size = 0
    while (chunk := tag.next_chunk(512)) is not None:
        size += len(chunk)
    assert size == sum(map(len, CHAIN[:8]))


def test_the_last_chunk_within_the_credit_is_sent_though_it_is_short():
    tag = TagSync(lambda seq: CHAIN[seq])
    tag.begin(0, 1, 9)
    assert bytes(tag.next_chunk(512)) == CHAIN[0]
    assert tag.next_chunk(512) is None


def test_chunks_go_across_the_ends_of_records():
    tag = TagSync(lambda seq: CHAIN[seq])
    tag.begin(0, 10, 9)
    assert bytes(tag.next_chunk(300)) == (CHAIN[0] + CHAIN[1])[:300]


def test_a_record_is_not_given_out_before_its_successor_names_its_hash():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, CHAIN[0], 2)
    assert host.take_records() == []
    host.on_bulk(1, CHAIN[1], 3)
    assert host.take_records() == [CHAIN[0]]


def test_the_last_record_is_confirmed_by_the_head_in_the_reply():
    host = asked(9, sync.sha256(CHAIN[8]))
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, CHAIN[9], 2)
    assert host.take_records() == [CHAIN[9]]


def test_a_flipped_bit_in_the_last_record_is_asked_for_again():
    host = asked(9, sync.sha256(CHAIN[8]))
    host.on_reply(OK, reply(CHAIN), 1)
    flipped = bytearray(CHAIN[9])
    flipped[100] ^= 4
    host.on_bulk(0, bytes(flipped), 2)
    assert host.take_records() == []
    assert host.take_command() == (SYNC, pack_sync(9, 8))


def test_a_flipped_bit_on_the_air_is_asked_for_again_not_stored():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_reply(OK, reply(CHAIN), 1)
    flipped = bytearray(CHAIN[0])
    flipped[100] ^= 4
    host.on_bulk(0, bytes(flipped) + CHAIN[1], 2)
    assert host.take_records() == []
    assert host.take_command() == (SYNC, pack_sync(0, 8))
    host.on_reply(OK, reply(CHAIN), 3)
    host.on_bulk(1, b"".join(CHAIN), 4)
    assert host.take_records() == CHAIN


def test_a_link_that_stays_broken_ends_with_the_name_of_the_record():
    host = asked(3, b"\x00" * 32)
    with pytest.raises(SyncError) as caught:
        for number in range(REFETCH_MAX + 1):
            host.on_reply(OK, reply(CHAIN), number)
            host.on_bulk(number, CHAIN[3], number)
            host.take_command()
    assert caught.value.args == ("chain", 3)
    assert host.state == "FAILED"


def test_a_missing_frame_is_seen_by_its_number_and_asked_for_again():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, CHAIN[0][:100], 2)
    host.on_bulk(2, CHAIN[0][150:160], 3)  # still looks like the middle of a record
    assert host.take_command() == (SYNC, pack_sync(0, 8))


def test_frames_of_the_old_stream_are_ignored_until_the_reply_to_the_new_one():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_bulk(0, b"left over", 1)
    host.on_reply(OK, reply(CHAIN), 2)
    host.on_bulk(1, b"".join(CHAIN), 3)
    assert host.take_records() == CHAIN


def test_a_repeated_frame_is_ignored():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, CHAIN[0], 2)
    host.on_bulk(0, CHAIN[0], 2)
    host.on_bulk(1, CHAIN[1], 3)
    assert host.take_records() == [CHAIN[0]]


def test_a_late_second_reply_restarts_the_stream_without_doubling():
    host = asked(0, sync.sha256(CERTIFICATE))
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, CHAIN[0] + CHAIN[1], 2)
    host.on_reply(OK, reply(CHAIN), 3)
    host.on_bulk(1, b"".join(CHAIN), 4)
    assert host.take_records() == CHAIN


def test_an_acknowledgement_leaves_only_after_the_store_is_durable():
    host = asked(0, sync.sha256(CERTIFICATE), credit=4)
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, b"".join(CHAIN[:4]), 2)
    assert host.take_command() is None
    host.take_records()
    host.stored()
    assert host.take_command() == (ACK, pack_sync(3, 4))


def test_records_not_taken_yet_are_not_acknowledged():
    host = asked(0, sync.sha256(CERTIFICATE), credit=4)
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, b"".join(CHAIN[:4]), 2)
    host.stored()
    assert host.take_command() is None


def test_a_stretch_that_is_asked_for_again_is_not_forgotten_for_an_acknowledgement():
    host = asked(0, sync.sha256(CERTIFICATE), credit=4)
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, b"".join(CHAIN[:5]) + b"\xff", 2)
    assert len(host.take_records()) == 4
    host.stored()
    assert host.take_command() == (SYNC, pack_sync(4, 4))


def test_silence_repeats_the_acknowledgement_then_asks_again_then_gives_up():
    host = asked(0, sync.sha256(CERTIFICATE), credit=4)
    host.on_reply(OK, reply(CHAIN), 0)
    said = []
    with pytest.raises(SyncError) as caught:
        for now_ms in range(0, 2 * STALL_MS, 100):
            host.tick(now_ms)
            if command := host.take_command():
                said.append(command[0])
    assert said[:3] == [ACK, ACK, SYNC]
    assert caught.value.args == ("stalled", 0)


def test_a_sync_without_an_answer_is_said_again():
    host = asked()
    host.tick(3_000)
    assert host.take_command()[0] == SYNC


def test_a_tag_that_is_behind_what_is_held_is_named():
    with pytest.raises(SyncError, match="behind"):
        asked(20, b"\x01" * 32).on_reply(OK, reply(CHAIN), 1)


def test_another_branch_with_the_same_head_number_is_named():
    with pytest.raises(SyncError, match="fork"):
        asked(10, b"\x01" * 32).on_reply(OK, reply(CHAIN), 1)


def test_a_refusal_names_the_code_and_a_limited_ticket_the_first_record():
    with pytest.raises(SyncError) as refused:
        asked().on_reply(BAD_STATE, b"", 1)
    assert refused.value.args == ("refused", BAD_STATE)
    with pytest.raises(SyncError) as limited:
        asked().on_reply(NO_SCOPE, (5).to_bytes(4, "big"), 1)
    assert limited.value.args == ("scope", 5)
    with pytest.raises(SyncError) as gone:
        asked().on_reply(BAD_STATE, (5).to_bytes(4, "big"), 1)
    assert gone.value.args == ("gone", 5)


def test_a_tag_that_calls_gone_what_it_says_it_holds_is_refused():
    with pytest.raises(SyncError) as refused:
        asked(10).on_reply(BAD_STATE, (10).to_bytes(4, "big"), 1)
    assert refused.value.args == ("refused", BAD_STATE)


@pytest.mark.parametrize("content", [b"", bytes(35), bytes(37)])
def test_a_reply_of_the_wrong_length_is_refused(content):
    with pytest.raises(SyncError, match="form"):
        asked().on_reply(OK, content, 1)


@pytest.mark.parametrize(
    "stream",
    [
        b"\xff" * 40,
        b"\x18\x00" + bytes(40),
        make_record(0, bytes(32), 213).replace(b"\xd2", b"\xd3", 1),
        make_record(1, bytes(32), 213),
        b"\x59\x08\x00" + bytes(2048),
    ],
    ids=["indefinite", "not shortest", "other tag", "wrong seq", "too long"],
)
def test_a_stream_that_is_no_record_is_asked_for_again(stream):
    host = asked()
    host.on_reply(OK, reply(CHAIN), 1)
    host.on_bulk(0, stream, 2)
    assert host.take_command() == (SYNC, pack_sync(0, 8))
    assert host.take_records() == []


@pytest.mark.parametrize("size", [0, 5, 7])
def test_sync_arguments_have_six_bytes(size):
    with pytest.raises(SyncError):
        parse_sync(bytes(size))


def test_a_window_smaller_than_two_records_would_stall_and_is_widened():
    store = Store()
    run_link(FakeTag(CHAIN, 240), store, Pipe(), credit=1)
    assert store.records == CHAIN


def test_the_pipe_of_these_tests_really_cuts_and_really_loses():
    with pytest.raises(LinkCut):
        run_link(FakeTag(CHAIN, 240), Store(), CutPipe(3))
    pipe = LossyPipe(1, 10, 10)
    assert sum(len(pipe.out(b"x")) for _ in range(1000)) in range(850, 950)


def test_every_state_reached_is_in_its_table_and_every_table_state_is_known():
    for table in (sync.TAG_TABLE, sync.HOST_TABLE):
        for transitions in table.values():
            assert set(transitions.values()) <= set(table)
