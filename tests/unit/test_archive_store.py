# SPDX-License-Identifier: MIT
"""The archive keeps what verifies, finds its place for what comes out of order, names forks."""

import pytest

from sealtrail.archive.sequence import BadCertificate, BadRequest
from sealtrail.errors import StorageError
from sealtrail.evidence.verify import judge
from sealtrail.keys import revocation, service
from tests.archive.parts import Shop, grown, part, shop
from tests.fakes.owner import owner, owner_with_scrypt
from tests.vectors.chain import STRANGER, TAG_EPOCH_1, Chain, certificate

__all__ = ["owner", "owner_with_scrypt", "shop"]


def take(shop: Shop, body: bytes) -> tuple[object, dict]:
    return shop.archive.take(body, "gateway")


def split_off(tag: Chain, at: int) -> Chain:
    """The same tag as it was at record *at*: what it records from now on is a fork."""
    twin = Chain(key=tag.key, certificate=tag.certificate, records=tag.records[:at])
    twin.up_ms = 60_000 * at
    return twin


# ---- chains


def test_a_whole_file_is_kept_byte_for_byte_and_comes_back_verifiable(shop: Shop):
    tag = grown(shop.tag(), 5)
    tag.attest()
    taken, held = take(shop, tag.evidence())
    assert (taken.new_count, taken.refused) == (5, None)
    assert (held["first"], held["head"], held["head_hash"]) == (0, 4, tag.head_hash.hex())
    sealed = shop.archive.seal(tag.tid)
    assert sealed.startswith(tag.evidence()[: -len(tag.statements[0])])
    assert tag.statements[0] in sealed
    assert judge(sealed, shop.archive.evidence.trust.fleet_keys()).chain.count == 5


def test_what_comes_twice_or_in_parts_changes_nothing(shop: Shop):
    tag = grown(shop.tag(), 6)
    for body, new in ((part(tag, 0, 3), 3), (part(tag, 1, 5), 2), (part(tag, 0), 1)):
        taken, _ = take(shop, body)
        assert (taken.new_count, taken.refused) == (new, None)
    taken, held = take(shop, tag.evidence())
    assert (taken.new_count, taken.known_count, held["head"]) == (0, 6, 5)


def test_a_restarted_archive_goes_on_where_it_was(shop: Shop):
    tag = grown(shop.tag(), 3)
    tag.roll(TAG_EPOCH_1)
    take(shop, tag.evidence())
    shop.restart()
    grown(tag, 3)
    taken, held = take(shop, part(tag, 4))
    assert (taken.new_count, taken.refused, held["head"]) == (3, None, 6)


def test_a_certificate_alone_asks_what_is_held(shop: Shop):
    tag = grown(shop.tag(), 2)
    assert take(shop, tag.certificate)[1]["head"] == -1
    take(shop, tag.evidence())
    assert take(shop, tag.certificate)[1]["head"] == 1


# ---- what does not hold


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_record_by_another_key_is_refused_and_what_came_before_is_kept(shop: Shop, place: int):
    tag = grown(shop.tag(), place)
    tag.add(key=STRANGER, samples=[[1]])
    grown(tag, 2)
    taken, held = take(shop, tag.evidence())
    assert (taken.refused.rule, taken.refused.seq, taken.refused.index) == (
        "R10",
        place,
        place + 1,
    )
    assert (taken.new_count, held["head"]) == (place, place - 1)
    shop.restart()
    assert shop.archive.held(tag.tid)["head"] == place - 1


def test_after_a_refusal_the_true_records_still_find_their_place(shop: Shop):
    tag = grown(shop.tag(), 2)
    twin = split_off(tag, 2)
    twin.add(key=STRANGER, samples=[[1]])
    assert take(shop, twin.evidence())[0].refused.rule == "R10"
    grown(tag, 2)
    taken, held = take(shop, tag.evidence())
    assert (taken.refused, held["head"], held["forks"]) == (None, 3, [])


def test_a_broken_rule_behind_good_records_is_named(shop: Shop):
    tag = grown(shop.tag(), 2)
    tag.add(boot=0, samples=[[1]])
    taken, held = take(shop, tag.evidence())
    assert (taken.refused.rule, taken.refused.seq, held["head"]) == ("R11", 2, 1)


