# SPDX-License-Identifier: MIT
"""The report's words and numbers, and that its three files say the same."""

import csv
import io
import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.analysis.wording import duration, interval_text, temperature
from sealtrail.errors import StorageError
from sealtrail.model import Completeness, Event, ProbeFault, UtcInterval, VerifiedEvidence
from sealtrail.report import write as report
from sealtrail.report.content import ReportModel
from sealtrail.report.csv_file import COLUMNS, render_csv
from sealtrail.report.event_text import event_text
from sealtrail.report.json_file import render_json
from tests.fakes.evidence_samples import (
    COI_COMMITMENT,
    DAY_MS,
    HOUR_MS,
    QUIET,
    START_MS,
    Step,
    Story,
    shipment,
    steps,
)

MADE_AT_MS = START_MS + 6 * DAY_MS
NAMELESS = "key 0b9759a0be013aeb"


@cache
def model_of(story: Story, simulated: bool = False) -> ReportModel:
    evidence = shipment(story)
    return report.build_model(evidence, analyse(evidence), MADE_AT_MS, simulated)


def with_hardware(evidence: VerifiedEvidence, hardware: str) -> VerifiedEvidence:
    return replace(evidence, certificate=replace(evidence.certificate, hardware=hardware))


def table(model: ReportModel, title: str) -> tuple[tuple[str, ...], ...]:
    return next(t.rows for t in model.tables if t.title == title)


def note(model: ReportModel, title: str) -> str:
    return " ".join(next(n.paragraphs for n in model.notes if n.title == title))


@pytest.mark.parametrize(
    ("story", "headline", "first_line"),
    [
        (QUIET, "Within limits", "Every temperature reading from start to end"),
        (Story(), "Limits were broken", "2 temperature rules were broken, on 2 occasions:"),
        (replace(QUIET, is_ended=False), "Not decided", "No reading broke a rule, but"),
    ],
)
def test_the_verdict_is_said_in_plain_words(story: Story, headline: str, first_line: str) -> None:
    model = model_of(story)
    assert model.headline == headline
    assert model.summary[0].startswith(first_line)


def test_an_excursion_does_not_hide_what_else_is_open() -> None:
    model = model_of(replace(Story(), completeness=Completeness.UNPROVED))
    assert any("Also: Not proved to be all there is" in line for line in model.summary)


def test_the_excursion_table_has_start_end_extreme_and_duration() -> None:
    assert table(model_of(Story()), "Excursions")[0] == (
        "E1",
        "Probe 0 above −150.00 °C (rule 1, 10 min unbroken)",
        "2026-11-18 14:30:00 UTC ± 3 s",
        "2026-11-18 15:20:00 UTC ± 3 s",
        "−126.85 °C",
        "50 min",
    )


def test_the_custody_table_says_who_where_when_and_what_the_verifier_thinks() -> None:
    odd = Step(None, "Ines Costa", "Ward 3", "taken without giver", (), key_known=False)
    row = table(model_of(replace(QUIET, custody=steps((HOUR_MS, odd)))), "Chain of custody")[0]
    assert row[1:] == (
        "nobody signed",
        "Ines Costa",
        "Ward 3, 2026-11-16 10:00 +01:00",
        "–",
        "taken without giver; custody key unknown",
    )


def test_roles_and_registrations_that_do_not_count_are_told_everywhere() -> None:
    evidence = shipment(QUIET)
    first = replace(
        evidence.custody[0],
        giver="Cell lab",
        giver_role="site",
        receiver=NAMELESS,
        key_known=False,
        key_note="the key of 'Ann'\nhad expired on 2026-01-01",
    )
    evidence = replace(evidence, custody=(first, first))
    model = report.build_model(evidence, analyse(evidence), MADE_AT_MS, False)
    assert table(model, "Chain of custody")[0][1:3] == ("Cell lab (site)", NAMELESS + "…")
    told = next(t.note for t in model.tables if t.title == "Chain of custody")
    assert told.count("A name does not count: the key of 'Ann' had expired on 2026-01-01.") == 1
    step = json.loads(render_json(model))["custody"][0]
    assert (step["giver_role"], step["receiver_role"]) == ("site", "")
    assert step["key_note"] == first.key_note


def test_custody_that_is_not_in_order_is_on_the_first_page() -> None:
    seals = Step("A", "B", "X", "seals differ")
    model = model_of(replace(QUIET, custody=steps((HOUR_MS, seals))))
    assert "1 handover, of which 1 not in order (seals differ)" in model.attention
    assert any("not proved" in line for line in model_of(replace(QUIET, custody=())).attention)


