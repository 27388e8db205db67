# SPDX-License-Identifier: MIT
"""The archive's other end: evidence goes out exactly once, its word comes home and to the tag."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealtrail.archive_client import delivery
from sealtrail.archive_client.client import ArchiveClient, checked_url
from sealtrail.archive_client.delivery import Courier, checked_rows
from sealtrail.archive_client.errand import Errand
from sealtrail.archive_client.outbox import ArchiveOutbox
from sealtrail.archive_client.pouch import NONCE_LIFE_MS, Pouch, PouchShelf
from sealtrail.archive_client.setting import ArchiveSetting, chosen
from sealtrail.errors import AccessRefused, EvidenceRefused, LinkError, StorageError, UsageError
from sealtrail.evidence.trust import TrustStore
from sealtrail.evidence.verify import judge
from sealtrail.home import Home
from sealtrail.radio.carry import Parcel, deliver
from sealtrail.radio.evidence_store import EvidenceStore
from sealwire import access, protocol
from tests.archive.parts import Shop, grown, shop
from tests.archive.serving import serving
from tests.fakes.owner import StillClock, owner, owner_with_scrypt
from tests.vectors.chain import STRANGER, Chain, signed_statement

__all__ = ["owner", "owner_with_scrypt", "shop"]


class Dock:
    """A gateway's home with its own fleet.pub, outbox and token; the archive is elsewhere."""

    def __init__(self, shop: Shop, folder: Path, url: str) -> None:
        self.shop = shop
        self.home = Home(folder / "dock")
        self.clock = shop.owner.clock
        self.home.make(self.home.evidence)
        self.home.fleet_pub.write_bytes(shop.home.fleet_pub.read_bytes())
        token = folder / "dock.token"
        token.write_text(shop.archive.clients.add("dock", "gateway"))
        token.chmod(0o600)
        self.setting = ArchiveSetting(url, token)
        self.pouches = PouchShelf(self.home)

    @property
    def fleet(self) -> list:
        return TrustStore(self.home).fleet_keys()

    def path(self, tag: Chain) -> Path:
        return self.home.evidence / f"{tag.tid.hex()}.store"

    def store(self, tag: Chain) -> EvidenceStore:
        return EvidenceStore(self.path(tag), tag.certificate)

    def sync(self, tag: Chain, first: int = 0, url: str | None = None) -> None:
        """What a visit leaves: the records here, the upload due."""
        self.outbox(lambda box: box.put(
            url or self.setting.url, tag.tid, "ST-0001", self.path(tag), self.clock.now_ms()
        ))  # fmt: skip
        with self.store(tag) as store:
            store.append(tag.records[first:])
            for one in tag.statements:
                store.add_statement(one)

    def outbox(self, does: object) -> object:
        box = ArchiveOutbox(self.home)
        try:
            return does(box)  # type: ignore[operator]
        finally:
            box.close()

    def waiting(self) -> list:
        return self.outbox(lambda box: box.waiting())

    def flush(self, setting: ArchiveSetting | None = None) -> list:
        with (setting or self.setting).client(5) as client:
            courier = Courier(self.home, self.clock, client, self.fleet)
            return self.outbox(courier.flush)


@pytest.fixture
def dock(shop: Shop, tmp_path: Path) -> Iterator[Dock]:
    with serving(shop.archive) as url:
        yield Dock(shop, tmp_path, url)


# ---- delivery


def test_what_is_due_is_delivered_and_its_receipt_waits_for_the_tag(dock: Dock):
    tag = grown(dock.shop.tag(), 5)
    tag.attest()
    dock.sync(tag)
    (done,) = dock.flush()
    assert (done.new_count, done.head_seq, done.receipt_seq, done.problem) == (5, 4, 4, "")
    assert dock.waiting() == []
    due = dock.pouches.load(tag.tid).due
    assert [(op, kind) for op, kind, _ in due] == [(10, 19), (9, 17)]
    assert tag.statements[0] in dock.shop.archive.seal(tag.tid)


