# SPDX-License-Identifier: MIT
"""The tickets of this computer: what a person needs to open a session with a tag.

One sealed file per ticket (secrets.py): the ticket's bytes and key, the visit key that
finds the tag on the air, and the holder's own Ed25519 key, which signs handovers. What is
in a wallet opens one tag for one person; it never holds a tag's access key. A ticket for a
key that its holder made himself comes without it, and is used where that key is.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.home import Home
from sealtrail.keys.public_key import own_key
from sealtrail.keys.secrets import Vault
from sealwire import access, protocol

LABEL = "ticket"
ROLES = {
    "viewer": protocol.VIEWER,
    "courier": protocol.COURIER,
    "site": protocol.SITE,
    "qa": protocol.QA,
    "service": protocol.SERVICE,
}
_SIZES = {"tid": 8, "ticket_key": 32, "visit_key": 32, "holder_seed": 32}


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """One ticket with its keys. *serial* and *certificate* say which tag it opens.

    *holder_seed*: 32 bytes, or none where only the holder has his key.
    """

    name: str
    serial: str
    person: str
    tid: bytes
    certificate: bytes = field(repr=False)
    ticket: bytes = field(repr=False)
    ticket_key: bytes = field(repr=False)
    visit_key: bytes = field(repr=False)
    holder_seed: bytes = field(repr=False)

    @property
    def terms(self) -> access.Ticket:
        """The ticket's fields. Raises StorageError for bytes that are no ticket."""
        try:
            return access.parse_ticket(self.ticket)
        except access.FormError as problem:
            raise StorageError(f"ticket {self.name}: {problem.args[0]}") from None

    @property
    def holder_key(self) -> Ed25519PrivateKey:
        """The key that signs handovers. Raises AccessRefused where it is not here."""
        if not self.holder_seed:
            raise AccessRefused(
                f"ticket {self.name}: its holder's key is not on this computer",
                "Use it where the key is, or have a ticket issued without --holder.",
            )
        return Ed25519PrivateKey.from_private_bytes(self.holder_seed)

    @property
    def role(self) -> str:
        """The role in a word."""
        return next((name for name, number in ROLES.items() if number == self.terms.role), "?")


class Wallet:
    """Reads and writes the tickets of one home."""

    def __init__(self, home: Home, vault: Vault) -> None:
        self._home = home
        self._vault = vault

    def names(self) -> list[str]:
        """The tickets that are here, sorted; opens none."""
        return sorted(path.stem for path in self._home.tickets.glob("*.ticket"))

    def put(self, entry: WalletEntry) -> Path:
        """Stores a ticket, durable on return. A name is never taken over by another ticket."""
        path = self._home.ticket(entry.name)
        if path.exists():
            raise UsageError(f"{path}: there is a ticket of that name", "Choose another --as.")
        self._vault.write(path, _packed(entry), LABEL)
        return path

    def get(self, name: str) -> WalletEntry:
        """The ticket of that name, or in the .ticket file of that path. Raises AccessRefused."""
        is_path = name.endswith(".ticket")
        path = Path(name) if is_path else self._home.ticket(name)
        if not path.exists():
            there = ", ".join(self.names()[:8]) or "none"
            raise AccessRefused(f"no ticket '{name[:80]}' here", f"Tickets here: {there}.")
        entry = _unpacked(path.stem, self._vault.read(path, LABEL), path)
        return entry if entry.holder_seed else self._with_own_key(entry)

    def _with_own_key(self, entry: WalletEntry) -> WalletEntry:
        """A ticket for this home's own person gets that person's key."""
        if not self._home.own_key.exists():
            return entry
        key = own_key(self._home, self._vault)
        digest = hashlib.sha256(key.public_key().public_bytes_raw()).digest()
        is_ours = digest[:16] == entry.terms.holder
        return replace(entry, holder_seed=key.private_bytes_raw()) if is_ours else entry

    def choose(self, name: str | None, serial: str | None) -> WalletEntry:
        """The ticket named, or the only one, or the only one for tag *serial*.

        Raises AccessRefused when there is none and UsageError when there are several.
        """
        if name is not None:
            return _matching(self.get(name), serial)
        found = [entry for entry in self._candidates(serial) if self.is_live(entry)]
        if not found:
            what = f"for tag {serial} " if serial else ""
            raise AccessRefused(f"no ticket {what}on this computer", "Ask whoever issues them.")
        if len(found) > 1:
            names = ", ".join(entry.name for entry in found[:8])
            raise UsageError("several tickets would do", f"Choose with --ticket: {names}.")
        return found[0]

    def _candidates(self, serial: str | None) -> list[WalletEntry]:
        # Every file opened costs 0.1 s of key stretching: names as we give them go first.
        names = self.names()
        ours = [name for name in names if serial and name.startswith(f"{serial}-")]
        entries = [self.get(name) for name in ours or names]
        return [entry for entry in entries if serial is None or entry.serial == serial]

    def is_live(self, entry: WalletEntry) -> bool:
        """False for a ticket of an enrolment that this home has replaced."""
        current = self._home.tag(entry.serial) / "current"
        return not current.exists() or current.read_text("ascii").strip() == entry.tid.hex()


def _matching(entry: WalletEntry, serial: str | None) -> WalletEntry:
    if serial is not None and entry.serial != serial:
        raise UsageError(f"ticket {entry.name} is for tag {entry.serial}, not {serial}")
    return entry


def _packed(entry: WalletEntry) -> bytes:
    content = {slot: getattr(entry, slot) for slot in WalletEntry.__slots__ if slot != "name"}
    return cbor2.dumps({"version": 1, **content}, canonical=True)


def _unpacked(name: str, raw: bytes, path: Path) -> WalletEntry:
    try:
        content: Any = cbor2.loads(raw)
        if content.pop("version") != 1:
            raise ValueError("version")
        entry = WalletEntry(name=name, **content)
    except (cbor2.CBORDecodeError, ValueError, TypeError, AttributeError, KeyError):
        raise StorageError(
            f"{path}: is no ticket of this version", "Have it issued again."
        ) from None
    for slot, size in _SIZES.items():
        value = getattr(entry, slot)
        is_absent = slot == "holder_seed" and value == b""
        if not isinstance(value, bytes) or (len(value) != size and not is_absent):
            raise StorageError(f"{path}: {slot} is damaged", "Have the ticket issued again.")
    return entry
