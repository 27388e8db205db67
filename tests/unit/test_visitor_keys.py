# SPDX-License-Identifier: MIT
"""H5: nobody signs over a head that the tag's key, wherever it has rolled to, did not sign."""

import dataclasses

import cbor2
import pytest

from sealtrail.errors import EvidenceRefused, Incomplete, StorageError
from sealtrail.evidence.cose import open_envelope
from sealtrail.evidence.payload import read_payload
from sealtrail.home import Home
from sealtrail.radio.key_memory import HomeKeyMemory
from sealtrail.radio.visitor import DockNote, Visitor
from sealwire import labels, protocol, statement
from tests.fakes.access_parts import NOW_S, Person
from tests.fakes.fake_link import CERTIFICATE, FakeLink, ticket_for
from tests.fakes.rolling_tag import RollingTag, epoch_key, key_record
from tests.vectors.chain import STRANGER, TAG, TAG_ES256

NOTE = DockNote("dock 4", NOW_S, 60, ("S-1138",))
TID = ticket_for(Person()).tid


@pytest.fixture
def tag():
    made = RollingTag()
    made.log(20)
    return made


@pytest.fixture
def memory(tmp_path):
    return HomeKeyMemory(Home(tmp_path), TID)


def visitor_to(tag, memory=None, **changes):
    link = FakeLink(tag)
    ticket = ticket_for(Person(), **changes)
    return Visitor(ticket, link, monotonic_s=link.monotonic_s, key_memory=memory)


async def offers(tag, memory=None, **changes):
    """Visits and offers; returns the `from` of every KEYS that the visit said."""
    visitor = visitor_to(tag, memory, **changes)
    await visitor.connect()
    session, said = visitor.link.session, []
    answer = session._commands[protocol.KEYS]

    def listening(args, who):
        said.append(int.from_bytes(args, "big"))
        return answer(args, who)

    session._commands[protocol.KEYS] = listening
    offer = await visitor.offer(NOTE)
    assert statement.parse_statement(offer)[1][3] == visitor.head.record_hash
    return said


def answering(tag, content_of):
    """Sessions of *tag* answer KEYS with `content_of(from)` from now on."""
    genuine = tag.session

    def session():
        made = genuine()
        made._commands[protocol.KEYS] = lambda args, who: (
            protocol.OK,
            content_of(int.from_bytes(args, "big")),
        )
        return made

    tag.session = session


def answer(held, following, *records):
    return held.to_bytes(4, "big") + following.to_bytes(4, "big") + b"".join(records)


def last(held, *records):
    return answer(held, protocol.KEYS_END, *records)


# ---- the way that works


async def test_the_certified_key_needs_no_question(tag):
    assert await offers(tag) == []


@pytest.mark.parametrize("rolls", [1, 2, 3, 40])
async def test_a_key_that_has_rolled_is_followed(tag, rolls):
    for distance in range(rolls):
        tag.log(distance)
        tag.roll()
    tag.log(5)
    assert await offers(tag)


async def test_the_next_visit_asks_for_newer_keys_only(tag, memory):
    tag.roll()
    tag.log(150)
    newest_seq = tag.records.head_seq + 1
    tag.roll()
    assert (await offers(tag, memory))[0] == 0
    assert await offers(tag, memory) == []
    tag.log(10)
    tag.roll()
    assert await offers(tag, memory) == [newest_seq + 1]


async def test_a_roll_between_attestation_and_keys_changes_nothing(tag):
    tag.roll()
    visitor = visitor_to(tag)
    await visitor.connect()
    attest = tag.recorder.attest

    def attest_and_roll(nonce):
        signed = attest(nonce)
        tag.roll()
        return signed

    tag.recorder.attest = attest_and_roll
    await visitor.offer(NOTE)


async def test_a_couriers_ticket_for_one_trip_follows_the_keys_of_earlier_ones(tag):
    tag.roll()
    tag.log(70)
    tag.trip.start(cbor2.dumps({1: 7, 2: bytes(32), 3: b""}))
    tag.roll()
    assert await offers(tag, role=protocol.COURIER, trip=7) == [0, 64]


