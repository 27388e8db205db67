# SPDX-License-Identifier: MIT
"""Lays the report out as PDF/A-3B, with the evidence attached byte for byte.

First page: verdict, identity, chart. Then tables, then prose, then room for a signature.
The same model gives the same bytes: all dates in the file come from the model.
"""

from collections.abc import Sequence

from sealtrail.analysis.results import Verdict
from sealtrail.report.chart import Chart, charts
from sealtrail.report.content import Note, ReportModel, Table
from sealtrail.report.pdf_chart import ChartDrawing
from sealtrail.report.pdf_meta import attach_evidence, write_metadata
from sealtrail.report.pdf_style import (
    BAND,
    BLUE,
    BODY_PT,
    GREY,
    INK,
    MARGIN_MM,
    PANEL_GREY,
    RULE,
    SMALL_PT,
    VERMILLION,
    WARM,
    WIDTH_MM,
    Paper,
    find_fonts,
)

_MAIN_CHART_MM = 60.0
_MAIN_CHART_MIN_MM = 38.0
_MAIN_CHART_MAX_MM = 90.0
_DECISION_MM = 62.5
_SIDE_CHART_MM = 24.0
_SIDE_CHART_MIN_MM = 17.0
_LOOKS = {
    Verdict.WITHIN_LIMITS: (BLUE, BAND),
    Verdict.EXCURSION: (VERMILLION, WARM),
    Verdict.UNDECIDED: (INK, PANEL_GREY),
}


def render_pdf(model: ReportModel) -> bytes:
    """The report as a PDF file. Raises UsageError when the font is not installed."""
    paper = Paper(model, find_fonts())
    _title(paper, model)
    _verdict(paper, model)
    _identity(paper, model)
    _charts(paper, model)
    for table in model.tables:
        _table(paper, table)
    for note in model.notes[:-1]:
        _note(paper, note)
    for note in model.notes[-1:]:
        # The decision never stands alone: the source of the report moves along with it.
        if paper.will_page_break(_note_mm(paper, note) + _DECISION_MM):
            paper.add_page()
        _note(paper, note)
    _signature(paper, model)
    write_metadata(paper, model)
    attach_evidence(paper, model)
    return bytes(paper.output())


def _title(paper: Paper, model: ReportModel) -> None:
    if model.is_simulated:
        what = "TAG" if model.is_tag_virtual else "CLOCK"
        paper.set_fill_color(*INK)
        paper.ink(10, bold=True, colour=(255, 255, 255))
        text = f"SIMULATED {what}: a demonstration. Not a record of a real shipment."
        paper.cell(0, 8, text, align="C", fill=True, new_x="LMARGIN", new_y="NEXT")
        paper.ln(2)
    paper.ink(15, bold=True)
    paper.multi_cell(0, 7, paper.printable(model.title), new_x="LMARGIN", new_y="NEXT")
    paper.ink(SMALL_PT, colour=GREY)
    paper.cell(0, 4, f"Made {model.made_at} by sealtrail", new_x="LMARGIN", new_y="NEXT")
    paper.ln(2)


def _verdict(paper: Paper, model: ReportModel) -> None:
    colour, tint = _LOOKS[model.verdict]
    lines = [paper.printable(line) for line in model.summary]
    left, width = MARGIN_MM + 24.0, WIDTH_MM - 28.0
    paper.ink(9.5)
    text_mm = sum(_height_mm(paper, line, width) for line in lines)
    top, height = paper.get_y(), max(22.0, 13.5 + text_mm + 3.0)
    paper.set_fill_color(*tint)
    paper.rect(MARGIN_MM, top, WIDTH_MM, height, "F")
    paper.set_fill_color(*colour)
    paper.rect(MARGIN_MM, top, 2.0, height, "F")
    _icon(paper, model.verdict, MARGIN_MM + 12.5, top + 11.0)
    paper.set_xy(left, top + 3.0)
    paper.ink(19, bold=True, colour=colour)
    paper.cell(0, 9, model.headline)
    paper.set_xy(left, top + 13.5)
    paper.ink(9.5)
    for line in lines:
        paper.set_x(left)
        paper.multi_cell(width, 4.6, line, align="L", new_x="LMARGIN", new_y="NEXT")
    paper.set_y(top + height + 2.0)
    _attention(paper, model)


