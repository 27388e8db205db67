# SPDX-License-Identifier: MIT
"""The PDF: repeatable, archivable, with the evidence inside, readable as text."""

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.errors import UsageError
from sealtrail.report import write as report
from sealtrail.report.content import Note
from sealtrail.report.pdf import render_pdf
from sealtrail.report.pdf_style import Paper, find_fonts, unbroken_times
from tests.fakes.evidence_samples import DAY_MS, HOUR_MS, QUIET, START_MS, Step, Story, shipment
from tests.fakes.evidence_samples import steps as placed

MADE_AT_MS = START_MS + 6 * DAY_MS


@pytest.fixture(autouse=True)
def _fonts() -> None:
    try:
        find_fonts()
    except UsageError as problem:
        pytest.skip(f"{problem.message}; {problem.hint}")


@cache
def pdf_of(story: Story, simulated: bool = False) -> bytes:
    evidence = shipment(story)
    return render_pdf(report.build_model(evidence, analyse(evidence), MADE_AT_MS, simulated))


def text_of(pdf: bytes, tmp_path: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (apt-get install poppler-utils)")
    path = tmp_path / "r.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def test_the_same_input_gives_the_same_bytes() -> None:
    assert pdf_of(QUIET) == pdf_of.__wrapped__(QUIET)


def test_no_date_of_this_computer_gets_in() -> None:
    pdf = pdf_of(QUIET)
    assert set(re.findall(rb"\d{4}-\d\d-\d\dT[\d:+]+", pdf)) == {b"2026-11-22T08:00:00+00:00"}
    assert set(re.findall(rb"D:\d{14}", pdf)) == {b"D:20261122080000"}


def test_it_claims_pdf_a_3b_and_holds_the_evidence_byte_for_byte() -> None:
    pdf = pdf_of(Story())
    assert b"<pdfaid:part>3</pdfaid:part>" in pdf
    assert b"/AFRelationship /Source" in pdf
    assert shipment(Story()).raw in pdf


def test_qpdf_finds_no_fault(tmp_path: Path) -> None:
    if shutil.which("qpdf") is None:
        pytest.skip("qpdf is not installed (apt-get install qpdf)")
    path = tmp_path / "r.pdf"
    path.write_bytes(pdf_of(Story()))
    done = subprocess.run(["qpdf", "--check", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_attachment_comes_out_as_it_went_in(tmp_path: Path) -> None:
    if shutil.which("pdfdetach") is None:
        pytest.skip("pdfdetach is not installed (apt-get install poppler-utils)")
    path = tmp_path / "r.pdf"
    path.write_bytes(pdf_of(Story()))
    subprocess.run(
        ["pdfdetach", "-save", "1", "-o", tmp_path / "out", path], check=True, capture_output=True
    )
    assert (tmp_path / "out").read_bytes() == shipment(Story()).raw


def test_the_page_says_verdict_figures_custody_and_hash(tmp_path: Path) -> None:
    text = text_of(pdf_of(Story()), tmp_path)
    for words in ("Limits were broken", "−126.85 °C", "50 min", "Ines Costa", "S-88213",
                  "not above −150 °C", "page 1 of 3", shipment(Story()).sha256.hex(),
                  "Calibration", "Time, UTC, 2026", "E1, E2"):  # fmt: skip
        assert words in text, words
    assert "SIMULATED" not in text


def test_a_simulated_clock_is_said_on_top(tmp_path: Path) -> None:
    text = text_of(pdf_of(QUIET, simulated=True), tmp_path)
    assert text.strip().startswith("SIMULATED CLOCK")


def test_a_virtual_tag_is_said_on_top_and_at_the_foot_of_every_page(tmp_path: Path) -> None:
    real = shipment(QUIET)
    evidence = replace(real, certificate=replace(real.certificate, hardware="virtual"))
    pdf = render_pdf(report.build_model(evidence, analyse(evidence), MADE_AT_MS))
    pages = text_of(pdf, tmp_path).removesuffix("\f").split("\f")
    banner = "SIMULATED TAG: a demonstration. Not a record of a real shipment."
    assert pages[0].strip().startswith(banner)
    assert len(pages) > 1
    assert all("simulated" in page.strip().splitlines()[-1] for page in pages)
    assert "simulated" not in text_of(pdf_of(QUIET), tmp_path)


def test_the_decision_names_what_it_decides_on_and_never_stands_alone(tmp_path: Path) -> None:
    evidence = shipment(QUIET)
    model = report.build_model(evidence, analyse(evidence), MADE_AT_MS)
    found_on = set()
    for line_count in range(32, 47, 2):
        filler = Note("Filler", ("words",) * line_count)
        short = replace(model, tables=(), notes=(filler, model.notes[-1]))
        pages = text_of(render_pdf(short), tmp_path).split("\f")
        (page,) = (page for page in pages if "Decision of" in page)
        decision = page[page.index("Decision of") :]
        for words in ("ST-0041", "number 4", evidence.sha256.hex(), "released", "Reason",
                      "Signature", "Within limits"):  # fmt: skip
            assert words in decision, (line_count, words)
        assert "Source of this report" in page, line_count
        found_on.add(pages.index(page))
    assert found_on == {1, 2}  # the place where the page turns was among them


def test_both_charts_stay_on_the_first_page_under_a_long_list(tmp_path: Path) -> None:
    first = text_of(pdf_of(replace(Story(), findings=("odd",) * 5)), tmp_path).split("\f")[0]
    assert "Probe 0: temperature" in first and "Probe 1: temperature" in first


def test_a_time_and_its_uncertainty_are_not_torn_apart() -> None:
    assert unbroken_times("2026-11-28 06:27:21 UTC ± 1 min 16 s, a 5 s") == (
        "2026-11-28 06:27:21\u00a0UTC ±\u00a01\u00a0min\u00a016\u00a0s, a 5 s"
    )


def test_hostile_names_are_written_out_and_break_nothing(tmp_path: Path) -> None:
    hostile = Step("张伟\x00\x1b[31m", "a" * 400, "**bold** __x__ {nb}\u202e", seals=("\ud83d",))
    story = replace(QUIET, custody=placed((HOUR_MS, hostile)))
    text = text_of(pdf_of(story), tmp_path)
    assert "\\u5f20" in text and "\x1b" not in text
    assert "**bold**" in text


def test_every_kind_of_evidence_gives_a_report() -> None:
    for story in (
        replace(QUIET, with_clock=False),
        replace(QUIET, custody=(), is_ended=False),
        replace(QUIET, days=0.01),
        replace(QUIET, findings=("custody not proved 02:10-04:30",) * 80),
    ):
        assert pdf_of(story).startswith(b"%PDF-")
    bare = replace(shipment(QUIET), trips=(), readings=(), events=(), records=(), custody=())
    assert render_pdf(report.build_model(bare, analyse(bare), MADE_AT_MS)).startswith(b"%PDF-")


def test_a_missing_font_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        find_fonts((str(tmp_path),))
    assert "fonts-dejavu-core" in refusal.value.hint


def test_characters_of_the_font_stay_as_they_are() -> None:
    evidence = shipment(QUIET)
    paper = Paper(report.build_model(evidence, analyse(evidence), MADE_AT_MS), find_fonts())
    assert paper.printable("Žižkov 5 °C ± − ☐ ü") == "Žižkov 5 °C ± − ☐ ü"
    assert paper.printable("a\nb") == "a\\u000ab"
