# SPDX-License-Identifier: MIT
"""kill -9 at random moments: what the archive acknowledged is there, and nothing is doubled.

The archive runs as its own process, as its owner would run it, over real HTTP.
"""

import random
import threading
import time
from pathlib import Path

import pytest

from sealtrail.archive.archive import Archive
from sealtrail.archive_client.client import ArchiveClient
from sealtrail.clock import HostClock
from sealtrail.custody.auth import Auth, AuthKind
from sealtrail.errors import LinkError
from sealtrail.evidence.verify import judge
from sealtrail.keys import certificate, fleet
from tests.archive.parts import part
from tests.fakes.archive_process import ArchiveProcess
from tests.fakes.long_evidence import public_key, records
from tests.fakes.owner import PASSPHRASE, Owner
from tests.vectors.chain import Chain

TAG_COUNT, RECORD_COUNT, BATCH = 4, 400, 5
_PARTS_WAIT_S = 20


class Fleet:
    """A home with an archive, as of today: the archive's process asks the real clock."""

    def __init__(self, folder: Path, tag_count: int, record_count: int) -> None:
        self.passphrase = folder / "p"
        self.passphrase.write_text(PASSPHRASE + "\n")
        self.owner = Owner(folder)
        self.owner.clock.now_s = int(time.time())
        self.owner.init().with_service()
        self.clock = HostClock()
        archive = Archive.init(self.owner.home, self.clock)
        archive.desk.state_clock_error(500)
        self.token_file = folder / "token"
        self.token_file.write_text(archive.clients.add("dock", "qa"))
        self.token_file.chmod(0o600)
        archive.close()
        self.tags = [self._tag(number, record_count) for number in range(tag_count)]

    def _tag(self, number: int, record_count: int) -> Chain:
        opened = fleet.load(self.owner.home, self.owner.vault)
        issued = certificate.issue(
            opened.key,
            f"ST-{number:04}",
            public_key(),
            issued_at_s=self.owner.clock.now_s,
            hardware="virtual",
            firmware="0.1.0",
        )
        return Chain(certificate=issued, records=records(record_count, issued))

    def process(self) -> ArchiveProcess:
        return ArchiveProcess(self.owner.home.root, passphrase=self.passphrase)

    def client(self, url: str) -> ArchiveClient:
        return ArchiveClient(url, Auth(AuthKind.BEARER, "", self.token_file), 5)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    return Fleet(tmp_path, TAG_COUNT, RECORD_COUNT)


class Sender(threading.Thread):
    """Brings one tag's records in small parts until the archive is gone; keeps what it said."""

    def __init__(self, made: Fleet, tag: Chain, url: str) -> None:
        super().__init__()
        self._made, self._tag, self._url = made, tag, url
        self.head = self.receipt_seq = -1
        self.part_count = 0

    def run(self) -> None:
        try:
            with self._made.client(self._url) as client:
                held = client.put(self._tag.certificate)
                while held["head"] < len(self._tag.records) - 1:
                    first = held["head"] + 1
                    held = client.put(part(self._tag, first, first + BATCH))
                    assert "refused" not in held, held
                    self.head = held["head"]
                    self.receipt_seq = held["receipt_seq"]
                    self.part_count += 1
        except LinkError:
            pass  # killed


def wait_for_parts(senders: list[Sender], count: int) -> None:
    """Until so many parts are acknowledged: a busy computer takes its time."""
    deadline_s = time.monotonic() + _PARTS_WAIT_S
    while sum(one.part_count for one in senders) < count and time.monotonic() < deadline_s:
        if not any(one.is_alive() for one in senders):
            return  # all of it is there
        time.sleep(0.005)


def sweep(made: Fleet, kill_count: int) -> int:
    """Kills the archive *kill_count* times; returns how many parts were acknowledged."""
    source = random.Random(5)
    acknowledged = [(-1, -1)] * len(made.tags)
    for _ in range(kill_count):
        with made.process() as process:
            with made.client(process.url) as client:
                for tag, (head, receipt) in zip(made.tags, acknowledged, strict=True):
                    held = client.held(tag.tid)
                    if held is None:
                        assert head == -1
                        continue
                    assert held["head"] >= head and (held["receipt_seq"] or -1) >= receipt
                    assert (held["forks"], held["loose"]) == ([], [])
            senders = [Sender(made, tag, process.url) for tag in made.tags]
            for sender in senders:
                sender.start()
            wait_for_parts(senders, source.randint(1, 12))
            time.sleep(source.uniform(0, 0.03))
            process.kill()
            for sender in senders:
                sender.join()
        acknowledged = [
            max(old, (sender.head, sender.receipt_seq or -1))
            for old, sender in zip(acknowledged, senders, strict=True)
        ]
    return sum(head + 1 for head, _ in acknowledged) // BATCH


def check_whole(made: Fleet) -> None:
    """Brings the rest, and takes all of it back byte for byte."""
    with made.process() as process, made.client(process.url) as client:
        for tag in made.tags:
            held = client.put(part(tag, 0))
            assert (held["head"], held["receipt_seq"]) == (RECORD_COUNT - 1, RECORD_COUNT - 1)
            sealed = client.evidence(tag.tid)
            assert sealed.startswith(part(tag, 0))
            archive = Archive(made.owner.home, None, made.clock)
            keys = archive.evidence.trust.fleet_keys()
            archive.close()
            assert judge(sealed, keys).chain.count == RECORD_COUNT


def test_three_kills_lose_nothing_that_was_acknowledged(made: Fleet):
    assert sweep(made, 3) >= 3
    check_whole(made)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_hundred_kills_lose_nothing_that_was_acknowledged(made: Fleet):
    assert sweep(made, 100) >= 100
    check_whole(made)


@pytest.mark.long
def test_twenty_tags_of_500_records_come_in_within_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    made = Fleet(tmp_path, 20, 500)
    with made.process() as process, made.client(process.url) as client:
        began_s = time.monotonic()
        for tag in made.tags:
            held = client.put(part(tag, 0))
            assert (held["head"], held["receipt_seq"], held["new"]) == (499, 499, 500)
        took_s = time.monotonic() - began_s
        assert len(client.tags()) == 20
    with capsys.disabled():
        print(f"\narchive: 20 tags x 500 records in {took_s:.2f} s, {10_000 / took_s:,.0f}/s")
    assert took_s < 60
