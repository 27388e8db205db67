# SPDX-License-Identifier: MIT
"""The link that sets a phone up: token and client name in the fragment, which no server sees."""

import io
from urllib.parse import urlencode, urlsplit

import segno

from sealtrail.errors import UsageError, one_line

_PHONE = "phone"
_LOCAL = ("127.0.0.1", "::1", "localhost")


def checked_page(page: str, role: str) -> str:
    """The page's address without a slash at its end. Raises UsageError.

    A browser gives Web Bluetooth to https and to this same machine only; and the token must
    not go in clear.
    """
    if role != _PHONE:
        raise UsageError("--page goes with --role phone")
    try:
        parts = urlsplit(page)
        is_address = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        is_address = False
    if not is_address or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise UsageError(f"{one_line(page)[:80]}: not the address of a page", "https://HOST:PORT")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise UsageError(
            f"{one_line(page)[:80]}: a browser opens Bluetooth to https only",
            "Serve the page with `sealtrail phone --cert --key`.",
        )
    return page.rstrip("/")


def enrolment_link(page: str, client: str, token: str) -> str:
    """The link for one client of the archive behind *page* (docs/phone.md, 3)."""
    return f"{page}/#{urlencode({'enrol': token, 'client': client, 'archive': '/v1'})}"


def qr_lines(link: str) -> str:
    """The link as a QR code for a terminal: dark on light, half blocks."""
    drawn = io.StringIO()
    segno.make(link, error="m", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue().rstrip("\n")