def _height_mm(paper: Paper, text: str, width: float, line_mm: float = 4.6) -> float:
    taken = paper.multi_cell(width, line_mm, text, align="L", dry_run=True, output="HEIGHT")
    return float(taken) if isinstance(taken, int | float) else line_mm


def _attention(paper: Paper, model: ReportModel) -> None:
    if not model.attention:
        return
    paper.ink(9.5, bold=True)
    paper.cell(0, 5.5, "Also noted", new_x="LMARGIN", new_y="NEXT")
    for line in model.attention:
        paper.ink(9)
        paper.multi_cell(
            0, 4.4, paper.printable(f"• {line}"), align="L", new_x="LMARGIN", new_y="NEXT"
        )
    paper.ln(1)


def _icon(paper: Paper, verdict: Verdict, x: float, y: float) -> None:
    """A disc with a tick, an octagon with a cross, or a triangle with a question mark."""
    colour, _ = _LOOKS[verdict]
    paper.set_fill_color(*colour)
    paper.set_draw_color(255, 255, 255)
    paper.set_line_width(1.5)
    if verdict is Verdict.WITHIN_LIMITS:
        paper.circle(x, y, 7.5, style="F")
        paper.polyline([(x - 3.6, y + 0.2), (x - 0.9, y + 3.0), (x + 3.9, y - 3.2)])
    elif verdict is Verdict.EXCURSION:
        a, b = 7.5, 3.1
        corners = [(-b, -a), (b, -a), (a, -b), (a, b), (b, a), (-b, a), (-a, b), (-a, -b)]
        paper.polygon([(x + dx, y + dy) for dx, dy in corners], style="F")
        paper.line(x - 3.0, y - 3.0, x + 3.0, y + 3.0)
        paper.line(x - 3.0, y + 3.0, x + 3.0, y - 3.0)
    else:
        paper.polygon([(x, y - 7.5), (x + 8.2, y + 6.5), (x - 8.2, y + 6.5)], style="F")
        paper.ink(17, bold=True, colour=(255, 255, 255))
        paper.text(x - paper.get_string_width("?") / 2, y + 5.2, "?")


def _identity(paper: Paper, model: ReportModel) -> None:
    _labelled(paper, model.identity)
    paper.ln(1)


def _labelled(paper: Paper, rows: Sequence[tuple[str, str]]) -> None:
    for label, value in rows:
        paper.ink(8, bold=True)
        paper.cell(30, 4.3, paper.printable(label))
        paper.ink(8)
        paper.multi_cell(0, 4.3, paper.printable(value), align="L", new_x="LMARGIN", new_y="NEXT")


def _charts(paper: Paper, model: ReportModel) -> None:
    wanted = charts(model.analysis)
    main_mm, side_mm = _chart_heights_mm(paper, wanted)
    for index, chart in enumerate(wanted):
        height_mm = side_mm if index else main_mm
        drawing = ChartDrawing(paper, chart, height_mm)
        if paper.will_page_break(drawing.total_height_mm()):
            paper.add_page()
            drawing = ChartDrawing(paper, chart, height_mm)
        drawing.draw()


