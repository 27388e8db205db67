# SPDX-License-Identifier: MIT
"""The fleet key: what every certificate hangs on, and the one line that is shared.

`fleet init` makes two keys. The fleet key signs tag certificates. Its successor signs
nothing yet: tags keep only its hash, so whoever steals the fleet key cannot name the
next one (docs/access-protocol.md, K6). Keep the two sealed files in two safes:
only `fleet rotate` needs the second; the hash that new tags are told stays here.

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
from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.home import Home
from sealtrail.keys import redo
from sealtrail.keys.secrets import Vault

YEARS_DEFAULT = 10
_YEARS_MAX = 30
_NAME_SIZE_MAX = 64
_FILE_SIZE_MAX = 65_536
KEY_LABEL, NEXT_LABEL = "fleet key", "next fleet key"
NEXT_HASH_LABEL = "next fleet key hash"


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
    checked_years(years)
    with home.lock("fleet"):
        if home.fleet_pub.exists():
            raise UsageError(
                f"{home.fleet_pub}: this home has a fleet",
                "Use another --home for another fleet; `fleet show` shows this one.",
            )
        following = _load_or_make(vault, home.next_fleet_key, NEXT_LABEL)
        digest = hashlib.sha256(following.public_key().public_bytes_raw()).digest()
        vault.write(home.next_fleet_hash, digest, NEXT_HASH_LABEL)
        key = _load_or_make(vault, home.fleet_key, KEY_LABEL)
        public = key.public_key().public_bytes_raw()
        day = today(clock)
        line = FleetLine(public, day, years_later(day, years), checked)
        atomic.write_text(home.fleet_pub, line.text() + "\n", mode=0o644)
    return line


def load(home: Home, vault: Vault) -> Fleet:
    """Opens the fleet for signing; completes a rotation that was interrupted.

    Raises AccessRefused when this home has none.
    """
    require(home)
    if redo.is_open(home):
        with home.lock("fleet"):
            redo.finish(home, vault)
    return opened_line(home, vault)


def load_in_force(home: Home, vault: Vault, clock: Clock) -> Fleet:
    """`load`, for what verifiers will hold against the key's days (R6, R18)."""
    opened, day = load(home, vault), today(clock)
    if not opened.line.not_before <= day <= opened.line.not_after:
        raise AccessRefused(
            f"the fleet key may sign from {opened.line.not_before} to"
            f" {opened.line.not_after}, and today is {day}",
            "`sealtrail fleet rotate` puts its successor in force; or check the date.",
        )
    return opened


def require(home: Home) -> None:
    """Raises AccessRefused where there is no fleet; asks for nothing."""
    if not home.fleet_pub.exists() or not (home.fleet_key.exists() or redo.is_open(home)):
        raise AccessRefused(
            f"{home.root}: no fleet key here", "`sealtrail fleet init NAME` makes one."
        )


def opened_line(home: Home, vault: Vault) -> Fleet:
    """The fleet as its files are. For who holds its lock; others use `load`."""
    key = opened_key(vault, home.fleet_key, KEY_LABEL)
    following_hash = _next_key_hash(home, vault)
    public = key.public_key().public_bytes_raw()
    for line in read_lines(home.fleet_pub):
        if line.key == public:
            return Fleet(line, key, following_hash)
    raise AccessRefused(
        f"{home.fleet_pub}: does not hold the public half of {home.fleet_key.name}",
        "Restore both files from the same back-up.",
    )


def _next_key_hash(home: Home, vault: Vault) -> bytes:
    """SHA-256 of the successor's public key, which tags hold."""
    if home.next_fleet_hash.exists():
        return vault.read(home.next_fleet_hash, NEXT_HASH_LABEL)
    following = opened_key(vault, home.next_fleet_key, NEXT_LABEL)  # of an older version
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


def checked_years(years: int) -> int:
    """*years* if a fleet key may live so long. Raises UsageError."""
    if not 1 <= years <= _YEARS_MAX:
        raise UsageError(f"--years {years}: a fleet key lives 1 to {_YEARS_MAX} years")
    return years


def today(clock: Clock) -> date:
    """The day in UTC, as it stands in fleet.pub."""
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date()


def years_later(day: date, years: int) -> date:
    """The same day *years* later."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def _load_or_make(vault: Vault, path: Path, label: str) -> Ed25519PrivateKey:
    # A power cut between the two keys leaves one of them: it is as good as a new one.
    if path.exists():
        return opened_key(vault, path, label)
    key = Ed25519PrivateKey.generate()
    vault.write(path, key.private_bytes_raw(), label)
    return key


def opened_key(vault: Vault, path: Path, label: str) -> Ed25519PrivateKey:
    """The Ed25519 key sealed in *path*. Raises AccessRefused."""
    seed = vault.read(path, label)
    if len(seed) != 32:
        raise StorageError(f"{path}: holds no key", "Restore it from a back-up.")
    return Ed25519PrivateKey.from_private_bytes(seed)
