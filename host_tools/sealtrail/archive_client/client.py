# SPDX-License-Identifier: MIT
"""Speaks docs/archive.md section 1. No state, no retry, no file but the token's.

A failure says who is to act: LinkError (try again later), AccessRefused (token or right),
EvidenceRefused (the archive named a rule), UsageError (this program is wrong).
"""

import json
import time
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx2

from sealtrail.custody.auth import Auth
from sealtrail.errors import AccessRefused, LinkError, UsageError, one_line

TIMEOUT_S = 30.0
_ANSWER_SIZE_MAX = 80 << 20  # an evidence file, at most
_TRIES = 4  # while the archive says that it is busy
_WAIT_MAX_S = 5.0
_LOCAL = ("127.0.0.1", "::1", "localhost")
_LATER = (408, 425, 429, 500, 502, 503, 504, 507)
_KEEPS = "What came from the tag is kept here; it is sent at the next sync, or `archive push`."


class ArchiveLater(LinkError):
    """No usable answer now: no network, or the archive is busy or full."""


class ArchiveClient:
    """One archive at *url*. Use as a context manager."""

    def __init__(self, url: str, auth: Auth, timeout_s: float = TIMEOUT_S) -> None:
        self.url = checked_url(url)
        self._http = httpx2.Client(
            headers={**auth.headers(self.url), "Accept": "application/json"},
            timeout=timeout_s,
            follow_redirects=False,
            # A proxy must not stand between this tool and a server on this same machine.
            trust_env=urlsplit(self.url).hostname not in _LOCAL,
        )

    def __enter__(self) -> "ArchiveClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Idempotent."""
        self._http.close()

    def me(self) -> dict[str, Any]:
        """Who the archive takes this client for."""
        return self._json(*self._ask("GET", "/v1/me"))

    def put(self, body: bytes) -> dict[str, Any]:
        """Uploads evidence; returns *held*, with `refused` where the archive refused some.

        What it says is durable there.
        """
        headers = {"Content-Type": "application/cbor-seq"}
        status, raw = self._ask("POST", "/v1/evidence", body, headers, good=(200, 422))
        held = self._json(status, raw)
        if status == 422 and "refused" not in held:
            raise AccessRefused(
                f"{self.url}: {one_line(str(held.get('detail', 'refused')))[:200]}",
                "It is an archive of another fleet, or its fleet.pub is old.",
            )
        return held

    def held(self, tid: bytes) -> dict[str, Any] | None:
        """What the archive holds of a tag; None for one it does not know."""
        return self._found(f"/v1/tags/{tid.hex()}")

    def tags(self) -> list[dict[str, Any]]:
        """*held* of every tag that this client may ask about."""
        return _rows(self._json(*self._ask("GET", "/v1/tags")), "tags")

    def carry(self, tid: bytes) -> dict[str, Any] | None:
        """What to bring a tag; None for a tag the archive does not know."""
        return self._found(f"/v1/tags/{tid.hex()}/carry")

    def tickets(self) -> list[dict[str, Any]]:
        """This client's tickets with their keys."""
        return _rows(self._json(*self._ask("GET", "/v1/tickets")), "tickets")

    def time_token(self, tid: bytes, nonce: bytes) -> bytes:
        """Statement 16 for a tag's nonce (16 B)."""
        fields = {"tid": tid.hex(), "nonce": nonce.hex()}
        answer = self._json(*self._post("/v1/time", fields))
        return _octets(answer.get("statement"))

    def set_key(self, public_key: bytes, proof: bytes) -> dict[str, Any]:
        """Binds this client to its own key (docs/archive.md 1.5)."""
        fields = {"public_key": public_key.hex(), "proof": proof.hex()}
        return self._json(*self._post("/v1/me/key", fields))

    def evidence(self, tid: bytes) -> bytes | None:
        """`evidence.seal` of a tag; None for one the archive does not know."""
        status, raw = self._ask("GET", f"/v1/tags/{tid.hex()}/evidence", good=(200, 404))
        return raw if status == 200 else None

    def _found(self, path: str) -> dict[str, Any] | None:
        status, raw = self._ask("GET", path, good=(200, 404))
        return self._json(status, raw) if status == 200 else None

    def _post(self, path: str, fields: dict[str, str]) -> tuple[int, bytes]:
        content = json.dumps(fields).encode()
        return self._ask("POST", path, content, {"Content-Type": "application/json"})

    def _ask(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        good: tuple[int, ...] = (200,),
    ) -> tuple[int, bytes]:
        for tries_left in range(_TRIES - 1, -1, -1):
            status, body, wait_s = self._once(method, path, content, headers)
            if status in good:
                return status, body
            if wait_s is None or not tries_left:
                break
            time.sleep(wait_s)
        raise self._failure(status, body)

    def _once(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str] | None
    ) -> tuple[int, bytes, float | None]:
        """(status, body, how long to wait before asking again or None)."""
        try:
            request = self._http.stream(method, self.url + path, content=content, headers=headers)
            with request as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _ANSWER_SIZE_MAX:
                        raise ArchiveLater(f"{self.url}: the answer is too long", _KEEPS)
                after = response.headers.get("retry-after", "")
                status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as problem:
            # The library's message, never the request: it holds the token.
            text = one_line(str(problem) or type(problem).__name__)[:200]
            raise ArchiveLater(f"{self.url}: no answer ({text})", _KEEPS) from problem
        is_soon = status in (429, 503) and after.isdecimal()
        wait_s = min(_WAIT_MAX_S, float(after)) if is_soon else None
        return status, bytes(body), wait_s

    def _failure(self, status: int, body: bytes) -> Exception:
        detail = _detail_in(body)
        if status in (401, 403):
            return AccessRefused(
                f"{self.url}: {detail or 'access refused'}",
                "Check the token; have a new one made by `archive client add`.",
            )
        if status in _LATER:
            return ArchiveLater(f"{self.url}: answer {status}: {detail}", _KEEPS)
        if status == 409:
            return AccessRefused(f"{self.url}: {detail}", "The archive's owner has to act.")
        return UsageError(f"{self.url}: answer {status}: {detail}", "Is this an archive?")

    def _json(self, status: int, raw: bytes) -> dict[str, Any]:
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise ArchiveLater(f"{self.url}: the answer ({status}) is not an archive's", _KEEPS)
        return content


def checked_url(url: str) -> str:
    """*url* without a slash at its end. Raises UsageError for what is no HTTP address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError(f"{one_line(url)[:80]}: not the address of an archive", "https://HOST")
    return url.rstrip("/")


def _rows(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = content.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ArchiveLater("the archive's answer is not understood", _KEEPS)
    return rows


def _octets(text: object) -> bytes:
    try:
        return bytes.fromhex(text if isinstance(text, str) else "-")
    except ValueError:
        raise ArchiveLater("the archive's answer is not understood", _KEEPS) from None


def _detail_in(body: bytes) -> str:
    try:
        content = json.loads(body)
        return one_line(str(content["detail"]))[:200]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