def test_a_changed_byte_anywhere_keeps_nothing_wrong(shop: Shop):
    tag = grown(shop.tag(), 3)
    body = tag.evidence()
    start = len(tag.certificate) + len(tag.records[0])
    for at in range(start, start + len(tag.records[1]), 7):
        mutant = body[:at] + bytes((body[at] ^ 0x10,)) + body[at + 1 :]
        taken, held = take(shop, mutant)
        assert taken.refused is not None, at
        assert (held["head"], held["loose"], held["forks"]) == (0, [], []), at


def test_another_fleets_tag_and_a_body_without_a_certificate_are_refused(shop: Shop):
    tag = grown(shop.tag(), 1)
    with pytest.raises(BadCertificate, match="R6"):
        take(shop, certificate())
    for body in (b"", b"\xd2", b"hello", tag.records[0], b"\xff" * 2000):
        with pytest.raises(BadRequest):
            take(shop, body)


def test_records_out_of_order_and_records_behind_statements_are_refused(shop: Shop):
    tag = grown(shop.tag(), 3)
    with pytest.raises(BadRequest, match="after record"):
        take(shop, tag.certificate + tag.records[1] + tag.records[0])
    attestation = tag.attest()
    taken, _ = take(shop, part(tag, 0, 2) + attestation + tag.records[2])
    assert taken.refused.reason == "record after a statement"


def test_an_upload_cut_inside_an_item_keeps_what_is_whole(shop: Shop):
    tag = grown(shop.tag(), 3)
    taken, held = take(shop, tag.evidence()[:-5])
    assert (taken.refused.rule, held["head"]) == ("R1", 1)


# ---- loose


def test_one_trips_records_are_kept_at_once_and_anchored_later(shop: Shop):
    tag = grown(shop.tag(), 9)
    taken, held = take(shop, part(tag, 4, 8))
    assert (taken.new_count, held["head"], held["loose"]) == (4, -1, [[4, 7]])
    assert held["receipt"] is None
    shop.restart()
    taken, held = take(shop, part(tag, 0, 4))
    assert (taken.new_count, held["head"], held["loose"]) == (4, 7, [])
    assert held["receipt_seq"] == 7


def test_two_gaps_close_in_any_order(shop: Shop):
    tag = grown(shop.tag(), 12)
    for first, end in ((8, 10), (3, 5), (10, 12), (5, 8), (0, 3)):
        take(shop, part(tag, first, end))
    held = shop.archive.held(tag.tid)
    assert (held["head"], held["loose"], held["seen_head"]) == (11, [], 11)


def test_loose_records_that_the_tag_never_signed_go_when_their_place_is_known(shop: Shop):
    tag = grown(shop.tag(), 4)
    forged = split_off(tag, 2)
    forged.add(key=STRANGER, samples=[[1]])
    take(shop, part(forged, 2))
    assert shop.archive.held(tag.tid)["loose"] == [[2, 2]]
    _, held = take(shop, tag.evidence())
    assert (held["head"], held["loose"], held["forks"]) == (3, [], [])


def test_a_forged_loose_record_spoils_nobody_elses_upload(shop: Shop):
    tag = grown(shop.tag(), 3)
    forged = split_off(tag, 2)
    forged.add(key=STRANGER, samples=[[1]])
    take(shop, part(forged, 2))
    taken, held = take(shop, part(tag, 0, 2))
    assert (taken.refused, held["head"], held["loose"]) == (None, 1, [[2, 2]])
    taken, held = take(shop, part(tag, 2))
    assert (taken.refused, held["head"], held["loose"]) == (None, 2, [])


def test_loose_records_must_follow_each_other(shop: Shop):
    tag = grown(shop.tag(), 6)
    other = split_off(tag, 3)
    other.add(samples=[[1]])
    grown(other, 2)
    taken, held = take(shop, tag.certificate + tag.records[4] + other.records[5])
    assert (taken.refused.rule, held["loose"]) == ("R9", [[4, 4]])


# ---- forks


def test_a_fork_is_kept_and_named_and_ends_the_receipts(shop: Shop):
    tag = grown(shop.tag(), 4)
    twin = split_off(tag, 2)
    twin.add(samples=[[1]])
    twin.add(samples=[[2]])
    _, held = take(shop, tag.evidence())
    assert held["receipt_seq"] == 3
    taken, held = take(shop, twin.evidence())
    assert (taken.refused, taken.new_count) == (None, 2)
    assert [one["seq"] for one in held["forks"]] == [2, 3]
    assert len(held["forks"][0]["hashes"]) == 2
    grown(tag, 1)
    _, held = take(shop, tag.evidence())
    assert (held["head"], held["receipt_seq"], held["receipt_withheld"]) == (4, 3, "fork")
    stored = {row[0] for row in shop.archive.database.rows("select raw from fork")}
    assert stored == set(twin.records[2:])


