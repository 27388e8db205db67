# SPDX-License-Identifier: MIT
"""The gateway's loop: listen, visit what is due, deliver; until it is told to stop.

Nothing here is kept but in memory: evidence, pouches and outbox are on the disk before
anybody is told, so the process may be killed at any moment.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sealtrail.clock import Clock
from sealtrail.errors import LinkError, SealtrailError
from sealtrail.gateway.ear import Ear
from sealtrail.gateway.metrics import Metrics
from sealtrail.gateway.round import Visit, Visited, run_round
from sealtrail.gateway.schedule import Pace, Schedule

_TICK_S = 1.0
_GRACE_S = 4.0  # for what is under way when it is told to stop; then it is abandoned
_END_S = 4.0  # for goodbyes
_DEAF_S = 120.0  # without any advert: the scan may have died with the Bluetooth service


class Log(Protocol):
    """Where the daemon says what it does, and its clock."""

    @property
    def clock(self) -> Clock: ...

    def event(self, name: str, **fields: object) -> None:
        """One line: names and numbers, never secrets."""


@dataclass(frozen=True, slots=True)
class Limits:
    """*links* visits at once, each at most *visit_s*; one round listens *listen_s* first."""

    links: int = 2
    visit_s: float = 180.0
    listen_s: float = 8.0


class Gateway:
    """*visit* one tag; *deliver* what is due and return how many tags still wait."""

    def __init__(
        self,
        session: Log,
        serials: Mapping[bytes, str],
        ear: Ear,
        metrics: Metrics,
        visit: Visit,
        deliver: Callable[[], int],
        limits: Limits,
        pace: Pace,
    ) -> None:
        self._session = session
        self._serials = serials
        self._ear = ear
        self._metrics = metrics
        self._visit = visit
        self._deliver = deliver
        self._limits = limits
        self._schedule = Schedule(pace)
        self._stop = asyncio.Event()
        metrics.known.set(len(serials))

    async def once(self) -> list[Visited]:
        """Listens, visits every tag in range once, delivers. Raises LinkError: no radio."""
        await self._ear.start()
        try:
            await asyncio.sleep(self._limits.listen_s)
            return await self._round(self._due())
        finally:
            await self._ear.stop()

    async def serve(self) -> None:
        """Rounds until SIGTERM or SIGINT; returns, or ends the process, within 10 s of it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        work = asyncio.ensure_future(self._serve())
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((work,), timeout=_GRACE_S)
        is_done = work.done()
        work.cancel()
        await asyncio.wait((work,), timeout=_END_S)
        self._session.event("stopped", is_abandoned=not is_done)
        if is_done:
            work.result()  # a defect is said
            return
        os._exit(0)  # a thread may hang in the network; all that counts is on the disk

    async def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                if time.monotonic() - self._ear.last_heard_s > _DEAF_S:
                    await self._listen_anew()
                self._metrics.heard.set(len(self._ear.in_range()))
                due = self._due()
                if due:
                    await self._round(due)
                await self._pause()
        finally:
            await self._ear.stop()

    async def _listen_anew(self) -> None:
        await self._ear.stop()
        try:
            await self._ear.start()
        except LinkError as problem:
            self._session.event("no_radio", problem=problem.message)
            await asyncio.sleep(_TICK_S * 4)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_TICK_S):
                await self._stop.wait()
        except TimeoutError:
            pass

    def _due(self) -> list[bytes]:
        return self._schedule.due(self._ear.in_range(), time.monotonic())

    async def _round(self, due: list[bytes]) -> list[Visited]:
        started_s = time.monotonic()
        self._metrics.heard.set(len(self._ear.in_range()))
        limits = self._limits
        ended = await run_round(due, self._begin, limits.links, limits.visit_s, self._note)
        try:
            waiting = await asyncio.to_thread(self._deliver)
            self._metrics.outbox.set(waiting)
        except SealtrailError as problem:
            self._session.event("not_delivered", problem=problem.message)
        took_s = time.monotonic() - started_s
        self._metrics.round_s.set(took_s)
        good = sum(one.is_good for one in ended)
        self._session.event("round", tags=len(ended), good=good, seconds=round(took_s, 2))
        return ended

    async def _begin(self, tid: bytes) -> Visited:
        if self._stop.is_set():
            return Visited(tid, problem=LinkError("stopping"))
        return await self._visit(tid)

    def _note(self, ended: Visited) -> None:
        serial, now_s = self._serials[ended.tid], time.monotonic()
        if ended.is_good:
            self._schedule.note_good(ended.tid, now_s)
            self._metrics.visits.labels("good").inc()
            self._metrics.last_good_s.labels(serial).set(self._session.clock.now_ms() / 1000)
            self._metrics.records.inc(ended.record_count)
            self._metrics.octets.inc(ended.size)
            self._session.event("synced", tag=serial, records=ended.record_count, size=ended.size)
            return
        pause_s = self._schedule.note_failed(ended.tid, now_s, random.random())
        result = "hung" if ended.problem is None else type(ended.problem).__name__
        self._metrics.visits.labels(result).inc()
        why = "took too long" if ended.problem is None else ended.problem.message
        self._session.event("failed", tag=serial, problem=why, pause_s=round(pause_s, 1))
