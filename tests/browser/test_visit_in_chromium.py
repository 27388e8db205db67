# SPDX-License-Identifier: MIT
"""The page's core in Chromium, over its real Web Bluetooth, against the tag's firmware."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from sealwire import access
from tests.ble.test_sync_over_ble import expected_chain
from tests.browser.chromium import Chooser, page_of
from tests.browser.conftest import StartTag
from tests.fakes.access_parts import NOW_S
from tests.fakes.fake_link import ticket_for

RECORD_COUNT = 300
NONCE = bytes(range(16))
NOTE = {"place": "dock 4", "utcS": NOW_S, "zoneMin": 60, "seals": ["S-1"], "condition": 0}
_SYNCS_MAX = 20


@dataclass
class Visit:
    """The test page with a tag chosen and a ticket for it."""

    page: Any

    async def call(self, name: str, argument: object = None) -> Any:
        """What `visit.NAME(argument)` of the page gives."""
        return await self.page.evaluate("([name, a]) => visit[name](a)", [name, argument])

    async def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate("visit.seen")
        return found

    async def held(self) -> list[bytes]:
        """The records in the page's store, by seq; none of them came twice."""
        found = await self.call("held")
        assert found["doubledCount"] == 0
        return [bytes.fromhex(one) for one in found["records"]]


def ticket_words(public_key: bytes) -> dict[str, object]:
    """A ticket for the holder of *public_key*, as the page takes it."""
    holder = SimpleNamespace(holder=access.holder_of(public_key), key=None)
    ticket = ticket_for(holder)  # type: ignore[arg-type]
    return {
        "tid": ticket.tid.hex(),
        "certificate": ticket.certificate.hex(),
        "ticket": ticket.ticket.hex(),
        "ticketKey": ticket.ticket_key.hex(),
        "visitKeys": [key.hex() for key in ticket.visit_keys],
    }


Begin = Callable[[], Awaitable[Visit]]


@pytest.fixture
async def begin(browser, address: str) -> AsyncIterator[Begin]:
    """`begin()`: chooses the tag on the air on a page of its own."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        async with page_of(browser) as page:
            await page.goto(f"{address}/visit.html")
            await page.wait_for_function("window.visit !== undefined")
            yield page

    async with opened() as page:

        async def start() -> Visit:
            chooser = Chooser(page)
            await chooser.start()
            await chooser.choose("#choose")
            await page.wait_for_function("visit.seen.name || visit.seen.fault", timeout=20_000)
            visit = Visit(page)
            assert (await visit.seen())["fault"] == ""
            public_key = bytes.fromhex(await visit.call("enrol"))
            await visit.call("takeTicket", ticket_words(public_key))
            return visit

        yield start


async def test_a_browser_brings_every_record_and_has_the_head_signed(
    start_tag: StartTag, begin: Begin
) -> None:
    start_tag(RECORD_COUNT)
    visit = await begin()
    started_s = time.monotonic()
    done = await visit.call("sync")
    took_s = time.monotonic() - started_s
    assert done["fault"] == "", done
    assert await visit.held() == expected_chain()
    print(f"{done['size'] / took_s / 1000:.1f} kB/s with connecting and handshake")
    signed = bytes.fromhex(await visit.call("attest", NONCE.hex()))
    assert NONCE in signed
    offer = await visit.call("offer", NOTE)
    assert await visit.call("pending") == offer
    await visit.call("close")
