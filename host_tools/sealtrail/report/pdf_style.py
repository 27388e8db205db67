# SPDX-License-Identifier: MIT
"""Paper of the report: font, colours, footer, and text that the font can show.

Colours are from the Okabe-Ito set, told apart by colour-blind readers, and differ in
brightness so that a grey copy says the same. No meaning rests on colour alone.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF

from sealtrail.analysis.wording import short_hex
from sealtrail.errors import UsageError
from sealtrail.report.content import ReportModel

# fpdf2 is typed loosely; these are the sizes used throughout, in mm and points.
MARGIN_MM = 15.0
WIDTH_MM = 180.0
BODY_PT = 8.5
SMALL_PT = 7.0
FAMILY = "report"

INK = (25, 25, 25)
GREY = (110, 110, 110)
RULE = (190, 190, 190)
BLUE = (0, 82, 140)
VERMILLION = (184, 66, 0)
BAND = (226, 238, 246)
WARM = (251, 226, 208)
EXCURSION = (240, 178, 138)
PANEL_GREY = (236, 236, 236)

FONT_FOLDERS = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu-sans-fonts",
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/TTF",
    "/usr/local/share/fonts/dejavu",
    "/opt/homebrew/share/fonts",
    "/Library/Fonts",
)
# "08:00:05 UTC" and "± 1 min 16 s".
_TIME_PARTS = re.compile(r"\d\d:\d\d(:\d\d)? UTC|±( \d+ (d|h|min|s)\b)+")
_REGULAR, _BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"


def find_fonts(folders: Sequence[str] = FONT_FOLDERS) -> tuple[Path, Path]:
    """The regular and the bold font. Raises UsageError that names the package to install."""
    for folder in folders:
        regular, bold = Path(folder) / _REGULAR, Path(folder) / _BOLD
        if regular.is_file() and bold.is_file():
            return regular, bold
    raise UsageError(
        f"the PDF report needs the fonts {_REGULAR} and {_BOLD}",
        "Install the package fonts-dejavu-core (Debian, Ubuntu) or dejavu-sans-fonts (Fedora).",
    )


def unbroken_times(text: str) -> str:
    """*text* with spaces that break no line within a clock time or an uncertainty."""
    return _TIME_PARTS.sub(lambda found: found[0].replace(" ", "\u00a0"), text)


def _characters(font: object) -> set[int]:
    return set(getattr(font, "cmap", {}))


class Paper(FPDF):
    """An A4 document in PDF/A-3B with the report's font and footer."""

    def __init__(self, model: ReportModel, fonts: tuple[Path, Path]) -> None:
        super().__init__(enforce_compliance="PDF/A-3B")
        self._footer_text = ""
        self.add_font(FAMILY, "", fonts[0])
        self.add_font(FAMILY, "B", fonts[1])
        self._known = _characters(self.fonts[FAMILY]) & _characters(self.fonts[f"{FAMILY}B"])
        mark = "simulated · " if model.is_simulated else ""
        digest = short_hex(model.evidence.sha256.hex())
        self._footer_text = self.printable(
            f"{mark}{model.title} · made {model.made_at} · evidence {digest}"
        )
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.c_margin = 0.0
        self.set_auto_page_break(True, 18)
        self.add_page()

    def footer(self) -> None:
        """Which document this page belongs to, on every page."""
        self.set_y(-12)
        self.set_font(FAMILY, "", 6.5)
        self.set_text_color(*GREY)
        self.cell(150, 4, self._footer_text)
        self.cell(0, 4, f"page {self.page_no()} of {{nb}}", align="R")

    def printable(self, text: str) -> str:
        """*text* with every character the font lacks written as its code."""
        return "".join(
            char if ord(char) in self._known and char.isprintable() else f"\\u{ord(char):04x}"
            for char in text
        )

    def cell_text(self, text: str) -> str:
        """`printable`, with a clock time and its uncertainty kept on one line each."""
        return unbroken_times(self.printable(text))

    def ink(self, size_pt: float, bold: bool = False, colour: tuple[int, int, int] = INK) -> None:
        """Sets font size, weight and colour of the text that follows."""
        self.set_font(FAMILY, "B" if bold else "", size_pt)
        self.set_text_color(*colour)

    def heading(self, text: str, room_mm: float = 24.0) -> None:
        """A section heading that does not stand alone at the foot of a page."""
        if self.will_page_break(room_mm):
            self.add_page()
        self.ln(3)
        self.ink(10.5, bold=True)
        self.cell(0, 6, self.printable(text), new_x="LMARGIN", new_y="NEXT")

    def paragraph(self, text: str, size_pt: float = BODY_PT) -> None:
        """Running text over the whole width."""
        self.ink(size_pt)
        self.multi_cell(
            0, size_pt * 0.46, self.printable(text), align="L", new_x="LMARGIN", new_y="NEXT"
        )
        self.ln(0.8)
