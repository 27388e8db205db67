# SPDX-License-Identifier: MIT
"""Which files of a home a back-up takes, and the label each sealed one has.

All of the home goes in but locks, logs, what still has to be uploaded, the archive's data
(docs/archive.md says how those are backed up), and, unless asked for, the evidence. The
label is what the file was sealed under; it follows from the path.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from sealtrail.errors import StorageError
from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.public_key import OWN_KEY_LABEL
from sealtrail.keys.secrets import MAGIC
from sealtrail.keys.ticket_ledger import moved_state
from sealtrail.keys.wallet import LABEL as TICKET_LABEL

_LEFT_OUT = ("locks", "logs", "outbox.sqlite", "archive")
_SUCCESSOR = PurePosixPath("fleet/next.key")
_CHECK = PurePosixPath("passphrase.check")
_FIXED = {
    PurePosixPath("fleet/fleet.key"): fleet.KEY_LABEL,
    _SUCCESSOR: fleet.NEXT_LABEL,
    PurePosixPath("fleet/next.hash"): fleet.NEXT_HASH_LABEL,
    PurePosixPath("me.key"): OWN_KEY_LABEL,
}
# Ticket numbers must never repeat, and some were given after the back-up was made.
_TICKET_NUMBERS_SKIPPED = 1000
# Revocations may have been made after it too: a tag takes only what has a higher number.
_REVOCATIONS_SKIPPED = 100


def chosen_files(
    home: Home, with_successor: bool, with_evidence: bool
) -> Iterator[tuple[PurePosixPath, str | None]]:
    """(path below the home, label or None) of every file to keep, in a fixed order."""
    for at in sorted(home.root.rglob("*")):
        path = PurePosixPath(at.relative_to(home.root).as_posix())
        if not at.is_file() or _is_left_out(path, with_successor, with_evidence):
            continue
        label = label_of(path)
        with open(at, "rb") as file:
            is_sealed = file.read(len(MAGIC)) == MAGIC
        if is_sealed and label is None:
            raise StorageError(f"{at}: this version cannot back this file up")
        yield path, label


def label_of(path: PurePosixPath) -> str | None:
    """The label of a sealed file, by its place in the home; None for a public one."""
    if path in _FIXED:
        return _FIXED[path]
    match path.parts:
        case ("service", name) if name.endswith(".key"):
            return f"service key {path.stem}"
        case ("tags", _, tid, "access.key"):
            return f"access key {tid}"
        case ("tickets", name) if name.endswith(".ticket"):
            return TICKET_LABEL
        case ("coi", name) if name.endswith(".salt"):
            return "coi salt"
    return None


def moved_on(path: PurePosixPath, content: bytes) -> bytes:
    """*content* as a restored home needs it: ticket and revocation numbers jump ahead."""
    if path.name == "revoked.cbor":
        return moved_state(content, _REVOCATIONS_SKIPPED)
    if path.name != "next_ticket" or not content.strip().isdigit():
        return content
    return b"%d\n" % (int(content) + _TICKET_NUMBERS_SKIPPED)


def _is_left_out(path: PurePosixPath, with_successor: bool, with_evidence: bool) -> bool:
    first = path.parts[0]
    if path == _CHECK or first.startswith(_LEFT_OUT) or path.suffix in {".lock", ".tmp"}:
        return True
    if path == _SUCCESSOR:
        return not with_successor
    return first == "evidence" and not with_evidence
