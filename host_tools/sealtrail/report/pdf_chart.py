# SPDX-License-Identifier: MIT
"""Draws a `Chart` with native vectors: readable in grey, exact at any zoom."""

from sealtrail.report.chart import Chart, Lane, Span
from sealtrail.report.pdf_style import (
    BAND,
    BLUE,
    EXCURSION,
    GREY,
    INK,
    MARGIN_MM,
    RULE,
    VERMILLION,
    Paper,
)

_LEFT_MM = 17.0
_LANE_MM = 4.2
_HATCH_MM = 1.6


class ChartDrawing:
    """One chart at the paper's present height; `draw` moves the paper below it."""

    def __init__(self, paper: Paper, chart: Chart, height_mm: float) -> None:
        self.paper, self.chart = paper, chart
        self.left = MARGIN_MM + _LEFT_MM
        self.width = paper.epw - _LEFT_MM
        self.top = paper.get_y() + 8.0
        self.height = height_mm

    def draw(self) -> None:
        """Draws everything, back to front."""
        self._title()
        self._bands()
        self._excursion_shades()
        self._gap_hatches()
        self._grid()
        self._limits()
        self._lines()
        self._frame()
        bottom = self._lane_rows(self.top + self.height)
        self._time_labels(bottom)
        self.paper.set_y(bottom + 12.0)

    def total_height_mm(self) -> float:
        """What `draw` needs of the page."""
        return 8.0 + self.height + len(self.chart.lanes) * _LANE_MM + 13.0

    def _x(self, at: float) -> float:
        low, high = self.chart.x_range
        place = self.left + (at - low) / (high - low) * self.width
        return min(max(place, self.left), self.left + self.width)

    def _y(self, temp_c: float) -> float:
        low, high = self.chart.y_range
        return self.top + (high - temp_c) / (high - low) * self.height

    def _title(self) -> None:
        paper = self.paper
        paper.ink(8.5, bold=True)
        paper.text(MARGIN_MM, self.top - 4.2, self.chart.title)
        legend = [("allowed range", BAND)] if self.chart.limits else []
        if self.chart.excursions:
            legend.append(("excursion", EXCURSION))
        paper.ink(6.5, colour=GREY)
        place = self.left + self.width
        if self.chart.gaps:
            place -= paper.get_string_width("no valid reading")
            paper.text(place, self.top - 4.2, "no valid reading")
            place -= 6.0
            self._hatch(place, self.top - 6.4, 5.0, 2.6)
            place -= 4.0
        for name, colour in reversed(legend):
            place -= paper.get_string_width(name)
            paper.text(place, self.top - 4.2, name)
            place -= 6.0
            paper.set_fill_color(*colour)
            paper.set_draw_color(*RULE)
            paper.set_line_width(0.1)
            paper.rect(place, self.top - 6.4, 5.0, 2.6, "DF")
            place -= 4.0

    def _bands(self) -> None:
        """Fills what the limits allow."""
        limits = self.chart.limits
        if not limits:
            return
        low, high = self.chart.y_range
        upper = min((limit.temp_c for limit in limits if limit.is_upper), default=high)
        lower = max((limit.temp_c for limit in limits if not limit.is_upper), default=low)
        if upper > lower:
            self.paper.set_fill_color(*BAND)
            top, bottom = self._y(upper), self._y(lower)
            self.paper.rect(self.left, top, self.width, bottom - top, "F")

    def _excursion_shades(self) -> None:
        paper = self.paper
        for start, end, label in self.chart.excursions:
            left, right = self._wide_enough((start, end))
            paper.set_fill_color(*EXCURSION)
            paper.rect(left, self.top, right - left, self.height, "F")
            # The edges carry the meaning in a grey copy, the label says which one it is.
            paper.set_draw_color(*VERMILLION)
            paper.set_line_width(0.2)
            paper.rect(left, self.top, right - left, self.height, "D")
            paper.ink(7, bold=True, colour=VERMILLION)
            place = (left + right - paper.get_string_width(label)) / 2
            paper.text(self._fitted(place, label), self.top - 0.9, label)

    def _fitted(self, place: float, label: str) -> float:
        last = self.left + self.width - self.paper.get_string_width(label)
        return min(max(place, self.left), last)

    def _wide_enough(self, span: Span, least_mm: float = 0.8) -> Span:
        left, right = self._x(span[0]), self._x(span[1])
        missing = max(0.0, least_mm - (right - left)) / 2
        return left - missing, right + missing

    def _gap_hatches(self) -> None:
        for span in self.chart.gaps:
            left, right = self._wide_enough(span)
            self.paper.set_fill_color(255, 255, 255)
            self.paper.rect(left, self.top, right - left, self.height, "F")
            self._hatch(left, self.top, right - left, self.height)

    def _hatch(self, left: float, top: float, width: float, height: float) -> None:
        """Lines at 45 degrees, cut at the box: works in grey and needs no clipping."""
        paper = self.paper
        paper.set_draw_color(*GREY)
        paper.set_line_width(0.12)
        shift = _HATCH_MM
        while shift < width + height:
            below = max(0.0, shift - height)
            beside = max(0.0, shift - width)
            start = (left + below, top + shift - below)
            end = (left + shift - beside, top + beside)
            paper.line(*start, *end)
            shift += _HATCH_MM
        paper.rect(left, top, width, height, "D")

    def _grid(self) -> None:
        paper = self.paper
        paper.set_line_width(0.08)
        for tick in self.chart.y_ticks:
            paper.set_draw_color(*RULE)
            height = self._y(tick.at)
            paper.line(self.left, height, self.left + self.width, height)
            paper.ink(7)
            paper.text(
                self.left - 1.8 - paper.get_string_width(tick.label), height + 0.9, tick.label
            )
        for tick in self.chart.x_ticks:
            if tick.below:
                place = self._x(tick.at)
                paper.line(place, self.top, place, self.top + self.height)

    def _limits(self) -> None:
        paper = self.paper
        for limit in self.chart.limits:
            height = self._y(limit.temp_c)
            paper.set_draw_color(*VERMILLION)
            paper.set_line_width(0.35)
            paper.set_dash_pattern(dash=2.2, gap=1.2)
            paper.line(self.left, height, self.left + self.width, height)
            paper.set_dash_pattern()
            paper.ink(6.8, bold=True, colour=VERMILLION)
            # On the forbidden side where there is room, else on the other.
            is_above = (
                limit.is_upper
                if 4.0 < height - self.top < self.height - 4.0
                else (height - self.top > 4.0)
            )
            paper.text(self.left + 1.2, height + (-0.9 if is_above else 2.9), limit.label)

    def _lines(self) -> None:
        paper = self.paper
        paper.set_draw_color(*BLUE)
        paper.set_line_width(0.28)
        for line in self.chart.lines:
            points = [(round(self._x(at), 3), round(self._y(temp), 3)) for at, temp in line]
            if len(points) == 1:
                # A single reading between two gaps is a dot, not nothing.
                points.append((points[0][0] + 0.2, points[0][1]))
            paper.polyline(points)

    def _frame(self) -> None:
        self.paper.set_draw_color(*INK)
        self.paper.set_line_width(0.2)
        self.paper.rect(self.left, self.top, self.width, self.height, "D")

    def _lane_rows(self, top: float) -> float:
        """One row per kind of mark; returns where they end."""
        for lane in self.chart.lanes:
            self._lane_row(lane, top)
            top += _LANE_MM
        return top

    def _lane_row(self, lane: Lane, top: float) -> None:
        paper = self.paper
        paper.ink(6.5, colour=INK if lane.marks else GREY)
        paper.text(self.left - 1.8 - paper.get_string_width(lane.name), top + 3.0, lane.name)
        paper.set_draw_color(*RULE)
        paper.set_line_width(0.08)
        paper.line(self.left, top + _LANE_MM, self.left + self.width, top + _LANE_MM)
        paper.set_fill_color(*INK)
        for start, end in lane.marks:
            middle = top + _LANE_MM / 2 + 0.1
            if self._x(end) - self._x(start) >= 1.2:
                paper.rect(self._x(start), middle - 0.9, self._x(end) - self._x(start), 1.8, "F")
            else:
                place = self._x((start + end) / 2)
                paper.polygon(
                    [(place, middle - 1.3), (place + 1.1, middle), (place, middle + 1.3),
                     (place - 1.1, middle)], style="F",
                )  # fmt: skip

    def _time_labels(self, bottom: float) -> None:
        paper = self.paper
        paper.set_draw_color(*INK)
        paper.set_line_width(0.2)
        for tick in self.chart.x_ticks:
            place = self._x(tick.at)
            paper.line(place, bottom, place, bottom + 1.2)
            paper.ink(6.8)
            width = paper.get_string_width(tick.label)
            paper.text(self._fitted(place - width / 2, tick.label), bottom + 4.0, tick.label)
            if tick.below:
                paper.ink(6.8, bold=True)
                width = paper.get_string_width(tick.below)
                paper.text(self._fitted(place - width / 2, tick.below), bottom + 7.2, tick.below)
        paper.ink(6.8, colour=GREY)
        title = self.chart.x_title
        paper.text(self.left + self.width - paper.get_string_width(title), bottom + 10.2, title)
