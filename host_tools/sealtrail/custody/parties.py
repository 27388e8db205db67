# SPDX-License-Identifier: MIT
"""Who and what a custody document speaks of, in GS1 keys, read from a small TOML file.

    rules_base = "https://rules.example.com/profiles"    # where profiles are published
    evidence_base = "https://evidence.example.com"       # where evidence is stored
    company_prefix = "9520001"                           # of the tags' GIAI
    [shipper]  grai = "9520001000423"  serial = "SHP000731"
    [therapy]  gtin = "09520001123450" serial = "T-7F3K2Q"     # pseudonym, no patient
    [sender]   gln = "..."  place = "DOCK2"
    [carrier]  gln = "..."
    [receiver] gln = "..."  place = "RX1"
    [shipment] gdti = "..." serial = "..."               # optional
    [[person]] name = "..." gln = "..."                  # whose party a signed name is
    [[place]]  text = "..." gln = "..." place = "..."    # which place a signed text is

Without a file, GS1's demonstration prefix 952 stands in for all of it and `is_demo` is set.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sealtrail.custody import gs1
from sealtrail.errors import UsageError

_SIZE_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class CustodyProfile:
    """All identifiers, as checked GS1 URIs."""

    rules_base: str
    evidence_base: str
    company_prefix: str
    shipper: str
    therapy: str
    sender: str
    sender_place: str
    sender_site: str
    carrier: str
    receiver: str
    receiver_place: str
    receiver_site: str
    shipment: str | None
    persons: Mapping[str, str]
    places: Mapping[str, str]
    is_demo: bool = False


_DEMO: dict[str, object] = {
    "rules_base": "https://rules.example.com/profiles",
    "evidence_base": "https://evidence.example.com",
    "company_prefix": "9520001",
    "shipper": {"grai": "9520001000423", "serial": "SHP000731"},
    "therapy": {"gtin": "09520001123450", "serial": "T-7F3K2Q"},
    "sender": {"gln": "9520001100017", "place": "DOCK2"},
    "carrier": {"gln": "9520001200021"},
    "receiver": {"gln": "9520001300035", "place": "RX1"},
}


def load_profile(path: Path | str | None) -> CustodyProfile:
    """Reads a custody profile (TOML, or JSON by its ending); None gives the demonstration one.

    Raises UsageError, naming file and field, for anything missing, unknown or with a wrong
    check digit.
    """
    if path is None:
        return _profile(_DEMO, "demonstration profile", is_demo=True)
    return _profile(_read(Path(path)), str(path), is_demo=False)


def _read(path: Path) -> dict[str, object]:
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path}: not readable: {problem.strerror}") from problem
    if len(raw) > _SIZE_MAX:
        raise UsageError(f"{path}: larger than a custody profile can be")
    try:
        text = raw.decode("utf-8")
        parsed = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as problem:  # UnicodeDecodeError, TOMLDecodeError, JSONDecodeError
        raise UsageError(f"{path}: {problem}") from problem
    if not isinstance(parsed, dict):
        raise UsageError(f"{path}: not a table")
    return parsed


class _Table:
    """One table of the file; every field is asked for by name, and none may be left over."""

    def __init__(self, content: object, where: str) -> None:
        if not isinstance(content, dict):
            raise UsageError(f"{where}: missing or not a table")
        self._content = dict(content)
        self._where = where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._content.pop(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise UsageError(f"{self._where}: {key} is missing or not text")
        return value

    def table(self, key: str) -> "_Table":
        return _Table(self._content.pop(key, None), f"{self._where}: [{key}]")

    def has(self, key: str) -> bool:
        return key in self._content

    def rows(self, key: str) -> list["_Table"]:
        rows = self._content.pop(key, [])
        if not isinstance(rows, list):
            raise UsageError(f"{self._where}: [[{key}]] is not a list of tables")
        return [_Table(row, f"{self._where}: [[{key}]] {n + 1}") for n, row in enumerate(rows)]

    def close(self) -> None:
        if self._content:
            raise UsageError(f"{self._where}: unknown field {sorted(self._content)[0]!r}")


def _profile(content: dict[str, object], where: str, is_demo: bool) -> CustodyProfile:
    top = _Table(content, where)
    shipper, therapy = top.table("shipper"), top.table("therapy")
    sender, carrier, receiver = top.table("sender"), top.table("carrier"), top.table("receiver")
    sender_gln, receiver_gln = sender.text("gln"), receiver.text("gln")
    company_prefix = top.text("company_prefix")
    gs1.giai(company_prefix, "X")
    profile = CustodyProfile(
        rules_base=_base(top, "rules_base", where),
        evidence_base=_base(top, "evidence_base", where),
        company_prefix=company_prefix,
        shipper=gs1.grai(shipper.text("grai"), shipper.text("serial")),
        therapy=gs1.sgtin(therapy.text("gtin"), therapy.text("serial")),
        sender=gs1.party(sender_gln),
        sender_place=gs1.place(sender_gln, sender.text("place", "")),
        sender_site=gs1.place(sender_gln),
        carrier=gs1.party(carrier.text("gln")),
        receiver=gs1.party(receiver_gln),
        receiver_place=gs1.place(receiver_gln, receiver.text("place", "")),
        receiver_site=gs1.place(receiver_gln),
        shipment=_shipment(top),
        persons=_persons(top),
        places=_places(top),
        is_demo=is_demo,
    )
    for table in (shipper, therapy, sender, carrier, receiver, top):
        table.close()
    return profile


def _base(top: _Table, key: str, where: str) -> str:
    value = top.text(key).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"{where}: {key} must be a plain http(s) address")
    return value


def _shipment(top: _Table) -> str | None:
    if not top.has("shipment"):
        return None
    table = top.table("shipment")
    uri = gs1.document(table.text("gdti"), table.text("serial"))
    table.close()
    return uri


def _persons(top: _Table) -> dict[str, str]:
    found = {}
    for row in top.rows("person"):
        found[row.text("name")] = gs1.party(row.text("gln"))
        row.close()
    return found


def _places(top: _Table) -> dict[str, str]:
    found = {}
    for row in top.rows("place"):
        found[row.text("text")] = gs1.place(row.text("gln"), row.text("place", ""))
        row.close()
    return found
