# SPDX-License-Identifier: MIT
"""What a home knows of a tag and its people, for `sync`: into the evidence, and to the tag."""

from typing import TYPE_CHECKING

from sealtrail.home import Home
from sealtrail.keys import person, revocation, rotation
from sealtrail.keys.tag_folder import TagFolder

if TYPE_CHECKING:
    from sealtrail.evidence.statements import RawStatement
    from sealtrail.keys.wallet import WalletEntry
    from sealtrail.radio.evidence_store import EvidenceStore


def add_known_statements(home: Home, store: "EvidenceStore", tid: bytes) -> "RawStatement | None":
    """Puts persons and the revocation into the store; returns the revocation, if there is one.

    What certifies comes before what it certified (section 8).
    """
    for one in person.named_in(home, store.records()):
        store.add_statement(one)
    revoked = revocation.find(home, tid)
    if revoked is not None:
        store.add_statement(revoked.raw)
    return revoked


class Rotations:
    """The rotations of the fleet key that one tag has yet to be told of."""

    def __init__(self, home: Home, entry: "WalletEntry") -> None:
        folder = TagFolder(home, entry.serial, entry.tid)
        self._folder = folder if folder.path.is_dir() else None
        self._told_before = self._folder.told_rotations if self._folder else 0
        self.taken_count = 0
        every = rotation.outstanding(home, entry.certificate)
        self.due = [one.raw for one in every[self._told_before :]]

    def note_taken(self, count: int) -> None:
        """The tag has taken *count* of those that are due."""
        self.taken_count = count
        if self._folder is not None:
            self._folder.note_told_rotations(self._told_before + count)
