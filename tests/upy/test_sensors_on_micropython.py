# SPDX-License-Identifier: MIT
"""Drivers, fake chips and the default scenario together, on the tag's interpreter."""

from pathlib import Path

import pytest

from sealwire import labels
from tests.micropython import run_upy
from tests.paths import REPO

HERE = Path(__file__).parent
VIRTUAL = REPO / "boards" / "virtual"


@pytest.fixture(scope="module")
def five_days() -> list[list[str]]:
    """The lines of the five-day run, split into words."""
    out = run_upy(
        HERE / "sensor_five_days.py",
        str(VIRTUAL / "board.json"),
        str(VIRTUAL / "scenarios/ln2_five_days.csv"),
        paths=(VIRTUAL / "firmware_side",),
    )
    return [line.split(" ", 3) for line in out.splitlines()]


def test_the_default_scenario_gives_its_five_motion_events(five_days: list[list[str]]) -> None:
    events = [(int(words[2]), words[3]) for words in five_days if words[0] == "event"]
    assert [code for code, _ in events] == [
        labels.EVENT_LID_OPEN,
        labels.EVENT_LID_CLOSED,
        labels.EVENT_SHOCK,
        labels.EVENT_TILT_START,
        labels.EVENT_TILT_END,
    ]
    assert events[1][1] == "[240000]"
    assert events[2][1] in ("[11996, 2, 1]", "[12000, 2, 1]", "[12008, 2, 1]")
    assert events[3][1] == "[70]"
    angle_deg, duration_ms = events[4][1].strip("[]").split(", ")
    assert angle_deg == "70"
    assert abs(int(duration_ms) - 1_800_000) <= 60_000


def test_the_payload_probe_reads_excursion_and_open_hour(five_days: list[list[str]]) -> None:
    (line,) = (words for words in five_days if words[0] == "counts")
    sample_count, open_count, warm_count, outside_count = map(int, " ".join(line[1:]).split())
    assert sample_count >= 7200
    assert open_count == 60
    assert 45 <= warm_count <= 60
    assert outside_count == 0


def test_the_ambient_probe_stays_between_18_and_27_degrees(five_days: list[list[str]]) -> None:
    (line,) = (words for words in five_days if words[0] == "ambient")
    assert 1800 <= int(line[1]) <= int(line[2]) <= 2700


def test_the_watches_answer_edges_under_asyncio() -> None:
    out = run_upy(HERE / "sensor_watches.py", paths=(VIRTUAL / "firmware_side",))
    assert out == "ok\n"
