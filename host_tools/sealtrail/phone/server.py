# SPDX-License-Identifier: MIT
"""Serves the courier's page and passes /v1/... on to the archive: the page has one origin.

The server keeps no secret: a phone's token stands in the phone's requests and is passed on
unread and unlogged. What may be served is read once, from the package's own folder.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealtrail.archive.server import Address, check, run_app
from sealtrail.archive_client.client import checked_url
from sealtrail.phone.proxy import ArchiveProxy

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    f"{what} {whom}"
    for what, whom in (
        ("default-src", "'none'"),
        ("script-src", "'self'"),
        ("style-src", "'self'"),
        ("img-src", "'self'"),
        ("connect-src", "'self'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
        ("frame-ancestors", "'none'"),
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_FLEET_SIZE_MAX = 16_384


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    tag: str


class PhonePage:
    """The page for phones. *archive_url* None: there is no archive; the page says so.

    *fleet_pub*: the keys that certify the archive's; read anew at each request.
    """

    def __init__(self, archive_url: str | None, fleet_pub: Path) -> None:
        self._files = dict(_read_static())
        self._fleet_pub = fleet_pub
        self._proxy = ArchiveProxy(None if archive_url is None else checked_url(archive_url))

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/{path:path}", self._proxy.answer, methods=["GET", "POST"]),
                Route("/fleet.pub", self._fleet, methods=["GET"]),
                Route("/{name:path}", self._static, methods=["GET"]),
            ],
            exception_handlers={404: _not_found, 405: _not_found, 500: _defect},
        )

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        file = self._files.get(name)
        if file is None:
            return await _not_found(request, None)
        # "no-cache" asks every time: a page of yesterday must not meet a tag of today.
        headers = {**HEADERS, "ETag": file.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media_type)

    async def _fleet(self, request: Request) -> Response:
        try:
            with self._fleet_pub.open("rb") as file:
                content = file.read(_FLEET_SIZE_MAX)
        except OSError:
            return await _not_found(request, None)
        headers = {**HEADERS, "Cache-Control": "no-store"}
        return Response(content, headers=headers, media_type="text/plain; charset=utf-8")


def serve(page: PhonePage, address: Address, ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; `ready(url)` once connections are taken.

    Raises UsageError for an address or certificate that cannot be used.
    """
    check(address)
    run_app(page.app(), address, ready)


def _read_static() -> list[tuple[str, _File]]:
    found = []
    for path in sorted(_STATIC.iterdir()):
        if re.fullmatch(r"[a-z0-9_]+\.(html|css|js|svg)", path.name):
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found.append((path.name, _File(content, _TYPES[path.suffix], tag)))
    return found


async def _not_found(request: Request, problem: Exception | None) -> Response:
    return JSONResponse({"error": "not_found", "detail": "there is no such page"}, 404, HEADERS)


async def _defect(request: Request, problem: Exception) -> Response:
    detail = f"a defect of this server ({type(problem).__name__})"
    return JSONResponse({"error": "internal", "detail": detail}, 500, HEADERS)
