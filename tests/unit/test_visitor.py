# SPDX-License-Identifier: MIT
"""The visitor against the firmware's own session, over a link that can go wrong."""

import dataclasses

import pytest

from sealtrail.errors import AccessRefused, DeviceError, EvidenceRefused, LinkError, TagAbsent
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.sync import sync_tag
from sealtrail.radio.visitor import DockNote, Visitor
from sealwire import access, labels, profile, protocol, statement
from tests.fakes.access_parts import NOW_S, Person, TagParts, verify
from tests.fakes.fake_link import CERTIFICATE, FakeLink, ticket_for
from tests.vectors.chain import TAG

RULES = profile.encode(profile.build("LN2 dry shipper", 300, [[1, 0, 0, -15000, 0, 500]]))
NOTE = DockNote("dock 4", NOW_S, 60, ("S-1138",))
NONCE = bytes(range(16))


class Shipment:
    """A tag with some records, and whoever visits it."""

    def __init__(self, tmp_path, record_count=30):
        self.tag = TagParts(verify=verify)
        self.tag.set_clock()
        self.tag.recorder.sign = lambda parts: TAG.sign(b"".join(map(bytes, parts)))
        self.add_records(record_count)
        self.path = tmp_path / "evidence"
        self.links = []

    def add_records(self, count):
        for _ in range(count):
            self.tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)

    def visitor(self, person=None, **changes):
        link = FakeLink(self.tag)
        self.links.append(link)
        ticket = ticket_for(person or Person(), **changes)
        return Visitor(ticket, link, monotonic_s=link.monotonic_s)

    def store(self):
        return EvidenceStore(self.path, CERTIFICATE)

    @property
    def records(self):
        return self.tag.records.all


@pytest.fixture
def shipment(tmp_path):
    return Shipment(tmp_path)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    async def at_once(_seconds):
        pass

    monkeypatch.setattr("sealtrail.radio.sync.asyncio.sleep", at_once)


async def test_connect_returns_what_the_tag_grants(shipment):
    visitor = shipment.visitor(role=protocol.QA)
    ready = await visitor.connect()
    assert ready.scope == protocol.ROLE_SCOPE[protocol.QA]
    assert visitor.head.seq == len(shipment.records) - 1


async def test_an_older_visit_key_is_tried_after_the_newest(shipment):
    visitor = shipment.visitor(floors=(9, 0))
    await visitor.connect()
    assert visitor.is_connected


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"floors": (9,)}, "DOOR"),
        ({"exp": NOW_S - 10}, "EXPIRED"),
        ({"trip": 4}, "WRONG_TRIP"),
        ({"scope": 1 << 11}, "BAD_FORM"),
    ],
)
async def test_a_refusal_at_the_door_says_what_and_what_next(shipment, changes, name):
    error = DeviceError if name == "BAD_FORM" else AccessRefused
    with pytest.raises(error, match=name) as caught:
        await shipment.visitor(**changes).connect()
    assert caught.value.hint
    assert caught.value.exit_code == (4 if error is DeviceError else 5)


async def test_a_locked_ticket_says_how_long_to_wait(shipment):
    for _ in range(5):
        shipment.tag.admission.note_failure(2)
    with pytest.raises(AccessRefused) as caught:
        await shipment.visitor().connect()
    assert "30 s" in caught.value.hint


async def test_a_tag_that_cannot_prove_itself_is_refused(shipment):
    visitor = shipment.visitor()
    visitor.ticket = dataclasses.replace(visitor.ticket, ticket_key=bytes(32))
    with pytest.raises(AccessRefused, match="cannot prove"):
        await visitor.connect()


async def test_a_tag_that_never_answers_is_a_link_error_in_bounded_time(shipment):
    visitor = shipment.visitor()
    visitor.link.lose_command = lambda number: True
    with pytest.raises(LinkError, match="does not answer"):
        await visitor.connect()
    assert visitor.link.now_s < 10


async def test_a_lost_command_and_a_lost_answer_are_said_again(shipment):
    visitor = shipment.visitor()
    await visitor.connect()
    visitor.link.lose_command = lambda number: number == 3
    assert await visitor.status() == len(shipment.records) - 1
    visitor.link.lose_command = lambda number: False
    lost = visitor.link.answer_count + 1
    visitor.link.lose_answer = lambda number: number == lost
    assert await visitor.status() == len(shipment.records) - 1


async def test_a_trip_whose_answer_was_lost_is_started_once(shipment):
    visitor = shipment.visitor()
    await visitor.connect()
    lost = visitor.link.answer_count + 1
    visitor.link.lose_answer = lambda number: number == lost
    await visitor.trip_start(7, bytes(32), RULES)
    assert shipment.tag.event_codes().count(labels.EVENT_TRIP) == 1
    await visitor.trip_end()
    assert visitor.trip == 0


async def test_every_answer_is_checked_and_a_forged_one_does_not_count(shipment):
    visitor = shipment.visitor()
    await visitor.connect()
    genuine = visitor.link.session.receive

    def forge(message):
        answer = genuine(message)
        return answer[:-1] + bytes([answer[-1] ^ 1])

    visitor.link.session.receive = forge
    with pytest.raises(LinkError):
        await visitor.status()


