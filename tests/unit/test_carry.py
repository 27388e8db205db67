# SPDX-License-Identifier: MIT
"""A sync tells the tag of the fleet's rotations: the firmware's own session takes them."""

import pytest

from sealtrail.commands.known_statements import Rotations
from sealtrail.keys import certificate, fleet, rotation
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.wallet import WalletEntry
from sealtrail.radio.carry import tell_rotations
from sealtrail.radio.visitor import Visitor
from sealwire import protocol
from tag.store import statestore
from tests.fakes.access_parts import Person, TagParts, verify
from tests.fakes.fake_link import FakeLink, ticket_for
from tests.fakes.owner import Owner, owner, owner_with_scrypt
from tests.vectors.chain import TAG

__all__ = ["owner", "owner_with_scrypt"]


class Enrolled:
    """A tag that *owner* provisioned, and the home's folder of it."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        opened = fleet.load(owner.home, owner.vault)
        self.parts = TagParts(verify=verify)
        self.parts.set_clock()
        self.parts.state.put(statestore.FLEET_KEY, opened.line.key)
        self.parts.state.put(statestore.FLEET_NEXT_HASH, opened.next_key_hash)
        self.certificate = certificate.issue(
            opened.key,
            "ST-0001",
            TAG.public,
            issued_at_s=owner.clock.now_s,
            hardware="virtual",
            firmware="0.1.0",
        )
        self.folder = TagFolder.begin(owner.home, "ST-0001", self.certificate, b"profile")

    @property
    def key(self) -> bytes:
        return bytes(self.parts.state.get(statestore.FLEET_KEY))

    def due(self) -> Rotations:
        entry = WalletEntry(
            name="t",
            serial="ST-0001",
            person="p",
            tid=self.folder.tid,
            certificate=self.certificate,
            ticket=b"",
            ticket_key=b"",
            visit_key=b"",
            holder_seed=b"",
        )
        return Rotations(self.owner.home, entry)

    def rotate(self) -> bytes:
        done = rotation.rotate(self.owner.home, self.owner.vault, self.owner.clock, 10)
        return done.line.key

    async def visit(self, due: Rotations, cut_from: int | None = None) -> str:
        link = FakeLink(self.parts)
        visitor = Visitor(
            ticket_for(Person(), role=protocol.VIEWER), link, monotonic_s=link.monotonic_s
        )
        await visitor.connect()
        if cut_from is not None:
            link.lose_command = lambda number: number >= link.command_count + cut_from
            first = link.command_count + cut_from
            link.lose_command = lambda number: number >= first
        return await tell_rotations(visitor, due.due, due.note_taken)


@pytest.fixture
def tag(owner: Owner) -> Enrolled:
    return Enrolled(owner)


async def test_every_missed_rotation_is_told_in_order_and_once(tag: Enrolled) -> None:
    tag.rotate()
    newest = tag.rotate()
    assert await tag.visit(tag.due()) == ""
    assert tag.key == newest and tag.due().due == []
    third = tag.rotate()
    due = tag.due()
    assert len(due.due) == 1
    assert await tag.visit(due) == "" and tag.key == third


async def test_tag_that_knows_already_is_asked_no_more(tag: Enrolled) -> None:
    newest = [tag.rotate() for _ in range(3)][-1]
    assert await tag.visit(tag.due()) == ""
    tag.folder.note_told_rotations(0)  # a home restored from an older back-up
    due = tag.due()
    assert len(due.due) == 3
    assert await tag.visit(due) == "" and tag.key == newest and tag.due().due == []


async def test_link_cut_between_two_goes_on_at_the_next_visit(tag: Enrolled) -> None:
    tag.rotate()
    newest = tag.rotate()
    assert "does not answer" in await tag.visit(tag.due(), cut_from=2)
    due = tag.due()
    assert len(due.due) == 1
    assert await tag.visit(due) == "" and tag.key == newest


async def test_tag_of_another_fleet_says_so_and_stays(tag: Enrolled) -> None:
    tag.rotate()
    tag.parts.state.put(statestore.FLEET_NEXT_HASH, bytes(32))
    before = tag.key
    assert await tag.visit(tag.due()) == "the tag answers NOT_OURS"
    assert tag.key == before and len(tag.due().due) == 1


def test_nothing_is_due_without_a_rotation_whatever_the_certificate(owner: Owner) -> None:
    assert rotation.outstanding(owner.home, b"no certificate") == []
