# SPDX-License-Identifier: MIT
"""The fleet key: what every certificate hangs on, and the one line that is shared.

`fleet init` makes two keys. The fleet key signs tag certificates. Its successor signs
nothing yet: tags keep only its hash, so whoever steals the fleet key cannot name the next
one (docs/access-protocol.md, K6). Keep the two sealed files in two safes.

fleet.pub, one line a key: `ed25519 BASE64 NOT_BEFORE NOT_AFTER NAME`, ISO dates.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail import atomic
from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault

YEARS_DEFAULT = 10
_YEARS_MAX = 30
_NAME_SIZE_MAX = 64
_FILE_SIZE_MAX = 65_536
_KEY_LABEL, _NEXT_LABEL = "fleet key", "next fleet key"


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One public fleet key, valid from the start of *not_before* to the end of *not_after*."""

    key: bytes
    not_before: date
    not_after: date
    name: str

    def text(self) -> str:
        """The line as it stands in fleet.pub, without a line end."""
        key = base64.b64encode(self.key).decode()
        return f"ed25519 {key} {self.not_before} {self.not_after} {self.name}"

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the key's SHA-256, to compare on the telephone."""
        digits = hashlib.sha256(self.key).hexdigest()[:16]
        return "-".join(digits[i : i + 4] for i in range(0, 16, 4))


@dataclass(frozen=True, slots=True)
class Fleet:
    """The opened fleet: what `provision` needs."""

    line: FleetLine
    key: Ed25519PrivateKey
    next_key_hash: bytes


def init(home: Home, vault: Vault, clock: Clock, name: str, years: int) -> FleetLine:
    """Makes the fleet of this home; durable on return.

    The public line is written last: without it there is no fleet, and a run after a power
    cut goes on with the keys that are there. Raises UsageError when there is a fleet.
    """
    checked = _checked_name(name)
    if not 1 <= years <= _YEARS_MAX:
        raise UsageError(f"--years {years}: a fleet key lives 1 to {_YEARS_MAX} years")
    with home.lock("fleet"):
        if home.fleet_pub.exists():
            raise UsageError(
                f"{home.fleet_pub}: this home has a fleet",
                "Use another --home for another fleet; `fleet show` shows this one.",
            )
        _load_or_make(vault, home.next_fleet_key, _NEXT_LABEL)
        key = _load_or_make(vault, home.fleet_key, _KEY_LABEL)
        today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date()
        public = key.public_key().public_bytes_raw()
        line = FleetLine(public, today, _years_later(today, years), checked)
        atomic.write_text(home.fleet_pub, line.text() + "\n", mode=0o644)
    return line


def load(home: Home, vault: Vault) -> Fleet:
    """Opens the fleet for signing. Raises AccessRefused when this home has none."""
    if not home.fleet_pub.exists():
        raise AccessRefused(
            f"{home.root}: no fleet key here", "`sealtrail fleet init NAME` makes one."
        )
    key = _opened(vault, home.fleet_key, _KEY_LABEL)
    following = _opened(vault, home.next_fleet_key, _NEXT_LABEL).public_key().public_bytes_raw()
    public = key.public_key().public_bytes_raw()
    for line in read_lines(home.fleet_pub):
        if line.key == public:
            return Fleet(line, key, hashlib.sha256(following).digest())
    raise AccessRefused(
        f"{home.fleet_pub}: does not hold the public half of {home.fleet_key.name}",
        "Restore both files from the same back-up.",
    )


def next_key_hash(home: Home, vault: Vault) -> bytes:
    """SHA-256 of the successor's public key, which tags hold."""
    following = _opened(vault, home.next_fleet_key, _NEXT_LABEL)
    return hashlib.sha256(following.public_key().public_bytes_raw()).digest()


def read_lines(path: Path) -> list[FleetLine]:
    """The keys in a fleet.pub. Empty lines and lines with # are skipped.

    Raises UsageError naming the line that is wrong, or when there is none at all.
    """
    lines = [
        _parsed(text, f"{path}, line {number}")
        for number, text in enumerate(_read_text(path).splitlines(), 1)
        if text.strip() and not text.lstrip().startswith("#")
    ]
    if not lines:
        raise UsageError(f"{path}: holds no fleet key", "Ask the fleet's owner for fleet.pub.")
    return lines


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_FILE_SIZE_MAX).decode("utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: cannot read: {problem.strerror}") from problem
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no fleet.pub (not text)") from None


def _parsed(text: str, where: str) -> FleetLine:
    parts = text.split(None, 4)
    if len(parts) != 5 or parts[0] != "ed25519":
        raise UsageError(
            f"{where}: is no fleet key", "A line reads: ed25519 BASE64 NOT_BEFORE NOT_AFTER NAME"
        )
    try:
        key = base64.b64decode(parts[1], validate=True)
        since, until = date.fromisoformat(parts[2]), date.fromisoformat(parts[3])
    except (binascii.Error, ValueError):
        raise UsageError(f"{where}: the key or a date cannot be read") from None
    if len(key) != 32 or until < since:
        raise UsageError(f"{where}: the key is not 32 bytes, or the dates are swapped")
    return FleetLine(key, since, until, parts[4].strip())


def _checked_name(name: str) -> str:
    text = name.strip()
    if not 0 < len(text) <= _NAME_SIZE_MAX or not text.isprintable():
        raise UsageError(f"a fleet's name has 1 to {_NAME_SIZE_MAX} printable characters")
    return text


def _years_later(today: date, years: int) -> date:
    try:
        return today.replace(year=today.year + years)
    except ValueError:  # 29 February
        return today.replace(year=today.year + years, day=28)


def _load_or_make(vault: Vault, path: Path, label: str) -> Ed25519PrivateKey:
    # A power cut between the two keys leaves one of them: it is as good as a new one.
    if path.exists():
        return _opened(vault, path, label)
    key = Ed25519PrivateKey.generate()
    vault.write(path, key.private_bytes_raw(), label)
    return key


def _opened(vault: Vault, path: Path, label: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(vault.read(path, label))