async def test_a_session_the_tag_closed_is_a_link_error(shipment):
    visitor = shipment.visitor()
    await visitor.connect()
    visitor.link.session.receive(visitor._to_tag.seal(protocol.COMMAND, 9, b"\x01")[:-1] + b"?")
    with pytest.raises(LinkError):
        await visitor.status()
    assert not visitor.is_connected


# ---- sync


async def test_a_sync_brings_every_record_and_the_attestation(shipment):
    visitor = shipment.visitor()
    with shipment.store() as store:
        outcome = await sync_tag(visitor, store, NONCE)
        assert list(store.records()) == shipment.records
        assert store.statements() == [outcome.attestation.signed]
    assert outcome.is_complete and outcome.connection_count == 1
    assert outcome.record_count == len(shipment.records)


async def test_nothing_is_acknowledged_before_it_is_on_the_disk(shipment):
    shipment.add_records(200)
    visitor = shipment.visitor()
    acknowledged = []
    with shipment.store() as store:
        await visitor.connect()
        receive = visitor.link.session.receive

        def watch(message):
            _, body = visitor.link.session._who.from_visitor.open(protocol.COMMAND, message)
            if body[0] == protocol.ACK:
                acknowledged.append((int.from_bytes(body[1:5], "big"), store.first_missing()))
            return receive(message)

        visitor.link.session.receive = watch
        await visitor.sync(store)
    assert len(acknowledged) > 3
    assert all(seq <= durable for seq, durable in acknowledged)


async def test_a_second_sync_fetches_only_what_is_new(shipment):
    with shipment.store() as store:
        await sync_tag(shipment.visitor(), store, NONCE)
        shipment.add_records(3)
        outcome = await sync_tag(shipment.visitor(), store, NONCE)
        assert outcome.record_count == 4  # and the session that was itemised
        assert list(store.records()) == shipment.records


async def test_two_syncs_in_one_session_need_no_refetch(shipment):
    visitor = shipment.visitor()
    with shipment.store() as store:
        await visitor.connect()
        await visitor.sync(store)
        shipment.add_records(3)
        await visitor.sync(store)
        assert list(store.records()) == shipment.records
    assert visitor.refetch_count == 0


@pytest.mark.parametrize("cut_at", range(0, 33, 3))
async def test_a_link_lost_at_any_frame_is_taken_up_again(shipment, cut_at):
    visitor = shipment.visitor()
    visitor.link.cut_at = cut_at
    with shipment.store() as store:
        outcome = await sync_tag(visitor, store, NONCE)
        assert list(store.records()) == shipment.records
    assert outcome.is_complete and visitor.link.connect_count <= 2


async def test_lost_acks_and_frames_cost_time_and_nothing_else(shipment):
    shipment.add_records(150)
    visitor = shipment.visitor()
    visitor.link.lose_command = lambda number: number > 2 and number % 3 == 0
    visitor.link.lose_frame = lambda number: number % 41 == 0
    with shipment.store() as store:
        await sync_tag(visitor, store, NONCE)
        assert list(store.records()) == shipment.records
    assert visitor.refetch_count > 0


async def test_a_tag_that_is_gone_ends_the_sync_after_bounded_tries(shipment):
    visitor = shipment.visitor()
    visitor.link.is_reachable = False
    with shipment.store() as store, pytest.raises(LinkError):
        await sync_tag(visitor, store, NONCE)
    assert visitor.link.connect_count == 4


async def _search_until_absent(shipment, first_absent):
    """Syncs with a tag that is not heard from the search *first_absent* on; counts searches."""
    visitor = shipment.visitor()
    link = visitor.link
    link.cut_at = 3
    connect = link.connect

    async def connect_or_not():
        if link.connect_count + 1 >= first_absent:
            link.connect_count += 1
            raise TagAbsent("not heard")
        await connect()

    link.connect = connect_or_not
    with shipment.store() as store, pytest.raises(TagAbsent):
        await sync_tag(visitor, store, NONCE)
    return link.connect_count


async def test_a_tag_that_was_never_heard_ends_the_sync_after_one_search(shipment):
    assert await _search_until_absent(shipment, 1) == 1


async def test_a_tag_lost_in_a_sync_is_searched_twice_more_and_no_longer(shipment):
    assert await _search_until_absent(shipment, 2) == 3


async def test_a_late_answer_to_another_command_does_not_disturb_a_sync(shipment):
    visitor = shipment.visitor()
    with shipment.store() as store:
        await visitor.connect()
        await visitor._say(protocol.STATUS, b"")  # its answer waits when the sync begins
        await visitor.sync(store)
        assert list(store.records()) == shipment.records


async def test_what_was_sealed_between_sync_and_attestation_is_fetched_too(shipment):
    visitor = shipment.visitor()
    attest = shipment.tag.recorder.attest
    sealed = []

    def attest_later(nonce):
        if not sealed:
            shipment.add_records(2)
            sealed.append(True)
        return attest(nonce)

    shipment.tag.recorder.attest = attest_later
    with shipment.store() as store:
        outcome = await sync_tag(visitor, store, NONCE)
        assert list(store.records()) == shipment.records
        assert store.statements() == [outcome.attestation.signed]
    assert outcome.is_complete