def test_only_what_the_archive_lacks_is_sent_in_parts_it_takes(dock: Dock, monkeypatch):
    monkeypatch.setattr(delivery, "_UPLOAD_SIZE", 1000)
    tag = grown(dock.shop.tag(), 20)
    dock.sync(tag)
    assert dock.flush()[0].new_count == 20
    grown(tag, 3)
    dock.sync(tag)
    sent = []
    monkeypatch.setattr(
        ArchiveClient, "put",
        lambda self, body, put=ArchiveClient.put: sent.append(body) or put(self, body),
    )  # fmt: skip
    assert dock.flush()[0].new_count == 3
    assert not any(tag.records[10] in body for body in sent)


def test_without_network_it_stays_due_and_goes_later(dock: Dock):
    tag = grown(dock.shop.tag(), 2)
    nowhere = dataclasses.replace(dock.setting, url="http://127.0.0.1:9")
    dock.sync(tag, url=nowhere.url)
    (done,) = dock.flush(nowhere)
    assert "no answer" in done.problem
    (due,) = dock.waiting()
    assert (due.state, due.attempt_count) == ("due", 1)
    dock.sync(tag)
    assert dock.flush()[0].problem == ""


def test_one_trips_records_wait_in_the_archive_for_those_before(dock: Dock):
    tag = grown(dock.shop.tag(), 6)
    dock.sync(tag, first=3)
    (done,) = dock.flush()
    assert (done.new_count, done.head_seq, done.receipt_seq, done.problem) == (3, -1, None, "")
    assert dock.shop.archive.held(tag.tid)["loose"] == [[3, 5]]


def test_what_the_archive_refuses_stays_with_its_reason_until_synced_again(dock: Dock):
    tag = grown(dock.shop.tag(), 1)
    tag.add(key=STRANGER, samples=[[1]])
    dock.sync(tag)
    (done,) = dock.flush()
    assert done.is_refused and "record 1" in done.problem and "R10" in done.problem
    (due,) = dock.waiting()
    assert due.state == "refused"
    assert dock.flush() == []


@pytest.mark.parametrize("archive_count", [3, 6])
def test_a_tag_that_tells_two_stories_is_a_fork_in_the_archive(dock: Dock, archive_count: int):
    tag = grown(dock.shop.tag(), 2)
    twin = Chain(key=tag.key, certificate=tag.certificate, records=tag.records[:2])
    grown(tag, archive_count - 2)
    dock.shop.archive.take(tag.evidence(), "another gateway")
    twin.add(samples=[[1]])
    twin.add(samples=[[2]])
    dock.sync(twin)
    dock.flush()
    assert dock.shop.archive.held(tag.tid)["forks"] != []


def test_a_wrong_token_is_said_once_and_nothing_is_lost(dock: Dock):
    tag = grown(dock.shop.tag(), 1)
    dock.sync(tag)
    dock.setting.token_file.write_text("st1_wrong")
    assert "token" in dock.flush()[0].problem
    assert len(dock.waiting()) == 1


def test_what_becomes_due_during_a_delivery_stays_due(dock: Dock):
    tag = grown(dock.shop.tag(), 1)
    dock.sync(tag)
    (due,) = dock.waiting()
    dock.sync(tag)
    dock.outbox(lambda box: box.done(due))
    assert len(dock.waiting()) == 1


def test_an_outbox_that_cannot_be_written_is_a_storage_error(tmp_path: Path):
    (tmp_path / "home").write_text("a file, no folder")
    with pytest.raises(StorageError, match="outbox"):
        ArchiveOutbox(Home(tmp_path / "home"))


# ---- receipts


def carried(dock: Dock, tag: Chain) -> dict:
    dock.shop.archive.take(tag.evidence(), "dock")
    return dock.shop.archive.carry(tag.tid, None)


def test_a_receipt_that_does_not_hold_is_not_carried(dock: Dock):
    tag = grown(dock.shop.tag(), 2)
    good = carried(dock, tag)
    receipt = bytes.fromhex(good["statements"][-1]["statement"])
    with dock.store(tag) as store:
        store.append(tag.records)
        kinds = lambda rows: [kind for _, kind, _ in rows]  # noqa: E731
        assert kinds(checked_rows(good, tag.tid, store, dock.fleet)) == [19, 17]
        assert kinds(checked_rows(good, tag.tid, store, [])) == [19]
        assert kinds(checked_rows(good, bytes(8), store, dock.fleet)) == [19]
        only = {"statements": good["statements"][-1:]}
        assert checked_rows(only, tag.tid, store, dock.fleet) == ()
        fields = {1: tag.tid, 2: 1, 3: tag.head_hash, 4: dock.clock.now_ms()}
        forged = signed_statement(STRANGER, 17, fields, receipt[8:16])
        only = {"statements": [good["statements"][0], {"op": 9, "statement": forged.hex()}]}
        assert kinds(checked_rows(only, tag.tid, store, dock.fleet)) == [19]


