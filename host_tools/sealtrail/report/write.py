# SPDX-License-Identifier: MIT
"""The QA report: PDF to read and sign, CSV and JSON to compute with, all from one model.

The PDF is PDF/A-3 and carries the evidence itself, byte for byte. The same evidence,
analysis and *made_at_ms* give the same bytes.
"""

from pathlib import Path

from sealtrail import atomic
from sealtrail.analysis.results import Analysis
from sealtrail.analysis.wording import (
    duration,
    is_virtual,
    moment_text,
    short_hex,
    utc_text,
)
from sealtrail.model import VerifiedEvidence
from sealtrail.report import notes as report_notes
from sealtrail.report import tables as report_tables
from sealtrail.report import verdict as report_verdict
from sealtrail.report.content import ReportModel
from sealtrail.report.csv_file import render_csv
from sealtrail.report.json_file import render_json


def build_model(
    evidence: VerifiedEvidence,
    analysis: Analysis,
    made_at_ms: int,
    simulated_clock: bool = False,
) -> ReportModel:
    """Every figure and sentence of the report. *made_at_ms* is Unix time of this computer."""
    trip = f", trip {analysis.trip.number}" if analysis.trip else ""
    return ReportModel(
        title=f"Shipment report: tag {evidence.certificate.subject}{trip}",
        made_at_ms=made_at_ms,
        made_at=utc_text(made_at_ms),
        is_clock_simulated=simulated_clock,
        is_tag_virtual=is_virtual(evidence.certificate),
        verdict=analysis.verdict,
        headline=report_verdict.headline(analysis),
        summary=report_verdict.summary(analysis),
        attention=(
            *report_verdict.future_lines(analysis, made_at_ms),
            *report_verdict.attention(analysis),
        ),
        identity=_identity(evidence, analysis),
        tables=(
            report_tables.figures(analysis),
            report_tables.excursions(analysis),
            report_tables.custody(analysis.custody),
            report_tables.gaps(analysis),
            report_tables.rules(analysis),
            report_tables.events(analysis),
        ),
        notes=report_notes.notes(evidence, analysis),
        evidence=evidence,
        analysis=analysis,
    )


def write_report(
    evidence: VerifiedEvidence,
    analysis: Analysis,
    path_pdf: Path | str,
    path_csv: Path | str | None = None,
    path_json: Path | str | None = None,
    *,
    made_at_ms: int,
    simulated_clock: bool = False,
) -> ReportModel:
    """Writes the report's files, each whole or not at all. Returns what was written.

    Everything is made before the first file is touched. Raises UsageError without the
    font, StorageError when a file can't be written.
    """
    # The PDF library takes long to load; other commands should not wait for it.
    from sealtrail.report.pdf import render_pdf  # noqa: PLC0415

    model = build_model(evidence, analysis, made_at_ms, simulated_clock)
    files = [(path_pdf, render_pdf(model))]
    if path_csv is not None:
        files.append((path_csv, render_csv(model)))
    if path_json is not None:
        files.append((path_json, render_json(model)))
    for path, content in files:
        atomic.write_bytes(path, content)
    return model


def _identity(evidence: VerifiedEvidence, analysis: Analysis) -> tuple[tuple[str, str], ...]:
    certificate = evidence.certificate
    issued = utc_text(certificate.issued_at_s * 1000)
    rows = [
        ("Tag", f"{certificate.subject} ({certificate.hardware}), id {certificate.tid.hex()}"),
        ("Certificate", f"issued {issued} by fleet key “{certificate.fleet_key_name}”"),
    ]
    start = moment_text(analysis.start) if analysis.start else "no reading"
    end = moment_text(analysis.end) if analysis.end else _open_end(analysis)
    trip = f"number {analysis.trip.number}" if analysis.trip else "none; all readings"
    rows.append(("Trip", f"{trip}, from {start} to {end}"))
    if analysis.profile is not None:
        profile = analysis.profile
        interval = duration(profile.interval_s * 1000)
        rows.append(("Profile", f"{profile.name}, one sample every {interval}"))
        rows.append(("Profile SHA-256", profile.sha256.hex()))
    if analysis.trip is not None and analysis.trip.coi_commitment:
        rows.append(("Chain of identity", _identity_chain(analysis.trip.coi_commitment)))
    return tuple(rows)


def _identity_chain(commitment: bytes) -> str:
    """Says that a commitment exists; its first digits tell two apart and open nothing."""
    return (
        f"commitment {short_hex(commitment.hex())} in the signed trip record; "
        "check the papers with `sealtrail coi check`."
    )


def _open_end(analysis: Analysis) -> str:
    if not analysis.samples:
        return "no reading"
    return f"{moment_text(analysis.samples[-1].moment)} (last reading, no end yet)"