def _chart_heights_mm(paper: Paper, wanted: Sequence[Chart]) -> tuple[float, float]:
    """Heights of the main chart and of the others, so that this page is filled well.

    They are lower when that brings one chart more onto this page. When none more fits, the
    main chart takes the room that would stay empty.
    """
    room_mm = float(paper.page_break_trigger - paper.get_y()) - 0.5
    frames_mm = [ChartDrawing(paper, chart, 0.0).total_height_mm() for chart in wanted]
    for count in range(len(wanted), 1, -1):
        left_mm = room_mm - sum(frames_mm[:count])
        main_mm = min(_MAIN_CHART_MM, left_mm - (count - 1) * _SIDE_CHART_MM)
        if main_mm >= _MAIN_CHART_MIN_MM:
            return main_mm, _SIDE_CHART_MM
        side_mm = (left_mm - _MAIN_CHART_MIN_MM) / (count - 1)
        if side_mm >= _SIDE_CHART_MIN_MM:
            return _MAIN_CHART_MIN_MM, side_mm
    left_mm = room_mm - sum(frames_mm[:1])
    if not wanted or left_mm < _MAIN_CHART_MIN_MM:
        return _MAIN_CHART_MM, _SIDE_CHART_MM  # it begins the next page
    ceiling_mm = _MAIN_CHART_MM if len(wanted) == 1 else _MAIN_CHART_MAX_MM
    return min(left_mm, ceiling_mm), _SIDE_CHART_MM


def _table(paper: Paper, table: Table) -> None:
    paper.heading(table.title)
    if not table.rows:
        paper.paragraph(table.empty)
        return
    paper.ink(SMALL_PT + 0.5)
    paper.set_draw_color(*RULE)
    paper.set_line_width(0.15)
    # Cells take the fill that is set now, which may be that of an icon or a shade.
    paper.set_fill_color(255, 255, 255)
    with paper.table(
        col_widths=table.widths,
        width=WIDTH_MM,
        line_height=3.7,
        padding=(0.9, 1.6, 0.9, 0.8),
        text_align="LEFT",
        borders_layout="HORIZONTAL_LINES",
        headings_style=_heading_style(),
        repeat_headings=1,
    ) as drawn:
        for texts in (table.columns, *table.rows):
            row = drawn.row()
            for text in texts:
                row.cell(paper.cell_text(text))
    if table.note:
        paper.ln(1)
        paper.ink(SMALL_PT, colour=GREY)
        note = paper.printable(table.note)
        paper.multi_cell(0, 3.4, note, align="L", new_x="LMARGIN", new_y="NEXT")


def _heading_style() -> object:
    from fpdf.fonts import FontFace  # noqa: PLC0415 - only here

    return FontFace(emphasis="BOLD", color=INK, fill_color=PANEL_GREY)


def _note(paper: Paper, note: Note) -> None:
    paper.heading(note.title)
    for text in note.paragraphs:
        paper.paragraph(text)


def _note_mm(paper: Paper, note: Note) -> float:
    paper.ink(BODY_PT)
    texts = [paper.printable(text) for text in note.paragraphs]
    return 9.0 + sum(_height_mm(paper, text, WIDTH_MM, BODY_PT * 0.46) + 0.8 for text in texts)


def _signature(paper: Paper, model: ReportModel) -> None:
    """Lines for a decision by hand, and what it is about: the page may end up by itself.

    This file itself carries no electronic signature.
    """
    paper.heading("Decision of the responsible person", room_mm=_DECISION_MM)
    trip = model.analysis.trip
    about = [
        ("Tag", model.evidence.certificate.subject),
        ("Trip", f"number {trip.number}" if trip else "none; all readings"),
        ("Verdict", model.headline + (" (simulated)" if model.is_simulated else "")),
        ("Evidence", f"SHA-256 {model.evidence.sha256.hex()}"),
    ]
    _labelled(paper, about)
    paper.ln(1.5)
    paper.ink(BODY_PT)
    paper.cell(0, 6, "☐ released     ☐ quarantined     ☐ rejected", new_x="LMARGIN", new_y="NEXT")
    paper.set_draw_color(*INK)
    paper.set_line_width(0.2)
    for labels in (("Reason",), ("Name", "Date, time and zone", "Signature")):
        top = paper.get_y() + 10.0
        width = (WIDTH_MM - 6.0 * (len(labels) - 1)) / len(labels)
        for index, label in enumerate(labels):
            left = MARGIN_MM + index * (width + 6.0)
            paper.line(left, top, left + width, top)
            paper.ink(SMALL_PT, colour=GREY)
            paper.text(left, top + 3.2, label)
        paper.set_y(top + 4.0)
