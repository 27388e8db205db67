# SPDX-License-Identifier: MIT
"""Speaks EPCIS 2.0 capture and the evidence store over HTTP. No state, no retry, no file.

Source: GS1 EPCIS 2.0 OpenAPI; RFC 9530 (Content-Digest), RFC 9110 (If-None-Match),
RFC 6920 (digest path). Three kinds of failure, because they mean different things:
`Unanswered` (the server may have acted), `Refused` (it did not, and says why), `NotAllowed`.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import quote, urljoin, urlsplit

import httpx2

from sealtrail.custody.auth import Auth
from sealtrail.errors import UploadError, UsageError

_TIMEOUT_S = 20.0
_ANSWER_MAX = 8 << 20
_EVENTS_DEFAULT = 500
_SIZE_DEFAULT = 1 << 20
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "GS1-EPCIS-Version": "2.0.0",
    "GS1-CBV-Version": "2.0.0",
    "GS1-Capture-Error-Behaviour": "rollback",
}
_LATER = (408, 425, 429, 500, 502, 503, 504)


class Unanswered(UploadError):
    """No usable answer: whether the server acted is not known. *wait_s*: what it asked for."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message, "Nothing is lost: run the upload again later.")
        self.wait_s = wait_s


class Refused(UploadError):
    """The server did not take it and would not take it again."""


class NotAllowed(UploadError):
    """The server does not accept who we are."""


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """What one capture may hold: events, and bytes."""

    event_count: int
    size: int


@dataclass(frozen=True, slots=True)
class Job:
    """A capture job. *problems* is the server's own account of what went wrong."""

    is_running: bool
    is_success: bool
    problems: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and the headers this module looks at."""

    status: int
    body: bytes
    headers: httpx2.Headers

    def json(self) -> object:
        """The body as JSON. Raises Unanswered when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as problem:
            raise Unanswered(f"answer {self.status} is not JSON") from problem


class CaptureClient:
    """One server. Use as a context manager. Redirects are not followed."""

    def __init__(self, server: str, auth: Auth, timeout_s: float = _TIMEOUT_S) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(f"{server}: not an http(s) address without user and password")
        self.server = server.rstrip("/")
        # A proxy must not stand between this tool and a server on this same machine.
        is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        self._http = httpx2.Client(
            headers=auth.headers(server),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=not is_local,
        )

    def __enter__(self) -> "CaptureClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def limits(self) -> CaptureLimits:
        """What the server says it takes; our own limits where it is silent."""
        answer = self._ask("OPTIONS", f"{self.server}/capture")
        return CaptureLimits(
            _number(answer, "GS1-EPCIS-Capture-Limit", _EVENTS_DEFAULT),
            _number(answer, "GS1-EPCIS-Capture-File-Size-Limit", _SIZE_DEFAULT),
        )

    def put_evidence(self, path: str, evidence: bytes) -> None:
        """Stores evidence under its digest. There already, byte for byte: done."""
        url = self.server + path
        digest = base64.b64encode(hashlib.sha256(evidence).digest()).decode("ascii")
        headers = {
            "Content-Type": "application/cbor-seq",
            "If-None-Match": "*",
            "Content-Digest": f"sha-256=:{digest}:",
        }
        answer = self._ask("PUT", url, evidence, headers)
        if answer.status == 412:
            there = self._ask("GET", url, limit=len(evidence) + 1)
            if there.status != 200 or there.body != evidence:
                raise Refused(f"{url}: the server holds other bytes under this digest")
        elif answer.status not in (200, 201, 204):
            raise _refusal("evidence", answer)

    def post(self, document: bytes) -> str:
        """Hands the document over; returns the job's address as the server gave it.

        The server then has the bytes. That it accepts them, only the finished job says.
        """
        answer = self._ask("POST", f"{self.server}/capture", document, _HEADERS)
        location = answer.headers.get("Location", "")
        if answer.status == 202 and location:
            return location
        if answer.status in (200, 201, 202):
            raise Unanswered(f"answer {answer.status} without the job's address")
        raise _refusal("document", answer)

    def job(self, location: str) -> Job | None:
        """The state of a capture job; None when the server does not know it."""
        for url in self._job_urls(location):
            answer = self._ask("GET", url, headers={"Accept": "application/json"})
            if answer.status == 200:
                return _job(answer.json())
            if answer.status not in (404, 410):
                raise _refusal("job", answer)
        return None

    def event(self, identity: str) -> dict[str, object] | None:
        """One stored event; None when the server says that it has none of this identity."""
        url = f"{self.server}/events/{quote(identity, safe='')}"
        answer = self._ask("GET", url, headers={"Accept": "application/json"})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise _refusal("event", answer)
        return _first_event(answer.json())

    def _job_urls(self, location: str) -> list[str]:
        """Where the job may be: relative to the host, or to the server's base address.

        Always on the server we were told: our credentials go nowhere else.
        """
        path = urlsplit(urljoin(f"{self.server}/capture", location)).path
        own = urlsplit(self.server)
        root = f"{own.scheme}://{own.netloc}"
        urls = [root + path]
        if own.path and not path.startswith(own.path):
            urls.append(self.server + path)
        return urls

    def _ask(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        limit: int = _ANSWER_MAX,
    ) -> Answer:
        try:
            with self._http.stream(method, url, content=content, headers=headers) as response:
                body = _bounded(response, limit)
                answer = Answer(response.status_code, body, response.headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as problem:
            # The message of the library, never the request: it holds our credentials.
            text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise Unanswered(f"{self.server}: no answer ({text[:200]})") from problem
        if answer.status in (401, 403):
            raise NotAllowed(
                f"{self.server}: access refused ({answer.status})",
                "Check the password or token; what is to be sent stays in the outbox.",
            )
        if answer.status in _LATER:
            raise Unanswered(
                f"{self.server}: answer {answer.status}{_detail(answer)}", _retry_after(answer)
            )
        return answer


def _bounded(response: httpx2.Response, limit: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > limit:
            break
    return bytes(body)


def _number(answer: Answer, header: str, default: int) -> int:
    text = answer.headers.get(header, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else default


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _refusal(what: str, answer: Answer) -> Refused:
    return Refused(f"{what} refused with {answer.status}{_detail(answer)}")


def _detail(answer: Answer) -> str:
    """Title and detail of a problem document (RFC 9457), in one line."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    parts = [content.get(key) for key in ("title", "detail")]
    text = ": ".join(part for part in parts if isinstance(part, str))
    return f": {' '.join(text.split())[:300]}" if text else ""


def _job(content: object) -> Job:
    if not isinstance(content, dict) or not isinstance(content.get("running"), bool):
        raise Unanswered("the capture job's answer is not understood")
    problems = content.get("errors") or content.get("errorFile") or ""
    text = problems if isinstance(problems, str) else json.dumps(problems, ensure_ascii=False)
    return Job(content["running"], content.get("success") is True, text[:1000])


def _first_event(content: object) -> dict[str, object] | None:
    """The event within a query document; some servers answer the bare event."""
    node = content
    for key in ("epcisBody", "queryResults", "resultsBody", "eventList"):
        if isinstance(node, dict) and key in node:
            node = node[key]
    if isinstance(node, list):
        node = node[0] if node else None
    return node if isinstance(node, dict) and "eventID" in node else None
