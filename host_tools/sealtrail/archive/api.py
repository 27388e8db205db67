# SPDX-License-Identifier: MIT
"""The archive's HTTP interface: docs/archive.md section 1. Parses, asks the archive, answers."""

import threading
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealtrail.archive.archive import Archive, refused_json
from sealtrail.archive.clients import PHONE, QA, Client
from sealtrail.archive.web import Gate, error, octets, read_body, read_fields

UPLOAD_SIZE_MAX = 8 << 20
_UPLOADS_MAX = 4  # worked on at once: each holds up to 8 MiB and a verifier
VERSION = 1


class ArchiveApi:
    """Requests in, answers out."""

    def __init__(self, archive: Archive, origins: Sequence[str] = ()) -> None:
        self._archive = archive
        self._origins = list(origins)
        self._slots = threading.Semaphore(_UPLOADS_MAX)

    def app(self) -> Starlette:
        """The ASGI application."""
        gate = Gate(self._archive.clients)
        routes = [
            Route("/v1/alive", self._alive, methods=["GET"]),
            gate.route("/v1/me", self._me, "GET"),
            gate.route("/v1/me/key", self._set_key, "POST"),
            gate.route("/v1/evidence", self._put_evidence, "POST"),
            gate.route("/v1/tags", self._tags, "GET"),
            gate.route("/v1/tags/{tid}", self._tag, "GET"),
            gate.route("/v1/tags/{tid}/carry", self._carry, "GET"),
            gate.route("/v1/tags/{tid}/evidence", self._get_evidence, "GET"),
            gate.route("/v1/time", self._time, "POST"),
            gate.route("/v1/tickets", self._tickets, "GET"),
        ]
        return Starlette(
            routes=routes,
            middleware=[self._cors()] if self._origins else [],
            exception_handlers={404: _not_found, 405: _no_method, 500: _defect},
        )

    def _cors(self) -> Middleware:
        return Middleware(
            CORSMiddleware,
            allow_origins=self._origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            max_age=600,
        )

    async def _alive(self, request: Request) -> Response:
        return JSONResponse({"service": "sealtrail-archive", "version": VERSION})

    async def _me(self, request: Request, client: Client) -> Response:
        return JSONResponse(_client_json(client))

    async def _set_key(self, request: Request, client: Client) -> Response:
        public_key, proof = await read_fields(request, {"public_key": 32, "proof": 64})
        if client.public_key not in (None, public_key):
            return error(409, "key_is_set", "this client has a key already")
        bound = await run_in_threadpool(self._archive.enrol, client, public_key, proof)
        return JSONResponse(_client_json(bound))

    async def _put_evidence(self, request: Request, client: Client) -> Response:
        body = await read_body(request, "application/cbor-seq", UPLOAD_SIZE_MAX)
        if not self._slots.acquire(blocking=False):
            return error(503, "busy", "other uploads are worked on", {"Retry-After": "1"})
        try:
            taken, held = await run_in_threadpool(self._archive.take, body, client.name)
        finally:
            self._slots.release()
        held |= {"new": taken.new_count, "known": taken.known_count}
        if taken.refused is None:
            return JSONResponse(held)
        return JSONResponse({**held, "refused": refused_json(taken.refused)}, 422)

    async def _tags(self, request: Request, client: Client) -> Response:
        found = await run_in_threadpool(self._held_for, client)
        return JSONResponse({"tags": found})

    def _held_for(self, client: Client) -> list[dict[str, Any]]:
        own = self._own_tids(client)
        tids = [tid for tid in self._archive.holdings.tids() if own is None or tid in own]
        return [held for tid in tids if (held := self._archive.held(tid)) is not None]

    def _own_tids(self, client: Client) -> set[bytes] | None:
        """The tags a phone may ask about; None: all of them."""
        if client.role != PHONE:
            return None
        return set() if client.holder is None else self._archive.office.tids(client.holder)

    async def _tag(self, request: Request, client: Client) -> Response:
        tid = octets(request.path_params["tid"], 8, "tid")
        if not await self._may_ask(client, tid):
            return _unknown()
        held = await run_in_threadpool(self._archive.held, tid)
        return _unknown() if held is None else JSONResponse(held)

    async def _carry(self, request: Request, client: Client) -> Response:
        tid = octets(request.path_params["tid"], 8, "tid")
        if not await self._may_ask(client, tid):
            return _unknown()
        found = await run_in_threadpool(self._archive.carry, tid, client.holder)
        return _unknown() if found is None else JSONResponse(found)

    async def _may_ask(self, client: Client, tid: bytes) -> bool:
        own = await run_in_threadpool(self._own_tids, client)
        return own is None or tid in own

    async def _get_evidence(self, request: Request, client: Client) -> Response:
        if client.role != QA:
            return error(403, "not_allowed", "evidence is for QA")
        tid = octets(request.path_params["tid"], 8, "tid")
        sealed = await run_in_threadpool(self._archive.seal, tid)
        if sealed is None:
            return _unknown()
        return Response(sealed, media_type="application/cbor-seq")

    async def _time(self, request: Request, client: Client) -> Response:
        tid, nonce = await read_fields(request, {"tid": 8, "nonce": 16})
        token = await run_in_threadpool(self._archive.desk.time_token, tid, nonce)
        return JSONResponse({"statement": token.hex()})

    async def _tickets(self, request: Request, client: Client) -> Response:
        if client.holder is None:
            return JSONResponse({"tickets": []})
        found = await run_in_threadpool(self._archive.office.tickets, client.holder)
        return JSONResponse({"tickets": found}, headers={"Cache-Control": "no-store"})


def _client_json(client: Client) -> dict[str, Any]:
    return {
        "name": client.name,
        "role": client.role,
        "holder": None if client.holder is None else client.holder.hex(),
        "public_key": None if client.public_key is None else client.public_key.hex(),
    }


def _unknown() -> Response:
    return error(404, "unknown_tag", "no such tag here, or none that this client may ask about")


async def _not_found(request: Request, problem: Exception) -> Response:
    return error(404, "not_found", "no such request; see docs/archive.md")


async def _no_method(request: Request, problem: Exception) -> Response:
    return error(405, "not_found", "not by this method; see docs/archive.md")


async def _defect(request: Request, problem: Exception) -> Response:
    return error(500, "internal", f"a defect of the archive ({type(problem).__name__})")
