# SPDX-License-Identifier: MIT
"""tag.led: every condition has a pattern of its own, the gravest is shown, docs say the same."""

import asyncio
from collections.abc import Iterator

import pytest

from tag import led
from tests.paths import REPO


class Stop(Exception):
    pass


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[bool, int]]]:
    """(on, for how many ms) of a LED whose task is stopped after 12 s."""
    shown: list[tuple[bool, int]] = []
    now = [0]

    async def sleep_ms(ms: int) -> None:
        shown.append((state[0], ms))
        now[0] += ms
        if now[0] >= 12_000:
            raise Stop
        await asyncio.sleep(0)

    monkeypatch.setattr(asyncio, "sleep_ms", sleep_ms, raising=False)
    yield shown


state = [False]


def set_led(on: bool) -> None:
    state[0] = on


async def shown_by(pattern: object) -> None:
    one = led.Led(set_led)
    one.show(pattern)
    with pytest.raises(Stop):
        await one.run()


@pytest.mark.parametrize(
    ("pattern", "flashes"), [(led.ALARM, 12), (led.REFUSING, 6), (led.FILLING, 2)]
)
async def test_each_pattern_flashes_as_often_as_the_docs_say(seen, pattern, flashes):
    await shown_by(pattern)
    assert [ms for on, ms in seen if on] == [60] * flashes


async def test_a_lost_key_is_always_on_and_nothing_to_say_is_off_without_waking():
    for pattern, on in ((led.STEADY, True), (led.OFF, False)):
        one = led.Led(set_led)
        one.show(pattern)
        task = asyncio.create_task(one.run())
        await asyncio.sleep(0.01)
        assert state[0] is on and not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_new_pattern_is_seen_at_once_where_none_goes_on(seen):
    one = led.Led(set_led)
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0.01)
    assert seen == []
    one.show(led.ALARM)
    with pytest.raises(Stop):
        await task
    assert seen[0] == (True, 60)


@pytest.mark.parametrize(
    ("is_so", "pattern"),
    [
        ((1, 1, 1, 1), led.ALARM),
        ((0, 1, 1, 1), led.STEADY),
        ((0, 0, 1, 1), led.REFUSING),
        ((0, 0, 0, 1), led.FILLING),
        ((0, 0, 0, 0), led.OFF),
    ],
)
def test_the_gravest_is_shown(is_so, pattern):
    assert led.pattern_of(*map(bool, is_so)) is pattern


def test_the_document_lists_the_patterns_in_their_order():
    section = (REPO / "docs/full-log.md").read_text().split("## 6. LED")[1]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert rows[1:] == [
        "one flash a second",
        "always on",
        "two flashes every five seconds",
        "one flash every eight seconds",
    ]
