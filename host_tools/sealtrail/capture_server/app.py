# SPDX-License-Identifier: MIT
"""The stand-in server's interface: /capture, /events/{id}, evidence by digest.

Source: GS1 EPCIS 2.0 OpenAPI (capture and event resources), RFC 9110, RFC 9530, RFC 6920.
A 202 says that the bytes are here; whether they are stored, the job says.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from sealtrail.capture_server.faults import Faults
from sealtrail.capture_server.store import CaptureStore
from sealtrail.custody.epcis import GS1_CONTEXT, timestamp

EVENTS_MAX = 500
CAPTURE_SIZE_MAX = 1 << 20
EVIDENCE_SIZE_MAX = 64 << 20
_VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
_LIMITS = {
    "GS1-EPCIS-Capture-Limit": str(EVENTS_MAX),
    "GS1-EPCIS-Capture-File-Size-Limit": str(CAPTURE_SIZE_MAX),
}
Validator = Callable[[Any], str]
Endpoint = Callable[[Request], Awaitable[Response]]


class CaptureApi:
    """Requests in, answers out. *validate* returns what is wrong with a document, or ""."""

    def __init__(
        self,
        store: CaptureStore,
        faults: Faults,
        validate: Validator,
        authorization: str | None = None,
    ) -> None:
        self._store = store
        self._faults = faults
        self._validate = validate
        self._authorization = authorization
        self._polls: dict[str, int] = {}

    def app(self) -> Starlette:
        """The ASGI application."""
        evidence = "/.well-known/ni/sha-256/{digest}"
        return Starlette(
            routes=[
                self._route("/capture", self._capture, "POST"),
                self._route("/capture", self._jobs, "GET"),
                self._route("/capture", self._options, "OPTIONS"),
                self._route("/capture/{capture_id}", self._job, "GET"),
                self._route("/capture/{capture_id}", self._options, "OPTIONS"),
                self._route("/events/{identity:path}", self._event, "GET"),
                self._route("/events/{identity:path}", self._options, "OPTIONS"),
                self._route(evidence, self._put_evidence, "PUT"),
                self._route(evidence, self._get_evidence, "GET"),
            ]
        )

    def _route(self, path: str, endpoint: Endpoint, method: str) -> Route:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            wanted = self._authorization
            if wanted is not None and not hmac.compare_digest(given.encode(), wanted.encode()):
                return problem(401, "SecurityException", "not authorised")
            return await endpoint(request)

        return Route(path, guarded, methods=[method])

    async def _options(self, request: Request) -> Response:
        is_capture = request.url.path == "/capture"
        headers = {
            **_VERSIONS,
            **_LIMITS,
            "GS1-EPCIS-Min": "2.0.0",
            "GS1-EPCIS-Max": "2.0.0",
            "GS1-CBV-Min": "2.0.0",
            "GS1-CBV-Max": "2.0.0",
            "GS1-Capture-Error-Behaviour": "rollback",
            "Allow": "OPTIONS, GET, POST" if is_capture else "OPTIONS, GET",
        }
        return Response(None, 204, headers)

    async def _capture(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await read_body(request, CAPTURE_SIZE_MAX)
        if body is None:
            return problem(413, "CaptureLimitExceededException", "too large", headers=_LIMITS)
        events, fault = self._events_of(body)
        if fault:
            return problem(400, "ValidationException", "not a valid document", fault)
        if len(events) > EVENTS_MAX:
            return problem(413, "CaptureLimitExceededException", "too many", headers=_LIMITS)
        return await self._stored(events, _behaviour(request))

    def _refusal(self, request: Request) -> Response | None:
        """What is refused by its headers alone."""
        if self._faults.strikes(self._faults.busy):
            return problem(503, "ImplementationException", "busy", headers={"Retry-After": "0"})
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind not in ("application/json", "application/ld+json"):
            return problem(415, "UnsupportedMediaTypeException", "not JSON")
        if _behaviour(request) not in ("rollback", "proceed"):
            return problem(400, "ValidationException", "unknown GS1-Capture-Error-Behaviour")
        return None

    async def _stored(self, events: list[dict[str, Any]], behaviour: str) -> Response:
        job = await run_in_threadpool(self._store.capture, events, behaviour)
        if self._faults.hang_ms:
            await asyncio.sleep(self._faults.hang_ms / 1000)
        if self._faults.strikes(self._faults.lost):
            return problem(500, "ImplementationException", "answer lost on purpose")
        return Response(None, 202, {**_VERSIONS, "Location": f"/capture/{job['captureID']}"})

    def _events_of(self, body: bytes) -> tuple[list[dict[str, Any]], str]:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as fault:
            return [], f"not JSON: {fault}"
        fault_text = self._validate(document)
        if fault_text:
            return [], fault_text
        events = document["epcisBody"]["eventList"]
        return events, ""

    async def _jobs(self, request: Request) -> Response:
        per_page = request.query_params.get("perPage", "30")
        if not (per_page.isascii() and per_page.isdigit() and int(per_page) > 0):
            return problem(400, "QueryParameterException", "perPage is not a positive number")
        return JSONResponse(self._store.jobs()[: int(per_page)], headers=_VERSIONS)

    async def _job(self, request: Request) -> Response:
        capture_id = request.path_params["capture_id"]
        job = self._store.job(capture_id)
        if job is None or self._faults.forget:
            return problem(404, "NoSuchNameException", "no such capture job")
        polls = self._polls[capture_id] = self._polls.get(capture_id, 0) + 1
        if polls <= self._faults.running:
            waiting = {k: v for k, v in job.items() if k not in ("finishedAt", "errors")}
            job = {**waiting, "running": True, "success": True, "errors": []}
        return JSONResponse(job, headers=_VERSIONS)

    async def _event(self, request: Request) -> Response:
        event = self._store.event(request.path_params["identity"], self._faults.lag_ms / 1000)
        if event is None:
            return problem(404, "NoSuchNameException", "no such event")
        results = {"queryName": "SimpleEventQuery", "resultsBody": {"eventList": [event]}}
        content = {
            "@context": [GS1_CONTEXT],
            "type": "EPCISQueryDocument",
            "schemaVersion": "2.0",
            "creationDate": event.get("recordTime", timestamp(0)),
            "epcisBody": {"queryResults": results},
        }
        return JSONResponse(content, headers=_VERSIONS)

    async def _put_evidence(self, request: Request) -> Response:
        body = await read_body(request, EVIDENCE_SIZE_MAX)
        if body is None:
            return problem(413, "CaptureLimitExceededException", "evidence too large")
        named = request.headers.get("content-digest")
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if named is not None and named != f"sha-256=:{digest}:":
            return problem(400, "ValidationException", "Content-Digest does not match the body")
        outcome = await run_in_threadpool(
            self._store.put_evidence, request.path_params["digest"], body
        )
        if outcome == "mismatch":
            return problem(400, "ValidationException", "the path is not the body's digest")
        if outcome == "exists" and request.headers.get("if-none-match") == "*":
            return problem(412, "ValidationException", "stored already")
        return Response(None, 201 if outcome == "created" else 204)

    async def _get_evidence(self, request: Request) -> Response:
        path = self._store.evidence_path(request.path_params["digest"])
        if path is None or not path.is_file():
            return problem(404, "NoSuchNameException", "no such evidence")
        return FileResponse(path, media_type="application/cbor-seq")


def _behaviour(request: Request) -> str:
    return request.headers.get("gs1-capture-error-behaviour", "rollback")


def problem(
    status: int, kind: str, title: str, detail: str = "", headers: dict[str, str] | None = None
) -> Response:
    """A problem document (RFC 9457) as EPCIS wants it."""
    content: dict[str, Any] = {"type": f"epcisException:{kind}", "title": title, "status": status}
    if detail:
        content["detail"] = detail[:500]
    return JSONResponse(
        content,
        status,
        {**_VERSIONS, **(headers or {})},
        media_type="application/problem+json",
    )


async def read_body(request: Request, size_max: int) -> bytes | None:
    """The body, None as soon as it is larger than *size_max*."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > size_max:
            return None
    return bytes(body)