def test_a_key_without_a_person_is_named_alike_everywhere() -> None:
    odd = Step(NAMELESS, NAMELESS, "Ward 3", key_known=False)
    model = model_of(replace(QUIET, custody=steps((HOUR_MS, odd))))
    row = table(model, "Chain of custody")[0]
    assert row[1:3] == ("key 0b9759a0be013aeb…", "key 0b9759a0be013aeb…")
    assert row[-1] == "handed over; custody key unknown"
    assert "1 handover, of which 1 with custody key unknown" in model.attention


def test_rules_broken_at_the_same_time_are_told_apart() -> None:
    rules = ((1, 0, 0, -15_000, 0, 100), (2, 0, 2, -15_000, 600, 100), (3, 0, 4, -15_000, 1800, 9))
    model = model_of(replace(Story(), rules=rules))
    assert [row[1] for row in table(model, "Excursions")] == [
        "Probe 0 above −150.00 °C (rule 1, at once)",
        "Probe 0 above −150.00 °C (rule 2, 10 min unbroken)",
        "Probe 0 above −150.00 °C (rule 3, 30 min in total)",
    ]


@pytest.mark.parametrize(
    ("hardware", "clock", "is_simulated"),
    [
        ("virtual", False, True),
        (" Virtual board", False, True),
        ("esp32_devkitc", True, True),
        ("esp32_devkitc", False, False),
    ],
)
def test_every_file_says_when_the_tag_or_the_clock_is_simulated(
    hardware: str, clock: bool, is_simulated: bool
) -> None:
    evidence = with_hardware(shipment(QUIET), hardware)
    model = report.build_model(evidence, analyse(evidence), MADE_AT_MS, clock)
    content = json.loads(render_json(model))
    assert content["simulated"] is is_simulated
    assert content["simulated_clock"] is clock
    assert content["virtual_tag"] is ("irtual" in hardware)
    rows = list(csv.DictReader(io.StringIO(render_csv(model).decode())))
    assert {row["simulated"] for row in rows} == {str(int(is_simulated))}


def test_readings_later_than_the_report_are_pointed_out_and_others_are_not() -> None:
    evidence = shipment(QUIET)
    analysis = analyse(evidence)
    model = report.build_model(evidence, analysis, START_MS + DAY_MS)
    assert model.attention[0].startswith(
        "Readings are later than this report: the last one is of 2026-11-21 07:54 UTC, "
        "the report of 2026-11-17 08:00 UTC"
    )
    last = analysis.samples[-1].moment.utc
    assert last is not None
    for made_at_ms in (last.lo_ms, MADE_AT_MS):
        lines = report.build_model(evidence, analysis, made_at_ms).attention
        assert not any("later than this report" in line for line in lines)
    assert not any(
        "later than" in line for line in model_of(replace(QUIET, with_clock=False)).attention
    )


def test_the_commitment_to_the_chain_of_identity_is_named_by_its_first_digits() -> None:
    assert dict(model_of(QUIET).identity)["Chain of identity"] == (
        f"commitment {COI_COMMITMENT.hex()[:16]}… in the signed trip record; "
        "check the papers with `sealtrail coi check`."
    )


def test_calibration_and_the_limits_of_the_proof_are_said_honestly() -> None:
    model = model_of(QUIET)
    assert "not recorded in this version" in note(model, "Calibration and uncertainty")
    proof = note(model, "What the signature proves, and what it does not")
    assert "does not prove that the probe sat in the payload" in proof
    assert model.evidence.sha256.hex() in note(model, "Source of this report")


@pytest.mark.parametrize("completeness", Completeness)
def test_each_state_of_completeness_has_its_own_words(completeness: Completeness) -> None:
    story = replace(QUIET, completeness=completeness)
    text = note(model_of(story), "Completeness and freshness")
    assert text.startswith("Proved complete") == (completeness is Completeness.PROVED)


def test_without_a_clock_no_date_is_invented() -> None:
    model = model_of(replace(Story(), with_clock=False))
    texts = [cell for t in model.tables if t.title != "Chain of custody"
             for row in t.rows for cell in row]  # fmt: skip
    assert not any("2026" in text or "1970" in text for text in texts)
    assert "never known" in note(model, "Clock quality")


