# SPDX-License-Identifier: MIT
"""Buckets of bytes and work: what one ticket and all together may cause (D4, D7)."""

from sealwire import labels, protocol, sync
from tag.visit import budget
from tests.fakes.access_parts import PlainVisitor, TagParts, make_ticket

DAY_MS = 86_400_000


def clock():
    return TagParts().uptime


def test_a_bucket_starts_half_full_and_fills_to_its_burst_and_no_further():
    uptime = clock()
    bucket = budget.Bucket(10, 2_880, uptime)
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    uptime.advance(29_999)
    assert not bucket.take()
    uptime.advance(1)
    assert bucket.take()
    uptime.advance(30 * DAY_MS)
    assert bucket.count == 10


def test_asking_often_loses_no_token():
    uptime = clock()
    bucket = budget.Bucket(4_096, 4_096, uptime)
    bucket.pay(bucket.count)
    for _ in range(1_000):
        uptime.advance(DAY_MS // 1_000)
        bucket.has(1)
    assert 4_090 <= bucket.count <= 4_096


def test_one_ticket_causes_no_more_than_its_burst_and_a_day():
    uptime = clock()
    bytes_budget = budget.ByteBudget(uptime)
    spent = 0
    for _ in range(24 * 60):
        if bytes_budget.has(7, 200):
            bytes_budget.pay(7, 200)
            spent += 200
        uptime.advance(60_000)
    assert budget.TICKET_DAY_SIZE <= spent <= budget.TICKET_BURST_SIZE + budget.TICKET_DAY_SIZE


def test_many_tickets_share_the_common_bucket_and_the_rows_stay_few():
    bytes_budget = budget.ByteBudget(clock())
    spent = 0
    for tno in range(200):
        while bytes_budget.has(tno, 200):
            bytes_budget.pay(tno, 200)
            spent += 200
    assert spent <= budget.ALL_BURST_SIZE // 2
    assert len(bytes_budget._rows) <= budget.TICKET_ROWS_MAX


def test_a_handover_fits_half_full_buckets_and_a_debt_is_paid_off_first():
    uptime = clock()
    bytes_budget = budget.ByteBudget(uptime)
    assert bytes_budget.has(7, 2 * 700)
    bytes_budget.pay(7, budget.TICKET_BURST_SIZE)
    assert not bytes_budget.has(7, 1)
    uptime.advance(DAY_MS // 2)
    assert not bytes_budget.has(7, 10)
    uptime.advance(DAY_MS // 100)
    assert bytes_budget.has(7, 10)


def spend(tag, tno=2):
    while tag.admission.budget.has(tno, 1):
        tag.admission.budget.pay(tno, 1)


def opened(tag):
    visitor = PlainVisitor(tag.session(), make_ticket(role=protocol.SERVICE))
    visitor.connect()
    return visitor


def test_a_visitor_without_budget_gets_what_is_sealed_and_leaves_no_entry():
    tag = TagParts()
    tag.set_clock()
    tag.recorder.note_event(labels.EVENT_LID_OPEN)
    head_seq = tag.records.head_seq
    spend(tag)
    visitor = opened(tag)
    assert visitor.command(protocol.SYNC, sync.pack_sync(0, 8))[0] == protocol.OK
    assert tag.records.head_seq == head_seq
    assert labels.EVENT_SESSION not in tag.event_codes()
    assert tag.recorder.session_count == 1
    assert visitor.command(protocol.ROLL)[0] == protocol.RATE
    assert tag.key_roll.count == 0


def test_a_refused_command_costs_its_ticket_nothing_but_the_session_event():
    tag = TagParts()
    tag.set_clock()
    tag.key_roll.is_able = False
    visitor = opened(tag)
    for _ in range(30):
        assert visitor.command(protocol.ROLL)[0] == protocol.BAD_STATE
    assert tag.admission.budget.has(2, budget.TICKET_BURST_SIZE // 2 - 40)


def test_a_new_revocation_state_holds_although_its_event_has_no_budget():
    tag = TagParts()
    tag.set_clock()
    spend(tag)
    PlainVisitor(tag.session(), make_ticket(rev=1, revoked=(9,))).connect()
    assert tag.admission.revoked == (9,)
    assert labels.EVENT_REVOCATION not in tag.event_codes()