async def test_progress_is_told_and_only_grows(shipment):
    seen = []
    with shipment.store() as store:
        visitor = shipment.visitor()
        await visitor.connect()
        await visitor.sync(store, seen.append)
    assert [step.next_seq for step in seen] == sorted(step.next_seq for step in seen)
    assert seen[-1].next_seq == seen[-1].head_seq + 1 == len(shipment.records)


async def test_a_couriers_ticket_brings_its_trips_records_and_qa_the_rest(shipment):
    site = shipment.visitor(role=protocol.SITE)
    await site.connect()
    await site.trip_start(7, bytes(32), RULES)
    shipment.add_records(5)
    with shipment.store() as store:
        courier = shipment.visitor(role=protocol.COURIER, tno=3, trip=7)
        await sync_tag(courier, store, NONCE)
        assert list(store.records()) == shipment.records[shipment.tag.trip.from_seq :]
        await sync_tag(shipment.visitor(role=protocol.QA, tno=4), store, NONCE)
        assert list(store.records()) == shipment.records


async def test_a_tag_that_was_set_back_is_named(shipment):
    with shipment.store() as store:
        await sync_tag(shipment.visitor(), store, NONCE)
        del shipment.records[-5:]
        with pytest.raises(EvidenceRefused, match="before what is held"):
            await sync_tag(shipment.visitor(), store, NONCE)


async def test_a_tag_on_another_branch_is_named(shipment):
    with shipment.store() as store:
        await sync_tag(shipment.visitor(), store, NONCE)
        from tests.upy.access_sync_pipe import make_chain

        shipment.records[:] = make_chain(len(shipment.records) + 4)
        with pytest.raises(EvidenceRefused, match="chain"):
            await sync_tag(shipment.visitor(), store, NONCE)


async def test_an_attestation_for_another_nonce_is_refused(shipment):
    visitor = shipment.visitor()
    await visitor.connect()
    attest = shipment.tag.recorder.attest
    shipment.tag.recorder.attest = lambda nonce: attest(bytes(16))
    with pytest.raises(EvidenceRefused):
        await visitor.attest(NONCE)


# ---- custody


async def test_offer_and_accept_make_a_handover(shipment):
    giver, receiver = Person(), Person()
    first = shipment.visitor(giver, role=protocol.COURIER)
    await first.connect()
    offer = await first.offer(NOTE, receiver.public_key)
    assert statement.parse_statement(offer)[1][11] == receiver.public_key
    second = shipment.visitor(receiver, tno=3, role=protocol.QA)
    await second.connect()
    assert await second.pending() == offer
    accepted = await second.accept(NOTE)
    assert statement.parse_statement(accepted)[1][13] == access.sha256(offer)
    assert await second.pending() is None


async def test_a_box_without_an_offer_can_be_taken(shipment):
    receiver = Person()
    visitor = shipment.visitor(receiver)
    await visitor.connect()
    assert 13 not in statement.parse_statement(await visitor.accept(NOTE))[1]


async def test_what_cannot_be_signed_is_a_usage_error(shipment):
    from sealtrail.errors import UsageError

    visitor = shipment.visitor()
    await visitor.connect()
    with pytest.raises(UsageError):
        await visitor.offer(DockNote("x" * 49, NOW_S))


async def test_a_right_the_ticket_lacks_is_an_access_error(shipment):
    visitor = shipment.visitor(role=protocol.VIEWER)
    await visitor.connect()
    with pytest.raises(AccessRefused, match="NO_SCOPE"):
        await visitor.trip_start(7, bytes(32), RULES)
    with pytest.raises(AccessRefused, match="NO_SCOPE"):
        await visitor.offer(NOTE)


async def test_close_says_goodbye_and_never_raises(shipment):
    visitor = shipment.visitor()
    await visitor.connect()
    session = visitor.link.session
    await visitor.close()
    assert session.is_closed
    await visitor.close()


async def test_no_secret_shows_in_a_tickets_text(shipment):
    ticket = ticket_for(Person())
    assert ticket.ticket_key.hex() not in repr(ticket)
    assert "holder_key" not in repr(ticket)


def test_every_failure_code_has_a_text_a_name_and_an_error():
    from sealtrail.radio.refusals import refusal_of

    for code in (*range(1, 7), *range(0x10, 0x14), *range(0x20, 0x2E)):
        error = refusal_of(code)
        assert "0x" not in error.message and error.exit_code in (4, 5)
    assert "0x77" in refusal_of(0x77).message


async def test_nothing_is_signed_over_a_head_that_the_tag_did_not_sign(shipment):
    """H5: a false head in a custody statement would make its signer look like a liar."""
    visitor = shipment.visitor()
    await visitor.connect()
    shipment.tag.recorder.sign = lambda parts: bytes(64)
    with pytest.raises(EvidenceRefused, match="not signed by this tag"):
        await visitor.offer(DockNote("Dock 2", NOW_S, 60, ("S-1",)))
