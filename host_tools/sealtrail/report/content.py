# SPDX-License-Identifier: MIT
"""The report as values: every figure and every sentence, before any layout.

PDF, CSV and JSON are written from this one object, so they can't differ.
"""

from dataclasses import dataclass, field

from sealtrail.analysis.results import Analysis, Verdict
from sealtrail.model import VerifiedEvidence

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts. *widths* are relative; *empty* stands where there is no row."""

    title: str
    columns: Row
    widths: tuple[int, ...]
    rows: tuple[Row, ...]
    empty: str = "None."
    note: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A short section of prose."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportModel:
    """All of the report. *evidence* and *analysis* are what it was made from."""

    title: str
    made_at_ms: int
    made_at: str
    is_clock_simulated: bool
    is_tag_virtual: bool
    verdict: Verdict
    headline: str
    summary: tuple[str, ...]
    attention: tuple[str, ...]
    identity: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    notes: tuple[Note, ...]
    evidence: VerifiedEvidence = field(repr=False)
    analysis: Analysis = field(repr=False)

    @property
    def is_simulated(self) -> bool:
        """Whether this is a demonstration, which must never pass for a real shipment."""
        return self.is_clock_simulated or self.is_tag_virtual