def test_a_fork_longer_than_the_chain_and_with_its_own_key_is_kept_whole(shop: Shop):
    tag = grown(shop.tag(), 3)
    twin = split_off(tag, 2)
    twin.add(samples=[[1]])
    twin.roll(TAG_EPOCH_1)
    grown(twin, 2)
    take(shop, tag.evidence())
    taken, held = take(shop, twin.evidence())
    assert (taken.refused, taken.new_count, held["head"]) == (None, 4, 2)
    assert take(shop, twin.evidence())[0].new_count == 0


def test_a_forged_fork_is_refused_and_stops_no_receipt(shop: Shop):
    tag = grown(shop.tag(), 3)
    take(shop, tag.evidence())
    forged = split_off(tag, 1)
    forged.add(key=STRANGER, samples=[[1]])
    taken, held = take(shop, forged.evidence())
    assert (taken.refused.rule, held["forks"]) == ("R9", [])


def test_an_attestation_that_contradicts_the_chain_is_a_fork(shop: Shop):
    tag = grown(shop.tag(), 3)
    take(shop, tag.evidence())
    tag.attest(seq=1, head_hash=bytes(32))
    _, held = take(shop, tag.evidence())
    assert [one["seq"] for one in held["forks"]] == [1]
    assert held["receipt_seq"] == 2


def test_of_attestations_the_newest_eight_for_a_head_are_kept(shop: Shop):
    tag = grown(shop.tag(), 1)
    for number in range(11):
        tag.attest(bytes((number,)) * 16)
    take(shop, tag.evidence())
    kept = {row[0] for row in shop.archive.database.rows("select raw from statement")}
    assert kept == set(tag.statements[3:])


# ---- receipts


def test_a_receipt_is_signed_for_what_verified_and_verifies_in_the_evidence(shop: Shop):
    tag = grown(shop.tag(), 3)
    take(shop, tag.evidence())
    found = judge(shop.archive.seal(tag.tid), shop.archive.evidence.trust.fleet_keys())
    receipts = [one for one, _ in found.statements if one.type == 17]
    assert [(one.number(2), one.octets(3)) for one in receipts] == [(2, tag.head_hash)]


def test_nothing_is_receipted_that_the_disk_has_lost(shop: Shop):
    tag = grown(shop.tag(), 4)
    take(shop, tag.evidence())
    grown(tag, 2)
    shop.archive.desk._home = shop.home  # the key is there; only the records are not
    shop.archive.database.write(lambda db: db.execute("delete from record where seq=1"))
    _, held = take(shop, part(tag, 4))
    assert (held["head"], held["receipt_seq"]) == (5, 3)


def test_a_chain_with_a_lost_record_takes_nothing_more_after_a_restart(shop: Shop):
    tag = grown(shop.tag(), 4)
    take(shop, tag.evidence())
    shop.archive.database.write(lambda db: db.execute("update record set raw=x'00' where seq=1"))
    shop.restart()
    with pytest.raises(StorageError, match="damaged"):
        take(shop, tag.evidence())


def test_another_service_key_signs_the_receipt_again(shop: Shop):
    tag = grown(shop.tag(), 2)
    _, first = take(shop, tag.evidence())
    service.rotate(shop.home, shop.owner.vault, shop.owner.clock)
    shop.archive.carry(tag.tid, None)
    second = shop.archive.held(tag.tid)
    assert (second["receipt_seq"], second["receipt"] == first["receipt"]) == (1, False)


def test_without_keys_evidence_is_kept_and_nothing_signed(shop: Shop):
    shop.restart(has_keys=False)
    tag = grown(shop.tag(), 2)
    _, held = take(shop, tag.evidence())
    assert (held["head"], held["receipt"], held["receipt_withheld"]) == (1, None, "no service key")


def test_a_revoked_tag_gets_no_receipt(shop: Shop):
    tag = grown(shop.tag(), 2)
    terms = {"tid": tag.tid, "last_seq": 0, "record_hash": bytes(32), "reason": "stolen"}
    revocation.revoke(shop.home, shop.owner.vault, shop.owner.clock, **terms)
    _, held = take(shop, tag.evidence())
    assert (held["revoked_after"], held["receipt"], held["receipt_withheld"]) == (
        0,
        None,
        "revoked",
    )