async def test_a_sync_teaches_the_home_the_keys(tag, memory):
    tag.roll()
    tag.log(3)
    newest_seq = tag.records.head_seq + 1
    tag.roll()
    memory.learn(CERTIFICATE, tag.records.all)
    assert memory.load(CERTIFICATE).newest_seq == newest_seq
    assert await offers(tag, memory) == []


# ---- a tag that lies


async def test_a_stolen_old_seed_does_not_pass_where_the_newer_key_is_known(tag, memory):
    tag.roll()
    tag.roll()
    await offers(tag, memory)
    tag.log(5)
    tag.recorder.sign = lambda parts: TAG.sign(b"".join(map(bytes, parts)))
    for content_of in (
        last,  # says that nothing is newer
        lambda first: last(first + 1),  # says that it was overwritten
        lambda first: last(first, key_record(first, bytes(32), TAG, TAG)),
        lambda first: last(first, key_record(first, bytes(32), TAG, STRANGER)),
        lambda first: last(first, key_record(first, bytes(32), epoch_key(1), TAG)),
        lambda first: last(first + 1, key_record(first + 1, bytes(32), epoch_key(1), TAG)),
    ):
        answering(tag, content_of)
        with pytest.raises((EvidenceRefused, Incomplete)):
            await offers(tag, memory)
    assert memory.load(CERTIFICATE).known[-1].key == epoch_key(2).public


async def test_an_old_seed_does_not_pass_where_a_sync_has_brought_the_newer_key(tag, memory):
    tag.roll()
    memory.learn(CERTIFICATE, tag.records.all)
    tag.log(1)
    tag.recorder.sign = lambda parts: TAG.sign(b"".join(map(bytes, parts)))
    answering(tag, last)
    with pytest.raises(EvidenceRefused, match="not signed by this tag"):
        await offers(tag, memory)


async def test_a_tag_set_back_behind_a_key_it_has_shown_is_named(tag, memory):
    tag.log(5)
    tag.roll()
    await offers(tag, memory)
    del tag.records.all[-3:]
    tag.epoch, tag.key_roll.epoch_seq = 0, -1
    with pytest.raises(EvidenceRefused, match="ends at record"):
        await offers(tag, memory)


WRONG = [
    ("not signed by the key before", lambda n: last(0, key_record(n, bytes(32), STRANGER, TAG_2))),
    ("earlier key", lambda n: last(0, key_record(n, bytes(32), TAG, TAG))),
    ("the key does not fit", lambda n: last(0, key_record(n, bytes(32), TAG, TAG_ES256))),
    (
        "algorithm does not",
        lambda n: last(0, key_record(n, bytes(32), TAG, TAG_2, b"\xa1\x01\x26")),
    ),
    ("no key record", lambda n: last(0, key_record(n, bytes(32), TAG, TAG_2, k8=None))),
    ("no key record", lambda n: last(0, key_record(n, bytes(32), TAG, TAG_2, k8=bytes(31)))),
    ("no key record", lambda n: last(0, key_record(n, bytes(32), TAG, TAG_2, k11=1))),
    ("key records", lambda n: last(0, key_record(n, bytes(32), TAG, TAG_2)[:-1])),
    ("key records", lambda n: last(0, b"\xff\xff")),
    ("no key record", lambda n: last(0, b"\x01")),
    ("malformed", lambda n: b""),
    ("malformed", lambda n: bytes(7)),
    ("circle", lambda n: answer(0, 0)),
    ("circle", lambda n: answer(n, n)),
    ("circle", lambda n: answer(n, n + 1, key_record(n + 9, bytes(32), TAG, TAG_2))),
    ("do not end", lambda n: answer(n, n + 1)),
]
TAG_2 = epoch_key(1)


@pytest.mark.parametrize(("reason", "content_of"), WRONG)
async def test_every_answer_that_does_not_prove_it_is_named_and_nothing_is_signed(
    tag, memory, reason, content_of
):
    tag.roll()
    answering(tag, content_of)
    with pytest.raises(EvidenceRefused, match=reason):
        await offers(tag, memory)
    assert memory.load(CERTIFICATE).known == ()
    assert labels.EVENT_OFFER not in tag.event_codes()


