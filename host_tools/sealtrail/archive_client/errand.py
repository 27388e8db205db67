# SPDX-License-Identifier: MIT
"""What a visit does for the archive: brings what lies in the tag's pouch, and the time.

With network the tag's nonce is answered during the visit. Without, the nonce waits in the
pouch; the token comes with a later visit, within 24 h (C2: delay only widens).
"""

import asyncio
from collections.abc import Callable, Sequence

from sealtrail.archive_client.client import ArchiveClient
from sealtrail.archive_client.delivery import vouches
from sealtrail.archive_client.pouch import Pouch, PouchShelf
from sealtrail.clock import Clock
from sealtrail.errors import LinkError, SealtrailError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import SERVICE, RawStatement, read_statement
from sealtrail.home import Home
from sealtrail.radio.carry import CarryOutcome, Parcel, deliver
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.visitor import Visitor
from sealwire import protocol

_TIME_EVERY_MS = 24 * 3_600_000  # a tag whose clock is sure drifts: once a day is enough
_HTTP_WAIT_S = 5.0  # the tag's session must not hang on a bad network


class Errand:
    """For one tag and one visit. *client* None: there is no network, or no archive."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        tid: bytes,
        client: ArchiveClient | None,
        fleet: Sequence[FleetKey] = (),
    ) -> None:
        self._shelf = PouchShelf(home)
        self._clock = clock
        self._tid = tid
        self._client = client
        self._fleet = fleet
        self._pouch = self._shelf.load(tid)

    async def run(
        self, visitor: Visitor, store: EvidenceStore, detail: Callable[[str], None]
    ) -> CarryOutcome:
        """Delivers what is due; says through *detail* what did not work. Raises StorageError."""
        outcome = await self._bring(visitor, store, self._due())
        if outcome.problem:
            detail(f"not all was brought to the tag: {outcome.problem}")
            return outcome
        if self._wants_time(visitor):
            try:
                await self._bring_time(visitor, store)
            except LinkError as problem:
                detail(f"the tag did not get the time: {problem.message}")
        return outcome

    def _due(self) -> list[Parcel]:
        return [Parcel(op, raw) for op, _, raw in self._pouch.due]

    async def _bring(
        self, visitor: Visitor, store: EvidenceStore, parcels: Sequence[Parcel]
    ) -> CarryOutcome:
        outcome = await deliver(visitor, parcels)
        for one in outcome.taken:
            self._pouch = self._pouch.with_taken(one.statement)
            if one.op == protocol.TIME_TOKEN:
                self._pouch = self._pouch.with_time(self._clock.now_ms())
                self._keep_token(store, one.statement)
        if outcome.taken:
            self._shelf.save(self._tid, self._pouch)
        return outcome

    def _wants_time(self, visitor: Visitor) -> bool:
        if self._client is None or visitor.ready is None:
            return False
        is_old = self._clock.now_ms() - self._pouch.time_ms > _TIME_EVERY_MS
        return is_old or not visitor.ready.is_sure

    async def _bring_time(self, visitor: Visitor, store: EvidenceStore) -> None:
        code, nonce = await visitor.ask(protocol.TIME_NONCE)
        if code != protocol.OK or len(nonce) != protocol.NONCE_SIZE:
            return  # a tag that cannot, or a ticket that may not: nothing is lost
        # Kept before the network is asked: without an answer another visit brings it.
        self._pouch = self._pouch.with_nonce(nonce, self._clock.now_ms())
        self._shelf.save(self._tid, self._pouch)
        token = await self._asked(nonce)
        if token is not None:
            self._pouch = self._pouch.with_token(nonce, protocol.TIME_TOKEN, token)
            self._shelf.save(self._tid, self._pouch)
            await self._bring(visitor, store, [Parcel(protocol.TIME_TOKEN, token)])

    async def _asked(self, nonce: bytes) -> bytes | None:
        assert self._client is not None
        ask = asyncio.to_thread(self._client.time_token, self._tid, nonce)
        try:
            return await asyncio.wait_for(ask, _HTTP_WAIT_S)
        except (SealtrailError, TimeoutError):
            return None

    def _keep_token(self, store: EvidenceStore, token: bytes) -> None:
        """C6: the token goes into the evidence, behind what vouches for it, if it holds.

        One that does not would have the whole file refused (R18).
        """
        try:
            said = read_statement(token)
        except Refusal:
            return
        for service in _services_in(self._pouch):
            if vouches(service, said, self._fleet):
                store.add_statement(service.raw)
                store.add_statement(token)
                return


def _services_in(pouch: Pouch) -> list[RawStatement]:
    return [read_statement(raw) for _, kind, raw in pouch.statements if kind == SERVICE]