def test_a_receipt_for_another_record_than_ours_is_a_fork(dock: Dock):
    tag = grown(dock.shop.tag(), 2)
    good = carried(dock, tag)
    twin = Chain(key=tag.key, certificate=tag.certificate, records=tag.records[:1])
    twin.add(samples=[[7]])
    with dock.store(twin) as store:
        store.append(twin.records)
        with pytest.raises(EvidenceRefused, match="another record 1"):
            checked_rows(good, tag.tid, store, dock.fleet)


ROWS = [{}, {"op": 9}, {"op": "x", "statement": ""}, 5]
ROWS += [{"op": 9, "statement": "zz"}, {"op": 9, "statement": "a0"}]


@pytest.mark.parametrize("row", ROWS)
def test_an_answer_that_is_not_understood_is_the_archives_fault(dock: Dock, row: object):
    tag = dock.shop.tag()
    with dock.store(tag) as store, pytest.raises(LinkError, match="not understood"):
        checked_rows({"statements": [row]}, tag.tid, store, [])


# ---- the pouch and the visit


class AskedTag:
    """A tag's answers by op; keeps what it was asked. Codes may be lists: one a question."""

    def __init__(self, **answers: object) -> None:
        self.answers = {getattr(protocol, name): answer for name, answer in answers.items()}
        self.asked: list[tuple[int, bytes]] = []
        self.nonce = b"\x07" * 16
        self.ready = access.Ready(
            0, False, 0xFFFF, 0, 0, -1, bytes(32), False, False, False, False
        )

    async def ask(self, op: int, args: bytes = b"") -> tuple[int, bytes]:
        self.asked.append((op, args))
        answer = self.answers.get(op, protocol.OK)
        if answer == "gone":
            raise LinkError("the link broke")
        return answer, self.nonce if op == protocol.TIME_NONCE and answer == protocol.OK else b""


PARCELS = [
    Parcel(protocol.TIME_TOKEN, b"t"),
    Parcel(protocol.RECEIPT, b"r"),
    Parcel(protocol.SERVICE_CERT, b"s"),
    Parcel(protocol.FLEET_NEXT, b"f"),
    Parcel(protocol.ORDER, b"never by this way"),
]


async def test_parcels_are_brought_in_the_order_in_which_one_vouches_for_the_next():
    tag = AskedTag()
    outcome = await deliver(tag, PARCELS)
    assert [args for _, args in tag.asked] == [b"f", b"s", b"r", b"t"]
    assert len(outcome.taken) == 4 and outcome.refused == ()


@pytest.mark.parametrize("code", ["BAD_STATE", "NOT_OURS", "RATE", "FULL", "BAD_FORM", "NO_SCOPE"])
async def test_what_a_tag_cannot_do_now_stops_nothing_and_is_kept(code: str):
    tag = AskedTag(SERVICE_CERT=getattr(protocol, code), RECEIPT=protocol.STALE)
    outcome = await deliver(tag, PARCELS)
    assert [one.statement for one in outcome.taken] == [b"f", b"r", b"t"]
    assert [(one.statement, code) for one, code in outcome.refused] == [
        (b"s", getattr(protocol, code))
    ]


async def test_a_tag_that_lost_its_tail_raises_the_alarm():
    outcome = await deliver(AskedTag(RECEIPT=protocol.AHEAD), PARCELS)
    assert outcome.alarms == ("AHEAD",)


async def test_a_link_that_breaks_keeps_what_was_taken():
    outcome = await deliver(AskedTag(RECEIPT="gone"), PARCELS)
    assert [one.statement for one in outcome.taken] == [b"f", b"s"]
    assert outcome.problem == "the link broke"


async def run(dock: Dock, tag: Chain, visitor: AskedTag, client: object) -> tuple:
    errand = Errand(dock.home, dock.clock, tag.tid, client, dock.fleet)
    with dock.store(tag) as store:
        outcome = await errand.run(visitor, store, lambda text: None)
        return outcome, store.statements()


