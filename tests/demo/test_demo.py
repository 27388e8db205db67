# SPDX-License-Identifier: MIT
"""`make demo`, as its user runs it: the whole shipment, then what must be refused."""

import csv
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boards.virtual.radio.private_bus import why_no_bus
from tests.paths import REPO

DEFAULT = REPO / "boards/virtual/scenarios/ln2_five_days.csv"
HEADER = "time_s,probe_c,ambient_c,lid,shock_g,tilt_deg\n"
LID_OPENED, SHOCK, TILT, ALARM, PROBE_FAULT, RESTART = 2, 4, 5, 7, 9, 1


def run_demo(scenario: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "boards.virtual.demo", "--scenario", str(scenario)]
    return subprocess.run(
        [*command, "--out", str(out)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (reason := why_no_bus()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = run_demo(DEFAULT, folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def verdict(out: Path) -> dict:
    return json.loads((out / "summary.json").read_text())["verdict"]


def test_the_evidence_is_proved_complete(verdict: dict):
    assert (verdict["verdict"], verdict["complete"]) == ("proved", "proved")


def test_everything_the_box_met_stands_in_the_chain(verdict: dict):
    codes = [event["code"] for event in verdict["events"]]
    for code in (LID_OPENED, SHOCK, TILT, ALARM, PROBE_FAULT):
        assert code in codes
    assert codes.count(RESTART) == 2, "provisioned once, and once the power was cut"


def test_three_handovers_hold(verdict: dict):
    assert [step[1] for step in verdict["custody"]] == ["handed over"] * 3


def test_no_reading_is_missing_or_doubled(out: Path):
    """Five minutes apart within each boot; the power cut costs at most one sample."""
    with (out / "readings.csv").open() as f:
        rows = list(csv.DictReader(f))
    places = [(int(r["boot"]), int(r["up_ms"]), r["probe"]) for r in rows]
    assert len(set(places)) == len(places)
    for boot in {place[0] for place in places}:
        ups = sorted({up_ms for b, up_ms, _ in places if b == boot})
        gaps = {round((b - a) / 1000) for a, b in itertools.pairwise(ups)}
        # The first samples stand on the grid of provisioning, then on that of the trip.
        assert gaps - {300} <= {gap for gap in gaps if gap < 300}
    assert len(places) >= 2 * (5 * 288 - 1)


def test_flash_kept_to_nor_physics_and_the_cut_was_real(out: Path):
    summary = json.loads((out / "summary.json").read_text())
    assert summary["flash"]["violations"] == 0
    assert summary["simulated_clock"] is True
    assert summary["power_cut_at_s"] > 0


def test_every_file_is_there_and_nothing_private_is_in_the_papers(out: Path):
    for name in ("evidence.seal", "fleet.pub", "report.pdf", "readings.csv", "custody.jsonld"):
        assert (out / name).stat().st_size > 50
        assert b"COI-DEMO" not in (out / name).read_bytes()
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads((out / "custody.jsonld").read_text())["type"] == "EPCISDocument"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no rows"),
        ("time,probe\n0,1\n", "line 1: the header must be"),
        (HEADER + "0,-190,20,0,,0\nten,-190,20,0,,0\n", "line 3"),
        (HEADER + "0,-190,20,0,,0\n10,cold,20,0,,0\n", "line 3"),
        (HEADER + "10,-190,20,0,,0\n5,-190,20,0,,0\n", "line 3"),
        (HEADER + "0,-190,20,0,,0\n60,-190,20,0,,0\n", "needs six hours"),
        (None, "No such file"),
        ("\x89PNG\udcff", "is not text"),
    ],
    ids=["empty", "header", "time", "temperature", "order", "short", "missing", "binary"],
)
def test_a_scenario_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, content: str | None, says: str
):
    scenario = tmp_path / "scenario.csv"
    if content is not None:
        scenario.write_bytes(content.encode("utf-8", "surrogateescape"))
    done = run_demo(scenario, tmp_path / "out")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert says in done.stdout and len(done.stdout.strip().splitlines()) <= 2
    assert not (tmp_path / "out").exists()


def test_a_header_with_a_byte_order_mark_is_taken(tmp_path: Path):
    """Spreadsheets write one; to a person the header looks the same."""
    from boards.virtual.firmware_side.scenario import load_scenario

    scenario = tmp_path / "scenario.csv"
    scenario.write_text("\ufeff" + HEADER + "0,-190,20,0,,0\n60,-190,20,0,,0\n")
    assert load_scenario(str(scenario)).row_count == 2


@pytest.mark.parametrize("after_s", [0.6, 3.0])
def test_ctrl_c_is_one_line(tmp_path: Path, after_s: float):
    returncode, said = interrupted(tmp_path, after_s)
    for _ in range(4):
        if returncode != -signal.SIGINT:
            break
        # A busy machine: the interpreter had not come to our first line. Nobody can catch that.
        after_s += 0.5
        returncode, said = interrupted(tmp_path, after_s)
    assert returncode == 130 and "demo: stopped" in said
    assert "Traceback" not in said


def interrupted(tmp_path: Path, after_s: float) -> tuple[int, str]:
    """Starts the demo, stops it with Ctrl-C; its exit code and what it said."""
    command = [sys.executable, "-m", "boards.virtual.demo", "--scenario", str(DEFAULT)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    time.sleep(after_s)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    return process.returncode, said
