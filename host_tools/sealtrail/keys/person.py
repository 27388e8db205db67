# SPDX-License-Identifier: MIT
"""Persons: the archive's word, by a service key, on whose key signs handovers (type 25).

A statement names key, name, role and term, and travels in the evidence that the key
signed. Without it a verifier shows the key's fingerprint and says "custody key unknown".
A key belongs to one name; a later statement about the same key and name replaces it.
"""

from collections.abc import Iterable

from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError, one_line
from sealtrail.evidence.statements import (
    PERSON,
    SERVICE,
    RawStatement,
    read_statement,
    service_kid,
    withdrawn_kids,
)
from sealtrail.home import Home
from sealtrail.keys import service
from sealtrail.keys.secrets import Vault
from sealtrail.keys.shelf import Shelf
from sealtrail.keys.statements import signed
from sealtrail.keys.wallet import ROLES

DAYS_DEFAULT = 366
_DAYS_MAX = 3660
_DAY_S = 86_400
_NOT_BEFORE_MARGIN_S = 300  # phones' clocks differ
_NAME_SIZE_MAX = 48


def add(
    home: Home,
    vault: Vault,
    clock: Clock,
    name: str,
    *,
    role: str,
    public_key: bytes,
    days: int = DAYS_DEFAULT,
    since_s: int | None = None,
) -> RawStatement:
    """Registers *public_key* (32 B) as *name*'s, durable on return.

    *since_s*: from when on it counts, Unix s; None: from now. Raises UsageError for a name,
    role or term that cannot be and for a key that is somebody else's, AccessRefused
    without a service key that may register persons.
    """
    _check(name, role, days)
    signer = service.load(home, vault, clock, "person")
    now_s = clock.now_ms() // 1000
    first_s = signer.certificate.number(2)
    if since_s is not None and since_s < first_s:
        raise UsageError(
            "--since lies before the term of the service certificate",
            "Verifiers believe a person from then on only.",
        )
    nbf_s = max(first_s, now_s - _NOT_BEFORE_MARGIN_S) if since_s is None else since_s
    with home.lock("fleet"):
        _refuse_another_name(home, public_key, name)
        terms = (nbf_s, now_s + days * _DAY_S)
        return _put(home, signer, public_key, ROLES[role], name, terms)


def renew_all(home: Home, vault: Vault, clock: Clock) -> int:
    """Registers everybody again under the service key in use; returns how many.

    For after a service key was withdrawn: only this home knows which of the statements
    under it were its owner's.
    """
    signer = service.load(home, vault, clock, "person")
    first_s = signer.certificate.number(2)
    with home.lock("fleet"):
        newest = {one.octets(1): one for one in Shelf(home).all(PERSON)}
        due = [one for one in newest.values() if one.kid != signer.kid]
        for one in due:
            terms = (max(first_s, one.number(4)), one.number(5))
            _put(home, signer, one.octets(1), one.number(2), str(one.fields[3]), terms)
    return len(due)


def named_in(home: Home, records: Iterable[bytes]) -> list[bytes]:
    """The statements that name who signed handovers in *records*; what certifies them first.

    A custody statement carries its signer's key, 32 bytes: nobody else's name leaves home.
    """
    shelf = Shelf(home)
    services = shelf.all(SERVICE)
    persons = [one for one in shelf.all(PERSON) if _is_vouched(one, services)]
    if not persons:
        return []
    seen: set[bytes] = set()
    for record in records:
        seen.update(one.octets(1) for one in persons if one.octets(1) in record)
    wanted = [one for one in persons if one.octets(1) in seen]
    kids = {one.kid for one in wanted}
    certificates = [one for one in services if service_kid(one) in kids]
    if wanted and services[-1] not in certificates:
        certificates.append(services[-1])  # its floor says which keys were withdrawn
    return [one.raw for one in (*certificates, *wanted)]


def _is_vouched(person: RawStatement, services: list[RawStatement]) -> bool:
    """Whether R18 will hold: one that does not would have the whole file refused."""
    if person.kid in withdrawn_kids(services):
        return False
    return any(
        service_kid(one) == person.kid and one.number(2) <= person.number(4) <= one.number(3)
        for one in services
    )


def role_name(person: RawStatement) -> str:
    """The role in a word."""
    number = person.number(2)
    return next((name for name, one in ROLES.items() if one == number), f"role {number}")


def _put(
    home: Home,
    signer: service.ServiceKey,
    public_key: bytes,
    role: int,
    name: str,
    terms: tuple[int, int],
) -> RawStatement:
    shelf = Shelf(home)
    fields: dict[int, object] = {1: public_key, 2: role, 3: name, 4: terms[0], 5: terms[1]}
    fields[6] = shelf.next_number(PERSON)
    made = signed(signer.key, PERSON, fields, signer.kid)
    shelf.put(made)
    return read_statement(made)


def _refuse_another_name(home: Home, public_key: bytes, name: str) -> None:
    for one in Shelf(home).all(PERSON):
        if one.octets(1) == public_key and one.fields[3] != name:
            raise AccessRefused(
                f"this key is registered as '{one.fields[3]}' (number {one.number(6)})",
                "One key is one person's. Have another key made.",
            )


def _check(name: str, role: str, days: int) -> None:
    if role not in ROLES:
        raise UsageError(f"no role '{role[:40]}'", f"Roles: {', '.join(ROLES)}.")
    if not name or one_line(name) != name or len(name.encode()) > _NAME_SIZE_MAX:
        raise UsageError(f"a person's name is one line of 1 to {_NAME_SIZE_MAX} bytes")
    if not 1 <= days <= _DAYS_MAX:
        raise UsageError(f"--days {days}: a registration lasts 1 to {_DAYS_MAX} days")
