# SPDX-License-Identifier: MIT
"""GS1 keys as canonical Digital Link URIs, with their check digits verified.

Source: GS1 General Specifications section 7.9 (check digit), GS1 Digital Link URI syntax
(https://id.gs1.org/AI/VALUE...). Only the keys this project uses: GRAI (returnable
shipper), GIAI (tag), SGTIN (therapy), GLN (place and party), GDTI (shipment document).
"""

import re
from collections.abc import Callable

from sealtrail.errors import UsageError

ROOT = "https://id.gs1.org"
_SERIAL = re.compile(r"[!%-?A-Z_a-z\"]{1,20}\Z")  # GS1 character set 82
_GRAI = re.compile(r"/8003/0(\d{13})([!-z]{0,16})\Z")
_GIAI = re.compile(r"/8004/([!-z]{1,30})\Z")
_SGTIN = re.compile(r"/01/(\d{14})/21/([!-z]{1,20})\Z")
_PLACE = re.compile(r"/414/(\d{13})(?:/254/([!-z]{1,20}))?\Z")
_PARTY = re.compile(r"/417/(\d{13})\Z")
_GDTI = re.compile(r"/253/(\d{13})([!-z]{0,17})\Z")
_SSCC = re.compile(r"/00/(\d{18})\Z")
_CHECKED = (_GRAI, _SGTIN, _PLACE, _PARTY, _GDTI, _SSCC)


def check_digit(body: str) -> str:
    """The mod-10 check digit of the digits before it. Raises UsageError on other characters."""
    if not body.isascii() or not body.isdigit():
        raise UsageError(f"GS1 key {body!r}: digits only")
    total = sum(
        int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(body))
    )
    return str(-total % 10)


def has_valid_check_digit(digits: str) -> bool:
    """Whether the last digit of *digits* is the check digit of the others."""
    return len(digits) > 1 and check_digit(digits[:-1]) == digits[-1]


def _checked(digits: str, length: int, what: str) -> str:
    compact = digits.replace(" ", "")
    if len(compact) != length or not compact.isascii() or not compact.isdigit():
        raise UsageError(f"{what} {digits!r}: {length} digits expected")
    if not has_valid_check_digit(compact):
        want = check_digit(compact[:-1])
        raise UsageError(f"{what} {digits!r}: check digit is {compact[-1]}, must be {want}")
    return compact


def _serial(serial: str, length_max: int, what: str) -> str:
    if not serial or len(serial) > length_max or not _SERIAL.match(serial[:20]):
        raise UsageError(f"{what}: serial {serial!r} is not 1 to {length_max} GS1 characters")
    # The characters that a URI path can't carry as they are.
    return "".join(f"%{ord(c):02X}" if c in '"%/<>?#' else c for c in serial)


def grai(asset: str, serial: str) -> str:
    """A returnable asset: 13 digits with check digit, serial of at most 16 characters."""
    return f"{ROOT}/8003/0{_checked(asset, 13, 'GRAI')}{_serial(serial, 16, 'GRAI')}"


def giai(company_prefix: str, serial: str) -> str:
    """A single asset: GS1 company prefix and the owner's reference, 30 characters in all."""
    if not company_prefix.isdigit() or not 4 <= len(company_prefix) <= 12:
        raise UsageError(f"GIAI: company prefix {company_prefix!r} is not 4 to 12 digits")
    return f"{ROOT}/8004/{company_prefix}{_serial(serial, 30 - len(company_prefix), 'GIAI')}"


def sgtin(gtin: str, serial: str) -> str:
    """One item: 14-digit GTIN and its serial. The serial is a pseudonym, never a patient's."""
    return f"{ROOT}/01/{_checked(gtin, 14, 'GTIN')}/21/{_serial(serial, 20, 'SGTIN')}"


def place(gln: str, extension: str = "") -> str:
    """A physical place (AI 414), with the place within it (AI 254) where given."""
    base = f"{ROOT}/414/{_checked(gln, 13, 'GLN')}"
    return f"{base}/254/{_serial(extension, 20, 'GLN extension')}" if extension else base


def party(gln: str) -> str:
    """A legal or functional party (AI 417)."""
    return f"{ROOT}/417/{_checked(gln, 13, 'party GLN')}"


def document(gdti: str, serial: str) -> str:
    """A document such as a dispatch advice (AI 253)."""
    return f"{ROOT}/253/{_checked(gdti, 13, 'GDTI')}{_serial(serial, 17, 'GDTI')}"


def fault_of(uri: str) -> str:
    """What is wrong with a GS1 Digital Link URI of ours; empty when nothing is."""
    if not uri.startswith(f"{ROOT}/"):
        return f"{uri}: not under {ROOT}"
    path = uri[len(ROOT) :]
    if "?" in path or "#" in path:
        return f"{uri}: a query or fragment is lost when events are hashed"
    if _GIAI.match(path):
        return ""
    for pattern in _CHECKED:
        if found := pattern.match(path):
            digits = found.group(1)
            if has_valid_check_digit(digits):
                return ""
            return f"{uri}: check digit of {digits} must be {check_digit(digits[:-1])}"
    return f"{uri}: not a key this tool knows"


def is_party(uri: str) -> bool:
    """Whether the URI names a party (AI 417)."""
    return _matches(_PARTY.match, uri)


def is_place(uri: str) -> bool:
    """Whether the URI names a place (AI 414)."""
    return _matches(_PLACE.match, uri)


def _matches(match: Callable[[str], object], uri: str) -> bool:
    return uri.startswith(ROOT) and match(uri[len(ROOT) :]) is not None
