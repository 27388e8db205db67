# SPDX-License-Identifier: MIT
"""A radio on a bus of its own, a tag on it, and Chromium on the same bus.

`radio`     paced as a common phone (15 ms, 6 packets an event)
`start_tag` starts the firmware's session and GATT service over records in memory
`browser`   Chromium; skipped where it or Playwright is missing
`address`   of the page's modules and this folder's pages
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from boards.virtual import aioble_source
from boards.virtual.radio.private_bus import why_no_bus
from boards.virtual.radio.runner import RadioProcess
from tests.ble.conftest import DEFAULT_MAC, BareTag
from tests.browser.chromium import chromium, why_no_chromium
from tests.browser.site import site
from tests.paths import REPO

_SCRIPT = REPO / "tests" / "upy" / "access_ble_tag.py"

StartTag = Callable[..., BareTag]


@pytest.fixture
def radio(tmp_path) -> Iterator[RadioProcess]:
    reason = why_no_chromium() or why_no_bus()
    if reason:
        pytest.skip(reason)
    with RadioProcess(log_path=tmp_path / "radio.log") as running:
        yield running


@pytest.fixture
def start_tag(radio: RadioProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartTag]:
    """`start_tag(records)`: each gets all of its power taken at the end of the test."""
    with ExitStack() as stack:

        def start(records: int) -> BareTag:
            monkeypatch.setenv("ST_RECORDS", str(records))
            tag = BareTag(radio, _SCRIPT, DEFAULT_MAC, aioble_source.find()[0])
            stack.callback(tag.end)
            return tag

        yield start


@pytest.fixture
async def browser(radio: RadioProcess) -> AsyncIterator[object]:
    async with chromium(radio.environment) as started:
        yield started


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with site() as running:
        yield running
