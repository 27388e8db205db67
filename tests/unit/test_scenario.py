# SPDX-License-Identifier: MIT
"""Scenario files: what they say at an instant, and the one line that refuses a bad one."""

import sys
from pathlib import Path

import pytest

from boards.virtual.firmware_side.scenario import Environment, ScenarioError, load_scenario
from tests.paths import REPO

HEADER = "time_s,probe_c,ambient_c,lid,shock_g,tilt_deg\n"


class Clock:
    """Virtual time one sets."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms


class Tock:
    """A chip that remembers its ticks."""

    def __init__(self) -> None:
        self.ticks: list[int] = []

    def tick(self, now_ms: int) -> None:
        self.ticks.append(now_ms)


def _environment(tmp_path: Path, rows: str) -> tuple[Environment, Clock]:
    path = tmp_path / "scenario.csv"
    path.write_text(HEADER + rows)
    clock = Clock(5_000_000)
    return Environment(str(path), clock, 5_000_000), clock


def test_temperatures_are_interpolated_and_the_rest_holds(tmp_path: Path) -> None:
    environment, clock = _environment(
        tmp_path, "0,-190,20,0,,0\n50,,,1,,\n100,-180,22,,,70\n200,,,0,,\n"
    )
    clock.at_ms += 50_000
    now = environment.now()
    assert now.probe_centi_c == [-18_500, 2_100]
    assert now.lid_open
    assert now.accel_mg == (0, 0, 1000)
    clock.at_ms += 950_000
    now = environment.now()
    assert now.probe_centi_c == [-18_000, 2_200]
    assert not now.lid_open
    assert now.accel_mg == (940, 0, 342)
    assert now.battery_mv == 4_100


def test_a_fault_lasts_until_the_next_number_and_is_not_interpolated(tmp_path: Path) -> None:
    environment, clock = _environment(tmp_path, "0,-190,short,,,\n100,open,,,,\n200,-150,,,,\n")
    for at_s, probe, fault in ((99, -19_000, ""), (100, 0, "open"), (199, 0, "open")):
        clock.at_ms = 5_000_000 + at_s * 1000
        assert environment.now().probe_centi_c[0] == probe
        assert environment.now().probe_fault == [fault, "short"]
    clock.at_ms = 5_200_000
    assert environment.now().probe_centi_c[0] == -15_000


def test_changes_of_lid_shock_and_tilt_come_one_after_the_other(tmp_path: Path) -> None:
    environment, clock = _environment(
        tmp_path, "0,-190,20,,,\n10,-189,,,,\n20,,,1,,\n30,,,,12,\n40,-188,,,,70\n50,-190,,,,\n"
    )
    chip = Tock()
    environment.chips.append(chip)
    seen = []
    while (change_ms := environment.next_change_ms()) is not None:
        clock.at_ms = change_ms
        seen.append((change_ms - 5_000_000) // 1000)
        environment.tick(change_ms)
        assert len(seen) < 10
    assert seen == [20, 30, 40]
    assert chip.ticks == [5_020_000, 5_030_000, 5_040_000]
    assert environment.shocks(5_000_000, 5_030_000) == [(5_030_000, 12_000)]
    assert environment.shocks(5_030_000, 5_090_000) == []


def test_iso_times_count_from_the_first_row(tmp_path: Path) -> None:
    environment, _ = _environment(
        tmp_path, "2028-02-28T23:59:00Z,-190,20,,,\n2028-03-01T00:01:00Z,,,1,,\n"
    )
    # 2028 is a leap year: a day and two minutes.
    assert environment.next_change_ms() == 5_000_000 + (86_400 + 120) * 1000


def test_a_tag_that_was_off_does_not_feel_what_happened_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "scenario.csv"
    path.write_text(HEADER + "0,-190,20,,,\n10,,,,12,\n20,,,1,,\n")
    environment = Environment(str(path), Clock(15_000), 0)
    assert environment.next_change_ms() == 20_000


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("0,cold,20,0,,\n", "line 2: probe_c 'cold' is not a number"),
        ("0,-300,20,0,,\n", "line 2: probe_c -300 is not within -273.15..500"),
        ("0,nan,20,0,,\n", "line 2: probe_c nan is not within"),
        ("0,-190,20,2,,\n", "line 2: lid 2 is not within 0..1"),
        ("0,-190,20,0,17,\n", "line 2: shock_g 17 is not within 0..16"),
        ("0,-190,20,0,,200\n", "line 2: tilt_deg 200 is not within 0..180"),
        ("0,-190,20,0,\n", "line 2: 5 fields instead of 6"),
        ("0,,,,,\n0,,,,,\n", "line 3: time_s 0 is not after the row before"),
        ("10,,,,,\n5,,,,,\n", "line 3: time_s 5 is not after the row before"),
        ("-1,,,,,\n", "line 2: time_s -1 is not within"),
        ("2028-02-30T25:00:00Z,,,,,\n", "line 2: time_s '2028-02-30T25:00:00Z' is no date"),
        ("2027-02-29T12:00:00Z,,,,,\n", "line 2: time_s '2027-02-29T12:00:00Z' is no date"),
        ("yesTerday,,,,,\n", "line 2: time_s 'yesTerday' is neither"),
        ("", "no rows"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_reason(
    tmp_path: Path, rows: str, complaint: str
) -> None:
    path = tmp_path / "scenario.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(str(path))
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_checked_in_scenario_is_what_its_generator_writes() -> None:
    sys.path.insert(0, str(REPO / "tools"))
    import generate_scenario

    path = REPO / "boards/virtual/scenarios/ln2_five_days.csv"
    assert path.read_text() == generate_scenario.scenario_text()
    assert load_scenario(str(path)).duration_ms == 5 * 86_400_000


def test_a_wrong_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario.csv"
    path.write_text("time,temp\n0,1\n")
    with pytest.raises(ScenarioError, match="line 1: the header must be time_s,probe_c"):
        load_scenario(str(path))
