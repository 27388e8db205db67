# SPDX-License-Identifier: MIT
"""What every request of the archive goes through: token, rate, size, and errors as JSON."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealtrail.archive.clients import Client, Clients
from sealtrail.archive.limits import RateLimit
from sealtrail.archive.sequence import BadCertificate, BadRequest
from sealtrail.archive.service_desk import ClockNotStated
from sealtrail.errors import AccessRefused, SealtrailError, StorageError, UsageError

JSON_SIZE_MAX = 4096
_TOKEN_SIZE_MAX = 128
Endpoint = Callable[[Request, Client], Awaitable[Response]]


class TooLarge(SealtrailError):
    """A body beyond what the request may have."""


class WrongType(BadRequest):
    """A body of another media type."""


# The first class that fits decides: (error class, status, code).
_ERRORS: tuple[tuple[type[SealtrailError], int, str], ...] = (
    (WrongType, 415, "wrong_type"),
    (TooLarge, 413, "too_large"),
    (BadRequest, 400, "bad_request"),
    (BadCertificate, 422, "bad_certificate"),
    (ClockNotStated, 409, "clock_not_stated"),
    (StorageError, 507, "storage"),
    (AccessRefused, 409, "no_service_key"),
    (UsageError, 400, "bad_request"),
)


class Gate:
    """Lets known clients in, as often as they may."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._rate = RateLimit(burst=60, per_s=20)
        self._failures = RateLimit(burst=10, per_s=10 / 60)

    def route(self, path: str, endpoint: Endpoint, method: str) -> Route:
        """A route whose *endpoint* gets the client that asks."""

        async def guarded(request: Request) -> Response:
            try:
                client = await self._client(request)
                return client if isinstance(client, Response) else await endpoint(request, client)
            except SealtrailError as problem:
                return _named(problem)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it

        return Route(path, guarded, methods=[method])

    async def _client(self, request: Request) -> Client | Response:
        address = request.client.host if request.client else "?"
        if self._failures.is_spent(address):
            return error(429, "too_many", "too many bad tokens", {"Retry-After": "6"})
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return _unauthorised("no_token", "Authorization: Bearer TOKEN is missing")
        known = None
        if len(token) <= _TOKEN_SIZE_MAX:
            known = await run_in_threadpool(self._clients.by_token, token)
        if known is None:
            self._failures.wait_s(address)
            return _unauthorised("bad_token", "unknown or revoked token")
        wait_s = self._rate.wait_s(known.name)
        if wait_s:
            return error(429, "too_many", "too many requests", {"Retry-After": str(wait_s)})
        return known


def _unauthorised(code: str, detail: str) -> Response:
    return error(401, code, detail, {"WWW-Authenticate": "Bearer"})


def _named(problem: SealtrailError) -> Response:
    for kind, status, code in _ERRORS:
        if isinstance(problem, kind):
            # What the owner's disk or keys lack is his to read, in the log.
            detail = problem.message if status < 500 else "the archive cannot store this now"
            return error(status, code, detail)
    return error(400, "bad_request", problem.message)


def error(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """The error object of docs/archive.md 1.6."""
    return JSONResponse({"error": code, "detail": detail[:500]}, status, headers)


async def read_body(request: Request, kind: str, size_max: int) -> bytes:
    """The body if it is of media type *kind*. Raises BadRequest, TooLarge."""
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given != kind:
        raise WrongType(f"the body must be {kind}")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > size_max:
        raise TooLarge(f"the body may have {size_max} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > size_max:
            raise TooLarge(f"the body may have {size_max} bytes")
    return bytes(body)


async def read_fields(request: Request, sizes: dict[str, int]) -> list[bytes]:
    """The byte strings of a JSON object that has exactly the fields *sizes* (in bytes)."""
    raw = await read_body(request, "application/json", JSON_SIZE_MAX)
    try:
        fields: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    if not isinstance(fields, dict) or set(fields) != set(sizes):
        raise BadRequest(f"the body must have the fields {', '.join(sizes)} and no others")
    return [octets(fields[name], size, name) for name, size in sizes.items()]


def octets(text: object, size: int, name: str) -> bytes:
    """*size* bytes from lower-case hex. Raises BadRequest."""
    if isinstance(text, str) and len(text) == 2 * size and set(text) <= set("0123456789abcdef"):
        return bytes.fromhex(text)
    raise BadRequest(f"{name}: {size} bytes in lower-case hex")
