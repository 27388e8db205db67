# SPDX-License-Identifier: MIT
"""An archive of a new fleet, tags whose evidence this file can make, and clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealtrail.archive.archive import Archive
from sealtrail.archive.database import Database
from sealtrail.keys import certificate, fleet
from sealtrail.keys.tag_folder import TagFolder
from tests.fakes.owner import Owner
from tests.vectors.chain import START_UTC_S, TAG, Chain, Key

ACCESS_KEY = bytes(range(32))


class Shop:
    """An owner with fleet and service key, and the archive in his home."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.home = owner.home
        owner.with_service()
        owner.clock.now_s += 3600  # records lie in the term of the service certificate
        made = Archive.init(owner.home, owner.clock)
        made.desk.state_clock_error(500)
        made.close()
        self.archive = self.open()

    def open(self, has_keys: bool = True) -> Archive:
        """The archive as another process would open it."""
        return Archive(self.home, self.owner.vault if has_keys else None, self.owner.clock)

    def restart(self, has_keys: bool = True) -> None:
        """Closes and opens: nothing stays in memory."""
        self.archive.close()
        self.archive = self.open(has_keys)

    def tag(self, serial: str = "ST-0001", key: Key = TAG) -> Chain:
        """A tag of this fleet, without records."""
        return Chain(key=key, certificate=self.certificate(serial, key))

    def certificate(self, serial: str, key: Key = TAG) -> bytes:
        opened = fleet.load(self.home, self.owner.vault)
        return certificate.issue(
            opened.key,
            serial,
            key.public,
            issued_at_s=START_UTC_S,
            hardware="virtual",
            firmware="0.1.0",
        )

    def provisioned(self, serial: str = "ST-0001", key: Key = TAG) -> Chain:
        """A tag whose access key lies in the home."""
        tag = self.tag(serial, key)
        folder = TagFolder.begin(self.home, serial, tag.certificate, b"profile")
        folder.keep_access_key(self.owner.vault, ACCESS_KEY)
        folder.put_in_force()
        return tag


def grown(tag: Chain, count: int) -> Chain:
    """*tag* with *count* more records."""
    for _ in range(count):
        tag.add(samples=[[-19000], [-18990]])
    return tag


def part(tag: Chain, first: int, end: int | None = None) -> bytes:
    """An upload of records *first* to before *end*."""
    return tag.certificate + b"".join(tag.records[first:end])


@pytest.fixture
def shop(owner: Owner) -> Iterator[Shop]:
    made = Shop(owner)
    yield made
    made.archive.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "archive.sqlite")
    yield made
    made.close()