async def test_records_out_of_order_are_refused(tag):
    first, second = tag.roll(), tag.roll()
    answering(tag, lambda n: last(0, second, first))
    with pytest.raises(EvidenceRefused, match="not signed by the key before"):
        await offers(tag)
    again = key_record(read_payload(open_envelope(first)).seq, bytes(32), TAG_2, epoch_key(2))
    answering(tag, lambda n: last(0, first, again))
    with pytest.raises(EvidenceRefused, match="behind"):
        await offers(tag)


async def test_another_kind_of_record_with_a_key_is_refused(tag):
    tag.roll()
    block = key_record(4, bytes(32), TAG, TAG_2, k0=labels.KIND_END, k8=None)
    answering(tag, lambda n: last(0, block))
    with pytest.raises(EvidenceRefused, match="which is no key record"):
        await offers(tag)


async def test_a_signature_of_no_key_at_all_is_refused_after_rolls_too(tag):
    tag.roll()
    tag.recorder.sign = lambda parts: bytes(64)
    with pytest.raises(EvidenceRefused, match="not signed by this tag"):
        await offers(tag)


# ---- a log that no longer holds its beginning


async def test_keys_that_are_overwritten_leave_it_unproven_and_not_forged(tag):
    tag.roll()
    tag.log(50)
    tag.roll()
    tag.overwrite(40)
    with pytest.raises(Incomplete, match="unproven, not forged") as caught:
        await offers(tag)
    assert "0 to 39" in caught.value.message
    assert caught.value.exit_code == 3 and caught.value.hint
    assert labels.EVENT_OFFER not in tag.event_codes()


async def test_who_knew_the_keys_before_they_were_overwritten_goes_on(tag, memory):
    tag.roll()
    await offers(tag, memory)
    tag.log(50)
    tag.roll()
    tag.overwrite(40)
    await offers(tag, memory)


async def test_an_overwritten_beginning_without_a_key_record_is_no_hindrance(tag):
    tag.log(50)
    tag.roll()
    tag.overwrite(40)
    await offers(tag)


# ---- what is kept


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        cbor2.dumps({"version": 2, "keys": []}),
        cbor2.dumps({"version": 1}),
        cbor2.dumps({"version": 1, "keys": [[3, bytes(31)]]}),
        cbor2.dumps({"version": 1, "keys": [[3, bytes(32)], [3, bytes(32)]]}),
        cbor2.dumps({"version": 1, "keys": [["3", bytes(32)]]}),
        cbor2.dumps([1]),
    ],
)
def test_a_damaged_memory_is_named_with_what_to_do(tmp_path, memory, content):
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / f"{TID.hex()}.keys").write_bytes(content)
    with pytest.raises(StorageError, match="damaged") as caught:
        memory.load(CERTIFICATE)
    assert "Remove it" in caught.value.hint


async def test_what_another_command_has_learned_meanwhile_stays(tag, memory):
    old = memory.load(CERTIFICATE)
    tag.roll()
    await offers(tag, memory)
    memory.save(old)
    assert len(memory.load(CERTIFICATE).known) == 1


async def test_evidence_that_does_not_hold_teaches_what_comes_before_it(tag, memory):
    tag.roll()
    tag.log(2)
    forged = key_record(tag.records.head_seq + 1, bytes(32), STRANGER, epoch_key(2))
    memory.learn(CERTIFICATE, [*tag.records.all, forged])
    assert len(memory.load(CERTIFICATE).known) == 1


async def test_a_ticket_without_a_key_in_its_certificate_is_refused(tag):
    visitor = visitor_to(tag)
    await visitor.connect()
    visitor.ticket = dataclasses.replace(visitor.ticket, certificate=b"\x01")
    with pytest.raises(EvidenceRefused, match="certificate"):
        await visitor.offer(NOTE)


async def test_an_answer_from_before_what_was_asked_for_is_malformed(tag, memory):
    first = tag.roll()
    await offers(tag, memory)
    tag.roll()
    answering(tag, lambda n: last(n - 1, first))
    with pytest.raises(EvidenceRefused, match="malformed"):
        await offers(tag, memory)
