# SPDX-License-Identifier: MIT
"""Passes a phone's requests on to the archive: its paths only, bounded, nothing kept or logged."""

import contextlib
import re
from urllib.parse import urlsplit

import httpx2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

UPLOAD_SIZE_MAX = 8 << 20
_ANSWER_SIZE_MAX = 8 << 20
_TIMEOUT_S = 20.0
_PATH = re.compile(r"[a-z0-9]+(/[a-z0-9]+)*")
_TO_ARCHIVE = ("authorization", "content-type")
_TO_PAGE = ("content-type", "retry-after", "www-authenticate")
_LOCAL = ("127.0.0.1", "::1", "localhost")


class ArchiveProxy:
    """One archive at *url*, or none."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    async def answer(self, request: Request) -> Response:
        """What the archive answers; 502 where it does not."""
        path = request.path_params["path"]
        if not _PATH.fullmatch(path) or len(path) > 64 or request.url.query:
            return _error(404, "not_found", "no such request; see docs/archive.md")
        if self._url is None:
            return _error(502, "no_archive", "this page was started without --archive")
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if body is None:
            return _error(413, "too_large", f"the body may have {UPLOAD_SIZE_MAX} bytes")
        return await self._passed_on(request, f"{self._url}/v1/{path}", body)

    async def _passed_on(self, request: Request, url: str, body: bytes) -> Response:
        given = request.headers
        headers = {name: given[name] for name in _TO_ARCHIVE if name in given}
        try:
            async with contextlib.AsyncExitStack() as stack:
                client = await stack.enter_async_context(self._client())
                answer = await stack.enter_async_context(
                    client.stream(request.method, url, headers=headers, content=body)
                )
                content = bytearray()
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > _ANSWER_SIZE_MAX:
                        return _error(502, "no_archive", "the archive's answer is too long")
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return _error(502, "no_archive", "the archive cannot be reached")
        passed = {name: answer.headers[name] for name in _TO_PAGE if name in answer.headers}
        passed |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(bytes(content), answer.status_code, passed)

    def _client(self) -> httpx2.AsyncClient:
        # A proxy of the environment must not stand before a server on this same machine.
        is_local = urlsplit(self._url or "").hostname in _LOCAL
        return httpx2.AsyncClient(
            timeout=_TIMEOUT_S, follow_redirects=False, trust_env=not is_local
        )


async def _body(request: Request) -> bytes | None:
    """None: too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > UPLOAD_SIZE_MAX:
            return None
    return bytes(body)


def _error(status: int, code: str, detail: str) -> Response:
    return JSONResponse({"error": code, "detail": detail}, status, {"cache-control": "no-store"})
