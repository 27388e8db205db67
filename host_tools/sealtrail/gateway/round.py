# SPDX-License-Identifier: MIT
"""One round: a visit to each tag that is due, some at a time, each bounded in time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sealtrail.errors import SealtrailError


@dataclass(frozen=True, slots=True)
class Visited:
    """How one visit ended. *problem* None: well."""

    tid: bytes
    record_count: int = 0
    size: int = 0
    problem: SealtrailError | None = None
    is_hung: bool = False

    @property
    def is_good(self) -> bool:
        """True when all of the tag's evidence is here."""
        return self.problem is None and not self.is_hung


Visit = Callable[[bytes], Awaitable[Visited]]


async def run_round(
    tids: Sequence[bytes],
    visit: Visit,
    links: int,
    visit_timeout_s: float,
    done: Callable[[Visited], None],
) -> list[Visited]:
    """Visits all of *tids*, at most *links* at once; `done` as each ends.

    What a visit stored before it failed is kept. Raises only what is a defect.
    """
    slots = asyncio.Semaphore(links)

    async def one(tid: bytes) -> Visited:
        async with slots:
            try:
                async with asyncio.timeout(visit_timeout_s):
                    ended = await visit(tid)
            except SealtrailError as problem:
                ended = Visited(tid, problem=problem)
            except TimeoutError:
                ended = Visited(tid, is_hung=True)
        done(ended)
        return ended

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(tid)) for tid in tids]
    return [task.result() for task in tasks]