def test_the_csv_has_one_header_and_every_reading_in_the_units_it_names() -> None:
    model = model_of(Story())
    rows = list(csv.reader(io.StringIO(render_csv(model).decode("utf-8"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) - 1 == len(model.evidence.readings)
    assert rows[1][2:] == ["7", "90000", "0", "-190.00", "", "3", "1", "0"]
    faults = [row for row in rows[1:] if row[6]]
    assert {(row[5], row[6]) for row in faults} == {("", "open")}
    assert all(row[0].endswith("Z") and row[0] <= row[1] for row in rows[1:])


def test_the_json_numbers_are_those_of_the_text() -> None:
    model = model_of(Story())
    content = json.loads(render_json(model))
    excursion = content["excursions"][0]
    row = content["tables"][1]["rows"][0]
    assert temperature(excursion["extreme_c"] * 100) == row[4]
    assert duration(excursion["duration_ms"]) == row[5]
    warmest = max(
        float(r[5])
        for r in csv.reader(io.StringIO(render_csv(model).decode()))
        if r[4] == "0" and r[5]
    )
    assert content["figures"][0]["max_c"] == warmest == excursion["extreme_c"]


def test_no_file_of_the_report_holds_the_whole_commitment_to_the_chain_of_identity() -> None:
    model = model_of(Story())
    for content in (render_csv(model), render_json(model)):
        assert COI_COMMITMENT.hex().encode() not in content
        assert COI_COMMITMENT not in content


def test_three_files_are_written_and_a_missing_folder_writes_none(tmp_path: Path) -> None:
    evidence = shipment(QUIET)
    analysis = analyse(evidence)
    paths = [tmp_path / name for name in ("r.pdf", "r.csv", "r.json")]
    report.write_report(evidence, analysis, *paths, made_at_ms=MADE_AT_MS)
    assert all(path.stat().st_size > 1_000 for path in paths)
    with pytest.raises(StorageError):
        report.write_report(evidence, analysis, tmp_path / "no" / "r.pdf", made_at_ms=MADE_AT_MS)


def test_ten_thousand_readings_take_less_than_a_second_of_this_processor(tmp_path: Path) -> None:
    evidence = shipment(replace(Story(), interval_s=86))
    assert len(evidence.readings) > 9_800
    paths = [tmp_path / name for name in ("r.pdf", "r.csv", "r.json")]
    best_s = 99.0
    for _ in range(2):
        begun_s = time.process_time()
        report.write_report(evidence, analyse(evidence), *paths, made_at_ms=MADE_AT_MS)
        best_s = min(best_s, time.process_time() - begun_s)
    assert best_s < 1.0


def test_every_event_has_words_whatever_its_content() -> None:
    odd: list[object] = [None, [], [1], [0, 99, 3], ["x"] * 5, [1, 0, 5, 9, 99], {}, 7]
    for code in range(60):
        for content in odd:
            assert event_text(Event(code, 1, 0, None, content, 0))


def test_events_read_as_a_person_would_say_them() -> None:
    def text(code: int, content: object) -> str:
        return event_text(Event(code, 1, 0, None, content, 0))

    assert text(4, [9_400, 2, 3]) == "Shock of 9.4 g (axis z, 3 in a row)"
    assert text(8, [1, 0, -12_685, 3_000_000, 1]) == (
        "Alarm of rule 1 over (probe lost), extreme −126.85 °C, 50 min"
    )
    assert text(9, [0, ProbeFault.OPEN, 0]) == "Probe 0: probe open"
    assert text(5, [70]) == "Tilted 70° for longer than the limit allows"
    assert (
        text(6, [74, 1_800_000]) == "Upright again; tilted for 30 min in all, greatest angle 74°"
    )
    assert text(59, None) == "Event 59 (not known to this version)"


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [
        (None, "length not known"),
        (0, "0 s"),
        (59_499, "59 s"),
        (60_000, "1 min"),
        (90_000, "1 min 30 s"),
        (3_900_000, "1 h 05 min"),
        (86_400_000, "1 d"),
        (180_000_000, "2 d 2 h"),
    ],
)
def test_durations_in_two_units(length_ms: int | None, text: str) -> None:
    assert duration(length_ms) == text


def test_times_say_how_well_they_are_known() -> None:
    assert interval_text(None) == "time not known"
    assert interval_text(UtcInterval(0, None)) == "not before 1970-01-01 00:00:00 UTC"
    assert interval_text(UtcInterval(0, 2_000)) == "1970-01-01 00:00:01 UTC"
    assert interval_text(UtcInterval(0, 10_000)) == "1970-01-01 00:00:05 UTC ± 5 s"
    assert "since 1970" in interval_text(UtcInterval(10**18, 10**18 + 9))
