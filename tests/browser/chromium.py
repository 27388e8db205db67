# SPDX-License-Identifier: MIT
"""Headless Chromium with its real Web Bluetooth, on the org.bluez of a private bus.

Debian's Chromium, because Playwright's own builds need a download. Nothing of Bluetooth is
emulated in the browser: it talks to the facade as to bluetoothd. Only the chooser, which
has no window here, is answered over the DevTools protocol.
"""

import asyncio
import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a machine without Playwright skips these tests, and must import this
    from playwright.async_api import Browser, Page

INSTALL_COMMAND = "apt-get install -y --no-install-recommends chromium"
# navigator.bluetooth is behind a feature on Linux; containers run as root, without a sandbox.
_ARGUMENTS = ["--no-sandbox", "--enable-features=WebBluetooth"]
_CHOICE_TIMEOUT_S = 20


def why_no_chromium() -> str | None:
    """None where a browser can be started, else the reason and the command."""
    if shutil.which("chromium") is None:
        return f"Chromium is not installed; run: {INSTALL_COMMAND}"
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed; run: pip install playwright"
    return None


@asynccontextmanager
async def chromium(bus: dict[str, str]) -> AsyncIterator["Browser"]:
    """A browser on the bus that *bus* names in its environment; says its version."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            headless=True,
            args=_ARGUMENTS,
            env={**os.environ, **bus},
        )
        try:
            print(f"Chromium {browser.version}")
            yield browser
        finally:
            await browser.close()


class Chooser:
    """Answers the prompts of *page* with the first device offered.

    There is one tag on the bus, and it chooses its address anew at each id.
    """

    def __init__(self, page: "Page") -> None:
        self._page = page
        self._session: Any = None
        self._answered: set[str] = set()
        self._chosen = asyncio.Event()
        self._calls: set[asyncio.Task[Any]] = set()
        self.offered: list[str] = []

    async def start(self) -> None:
        """From here on prompts come to us. DeviceAccess is on the page's session only."""
        self._session = await self._page.context.new_cdp_session(self._page)
        self._session.on("DeviceAccess.deviceRequestPrompted", self._prompted)
        await self._session.send("DeviceAccess.enable")

    def _prompted(self, prompt: dict[str, Any]) -> None:
        self.offered = [device["id"] for device in prompt["devices"]]
        # The event comes again and again, and an id answered twice ends the browser.
        if not self.offered or prompt["id"] in self._answered:
            return
        self._answered.add(prompt["id"])
        choice = {"id": prompt["id"], "deviceId": self.offered[0]}
        call = asyncio.ensure_future(self._session.send("DeviceAccess.selectPrompt", choice))
        self._calls.add(call)
        call.add_done_callback(lambda _: self._chosen.set())

    async def choose(self, selector: str) -> None:
        """Clicks *selector*, which asks for a device, and takes the first one."""
        self._chosen.clear()
        await self._page.click(selector)
        try:
            async with asyncio.timeout(_CHOICE_TIMEOUT_S):
                await self._chosen.wait()
        except TimeoutError:
            raise AssertionError("no device was offered") from None
        await asyncio.gather(*self._calls)


@asynccontextmanager
async def page_of(
    browser: "Browser", width: int = 360, height: int = 740
) -> AsyncIterator["Page"]:
    """A page in a profile of its own; what its scripts throw fails the test at the end."""
    context = await browser.new_context(viewport={"width": width, "height": height})
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert not faults, faults
