# SPDX-License-Identifier: MIT
"""The service key: signs persons, receipts, time tokens and orders; the fleet certifies it.

A certificate (type 19) has a number that only rises, a term, and a floor: tags and
verifiers drop keys whose newest number lies below the highest floor they know. So a
stolen service key is withdrawn by the next certificate; the fleet key stays in its safe.

The key lies sealed in service/KID.key; the newest certificate names the one in use, and
appears last: a power cut between them leaves the old key in use.
"""

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.evidence.statements import SERVICE, RawStatement, read_statement, service_kid
from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.secrets import Vault
from sealtrail.keys.shelf import Shelf
from sealtrail.keys.statements import signed

USAGES = {"time": 1, "receipt": 2, "order": 4, "person": 8}
USAGE_ALL = 15
DAYS_DEFAULT = 366
_DAYS_MAX = 3660
_DAY_S = 86_400
_NOT_BEFORE_MARGIN_S = 300  # clocks differ


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """The key in use with its certificate, opened for signing."""

    key: Ed25519PrivateKey
    certificate: RawStatement

    @property
    def kid(self) -> bytes:
        """What stands in the header of everything it signs."""
        return service_kid(self.certificate)


def newest(home: Home) -> RawStatement | None:
    """The service certificate in use, None where there is none."""
    found = Shelf(home).all(SERVICE)
    return found[-1] if found else None


def certify(
    home: Home, vault: Vault, clock: Clock, *, days: int = DAYS_DEFAULT, usage: int = USAGE_ALL
) -> RawStatement:
    """Certifies the service key for another term; makes it where there is none."""
    _check_terms(days, usage)
    opened = fleet.load_in_force(home, vault, clock)
    with home.lock("fleet"):
        last = newest(home)
        public = _new_key(home, vault) if last is None else last.octets(1)
        floor = 1 if last is None else last.number(6)
        nbf_s = _begin_s(opened, clock.now_ms() // 1000 - _NOT_BEFORE_MARGIN_S)
        exp_s = clock.now_ms() // 1000 + days * _DAY_S
        return _issue(home, opened, public, (nbf_s, exp_s, usage), floor)


def rotate(
    home: Home, vault: Vault, clock: Clock, *, days: int = DAYS_DEFAULT, withdraw: bool = False
) -> RawStatement:
    """Makes another service key and certifies it; the old one is erased here.

    With *withdraw* (it was stolen) the floor rises: what the old keys signed names nobody
    any more. The new term then begins with that of the old key, so that its owner can
    register the same persons for the same time again.
    """
    _check_terms(days, USAGE_ALL)
    opened = fleet.load_in_force(home, vault, clock)
    with home.lock("fleet"):
        last = newest(home)
        if last is None:
            raise UsageError("this home has no service key", "`sealtrail service cert` makes it.")
        since_s = clock.now_ms() // 1000 - _NOT_BEFORE_MARGIN_S
        if withdraw:
            since_s = min(one.number(2) for one in Shelf(home).all(SERVICE))
        exp_s = clock.now_ms() // 1000 + days * _DAY_S
        terms = (_begin_s(opened, since_s), exp_s, last.number(4))
        public = _new_key(home, vault)
        floor = Shelf(home).next_number(SERVICE) if withdraw else last.number(6)
        made = _issue(home, opened, public, terms, floor)
        _erase_all_but(home, service_kid(made))
    return made


def recertified(
    home: Home, key: Ed25519PrivateKey, not_before: datetime, now_s: int
) -> bytes | None:
    """The certificate in use under another fleet key, for `fleet rotate` to store.

    None without a service key, or when its term is over.
    """
    last = newest(home)
    if last is None or last.number(3) <= now_s:
        return None
    nbf_s = max(int(not_before.timestamp()), now_s - _NOT_BEFORE_MARGIN_S)
    return _made(
        key,
        last.octets(1),
        (nbf_s, last.number(3), last.number(4)),
        Shelf(home).next_number(SERVICE),
        last.number(6),
    )


def load(home: Home, vault: Vault, clock: Clock, usage: str) -> ServiceKey:
    """Opens the service key for one usage. Raises AccessRefused, saying what is missing."""
    last = newest(home)
    if last is None:
        raise AccessRefused(
            f"{home.root}: no service key here", "`sealtrail service cert` makes and certifies it."
        )
    now_s = clock.now_ms() // 1000
    if not last.number(2) <= now_s <= last.number(3):
        raise AccessRefused(
            f"service certificate {last.number(5)} is not in force now",
            "`sealtrail service cert` gives it another term.",
        )
    if not last.number(4) & USAGES[usage]:
        raise AccessRefused(
            f"service certificate {last.number(5)} does not allow: {usage}",
            f"`sealtrail service cert --usage {usage}`.",
        )
    kid = service_kid(last)
    seed = vault.read(home.service_key(kid), _label(kid))
    return ServiceKey(Ed25519PrivateKey.from_private_bytes(seed), last)


def _new_key(home: Home, vault: Vault) -> bytes:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    kid = hashlib.sha256(public).digest()[:8]
    vault.write(home.service_key(kid), key.private_bytes_raw(), _label(kid))
    # A cut here leaves a sealed key that no certificate names: nothing uses it.
    return public


def _issue(
    home: Home, opened: fleet.Fleet, public: bytes, terms: tuple[int, int, int], floor: int
) -> RawStatement:
    shelf = Shelf(home)
    made = _made(opened.key, public, terms, shelf.next_number(SERVICE), floor)
    shelf.put(made)
    return read_statement(made)


def _made(
    key: Ed25519PrivateKey, public: bytes, terms: tuple[int, int, int], number: int, floor: int
) -> bytes:
    nbf_s, exp_s, usage = terms
    fields: dict[int, object] = {1: public, 2: nbf_s, 3: exp_s, 4: usage, 5: number, 6: floor}
    return signed(key, SERVICE, fields)


def _begin_s(opened: fleet.Fleet, wanted_s: int) -> int:
    """*wanted_s*, but not before the fleet key's first day: R18 would refuse it."""
    first = datetime.combine(opened.line.not_before, datetime.min.time(), UTC)
    return max(int(first.timestamp()), wanted_s)


def _erase_all_but(home: Home, kid: bytes) -> None:
    """Removes older service keys. A key that stays after a cut goes with the next rotation."""
    kept = home.service_key(kid)
    for path in kept.parent.glob("*.key"):
        if path != kept:
            with contextlib.suppress(OSError):
                Path(path).unlink()


def _check_terms(days: int, usage: int) -> None:
    if not 1 <= days <= _DAYS_MAX:
        raise UsageError(f"--days {days}: a service certificate lives 1 to {_DAYS_MAX} days")
    if not 0 < usage <= USAGE_ALL:
        raise UsageError("a service key is for something", f"--usage: {', '.join(USAGES)}.")


def usage_of(words: str) -> int:
    """The usage bits of "time,receipt,...". Raises UsageError."""
    bits = 0
    for word in filter(None, words.replace(",", " ").split()):
        if word not in USAGES:
            raise UsageError(f"no usage '{word[:40]}'", f"Usages: {', '.join(USAGES)}.")
        bits |= USAGES[word]
    return bits


def _label(kid: bytes) -> str:
    return f"service key {kid.hex()}"