async def test_a_visit_brings_the_pouch_once_and_the_time(dock: Dock):
    tag = grown(dock.shop.tag(), 2)
    dock.sync(tag)
    dock.flush()
    with dock.setting.client(5) as client:
        visitor = AskedTag()
        _, statements = await run(dock, tag, visitor, client)
        assert [op for op, _ in visitor.asked] == [10, 9, 6, 7]
        assert visitor.asked[-1][1] in statements  # C6
        visitor = AskedTag()
        visitor.ready = visitor.ready._replace(is_sure=True)
        await run(dock, tag, visitor, client)
        assert visitor.asked == []
        dock.clock.pass_days(2)
        await run(dock, tag, visitor, client)
        assert [op for op, _ in visitor.asked] == [6, 7]
    grown(tag, 1)
    dock.sync(tag)
    dock.flush()
    sealed = dock.shop.archive.seal(tag.tid)
    found = judge(sealed, dock.fleet)
    assert {16, 17, 19} <= {one.type for one, _ in found.statements}


async def test_a_nonce_without_network_is_answered_by_a_later_visit(dock: Dock):
    tag = grown(dock.shop.tag(), 1)
    nowhere = dataclasses.replace(dock.setting, url="http://127.0.0.1:9")
    with nowhere.client(1) as client:
        visitor = AskedTag()
        await run(dock, tag, visitor, client)
        assert [op for op, _ in visitor.asked] == [6]
    dock.sync(tag)
    dock.flush()
    visitor = AskedTag()
    await run(dock, tag, visitor, None)
    assert [op for op, _ in visitor.asked] == [10, 9, 7]


def test_a_nonce_that_the_tag_has_forgotten_is_not_asked_for():
    pouch = Pouch().with_nonce(b"n" * 16, 1000)
    assert pouch.live_nonces(1000 + NONCE_LIFE_MS - 1) == (b"n" * 16,)
    assert pouch.live_nonces(1000 + NONCE_LIFE_MS) == ()


def test_a_pouch_survives_the_disk_and_a_damaged_one_says_what_to_do(tmp_path: Path):
    shelf = PouchShelf(Home(tmp_path))
    pouch = Pouch().refilled(((9, 17, b"receipt"),)).with_nonce(b"n" * 16, 5).with_time(7)
    shelf.save(b"t" * 8, pouch.with_taken(b"receipt"))
    again = shelf.load(b"t" * 8)
    assert (again.due, again.nonces, again.time_ms) == ((), ((b"n" * 16, 5),), 7)
    (tmp_path / "carry" / (b"t" * 8).hex()).with_suffix(".cbor").write_bytes(b"\xff")
    with pytest.raises(StorageError, match="damaged"):
        shelf.load(b"t" * 8)


# ---- settings


def test_a_home_remembers_its_archive_and_options_go_first(tmp_path: Path):
    home = Home(tmp_path / "home")
    assert chosen(home, None, None) is None
    ArchiveSetting("https://a.example", tmp_path / "token").keep(home)
    assert chosen(home, None, None).url == "https://a.example"
    assert chosen(home, "https://a.example/", None).token_file == tmp_path / "token"
    with pytest.raises(UsageError, match="--archive-token"):
        chosen(home, "https://b.example", None)
    with pytest.raises(UsageError, match="goes with"):
        chosen(home, None, tmp_path / "token")


def test_a_token_never_goes_in_clear_over_a_network_nor_lies_open(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("st1_x")
    token.chmod(0o600)
    with pytest.raises(UsageError, match="https"):
        ArchiveSetting("http://archive.example", token).client()
    token.chmod(0o644)
    with pytest.raises(UsageError, match="others can read"):
        ArchiveSetting("https://archive.example", token).client()


@pytest.mark.parametrize("url", ["", "archive", "ftp://a", "https://", "https://a/?q=1"])
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(UsageError, match="not the address"):
        checked_url(url)


def test_something_else_at_the_address_is_told_from_an_archive(dock: Dock):
    wrong = dataclasses.replace(dock.setting, url=dock.setting.url + "/elsewhere")
    with wrong.client(5) as client, pytest.raises(UsageError, match="404"):
        client.me()
    dock.setting.token_file.write_text("st1_no")
    with dock.setting.client(5) as client, pytest.raises(AccessRefused, match="token"):
        client.me()
    assert isinstance(dock.clock, StillClock)
