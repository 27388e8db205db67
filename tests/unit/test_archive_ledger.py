# SPDX-License-Identifier: MIT
"""Which tickets were issued and which are dead: the state only rises, whatever kills it."""

import pytest

from sealtrail import cli
from sealtrail.errors import StorageError, UsageError
from sealtrail.keys import ticket
from sealtrail.keys.backup_files import moved_on
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.ticket_ledger import RevocationState, TicketLedger
from sealwire import access
from tests.archive.parts import Shop, shop
from tests.fakes.owner import DAY_S, Killed, Writes, owner, owner_with_scrypt
from tests.vectors.chain import COURIER, STRANGER

__all__ = ["owner", "owner_with_scrypt", "shop"]


@pytest.fixture
def ledger(shop: Shop) -> TicketLedger:
    shop.provisioned()
    return TicketLedger(TagFolder.current(shop.home, "ST-0001"))


def issue(shop: Shop, holder: bytes = COURIER.public, **more: object) -> int:
    terms = {"role": "courier", "person": "Ann", "trip": 4, "holder": holder, **more}
    entry = ticket.issue(shop.home, shop.owner.vault, shop.owner.clock, "ST-0001", **terms)
    return entry.terms.tno


def test_every_ticket_stands_in_the_ledger_before_it_is_given_out(shop: Shop, ledger):
    numbers = [issue(shop), issue(shop)]
    assert [one.terms.tno for one in ledger.issued()] == numbers
    assert {one.person for one in ledger.issued()} == {"Ann"}


def test_a_number_is_never_given_twice_whatever_write_is_cut(shop: Shop, ledger, monkeypatch):
    writes = Writes(monkeypatch)
    issue(shop)
    count = writes.count
    seen = {one.terms.tno for one in ledger.issued()}
    for place in range(count):
        for after in (False, True):
            writes.restart(place, after)
            with pytest.raises(Killed):
                issue(shop)
            writes.restart()
            given = {one.terms.tno for one in ledger.issued()} - seen
            number = issue(shop)
            assert number not in seen | given
            seen |= given | {number}


def test_revoking_a_ticket_kills_all_of_its_holder_and_nobody_else(shop: Shop, ledger):
    first, other, second = issue(shop), issue(shop, STRANGER.public), issue(shop)
    state = ledger.revoke(first, shop.owner.clock.now_s)
    assert (state.rev, state.revoked, state.floor) == (1, (first, second), 0)
    assert state.is_dead(first) and state.is_dead(second) and not state.is_dead(other)
    assert ledger.revoke(second, shop.owner.clock.now_s) == state  # the same again


def test_new_tickets_carry_the_state(shop: Shop, ledger):
    dead = issue(shop)
    ledger.revoke(dead, shop.owner.clock.now_s)
    issue(shop, STRANGER.public)
    terms = ledger.issued()[-1].terms
    assert (terms.rev, terms.floor, terms.revoked) == (1, 0, (dead,))


def test_a_full_list_says_so_and_a_raised_floor_makes_room(shop: Shop, ledger):
    for number in range(8):
        ledger.revoke(issue(shop, bytes((number,)) * 32), shop.owner.clock.now_s)
    ninth = issue(shop, b"\x09" * 32)
    with pytest.raises(UsageError, match="8 of 8"):
        ledger.revoke(ninth, shop.owner.clock.now_s)
    state = ledger.revoke_all()
    assert (state.rev, state.floor, state.revoked) == (9, ninth + 1, ())
    assert issue(shop) > state.floor
    assert state.doors() == (state.floor, 0) and state.doors(state.floor) == (state.floor,)


def test_expired_tickets_take_no_place_in_the_list(shop: Shop, ledger):
    old = issue(shop, days=1)
    shop.owner.clock.now_s += 2 * DAY_S
    fresh = issue(shop)
    assert ledger.revoke(old, shop.owner.clock.now_s).revoked == (fresh,)


def test_a_ticket_never_issued_here_is_refused(shop: Shop, ledger):
    with pytest.raises(UsageError, match="no ticket 99"):
        ledger.revoke(99, shop.owner.clock.now_s)


def test_a_damaged_state_stops_issuing_rather_than_going_back(shop: Shop, ledger):
    issue(shop)
    (TagFolder.current(shop.home, "ST-0001").path / "revoked.cbor").write_bytes(b"\xa1")
    with pytest.raises(StorageError, match="damaged"):
        issue(shop)


def test_a_restored_home_jumps_ahead_of_revocations_made_since(shop: Shop, ledger):
    path = TagFolder.current(shop.home, "ST-0001").path / "revoked.cbor"
    ledger.revoke(issue(shop), shop.owner.clock.now_s)
    path.write_bytes(moved_on(path, path.read_bytes()))
    assert ledger.state.rev == 101
    assert moved_on(path, b"\xff") == b"\xff"


def test_at_most_four_doors_are_tried():
    state = RevocationState(9, 50, (), (40, 30, 20))
    assert state.doors() == (50, 40, 30, 20)
    assert state.doors(30) == (50, 40, 30)


def test_the_command_revokes_one_holder_or_all(shop: Shop, ledger, capsys):
    number = issue(shop)
    home = ("--home", str(shop.home.root), "ticket", "revoke", "--tag", "ST-0001")
    assert cli.main([*home, "--number", str(number)]) == 0
    assert f"revoked {number}" in capsys.readouterr().out
    assert cli.main([*home, "--all"]) == 0
    assert ledger.state.floor == number + 1
    for words in ((), ("--all", "--number", "1"), ("--number", "77")):
        assert cli.main([*home, *words]) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_a_visitor_with_a_renewed_ticket_gets_the_tag_to_drop_the_lost_one(shop: Shop, ledger):
    lost = issue(shop)
    ledger.revoke(lost, shop.owner.clock.now_s)
    mine = issue(shop, STRANGER.public)
    packed = next(one.packed for one in ledger.issued() if one.terms.tno == mine)
    assert lost in access.parse_ticket(packed).revoked
