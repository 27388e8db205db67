# SPDX-License-Identifier: MIT
"""Commands on evidence files: verify, report, custody. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.commands.inputs import (
    FleetPubOption,
    TripOption,
    read_evidence,
    read_input,
    session_of,
)
from sealtrail.commands.output import Session
from sealtrail.errors import (
    Incomplete,
    StorageError,
    UnreadableEvidence,
    UsageError,
    VerifyError,
)

if TYPE_CHECKING:
    from sealtrail.model import VerifiedEvidence

EVIDENCE_PANEL = "Evidence"
_PROFILE_SIZE_MAX = 1 << 20
EvidenceArgument = Annotated[
    Path, typer.Argument(help="The evidence file, such as evidence.seal.", metavar="FILE")
]


def add_to(app: typer.Typer) -> None:
    """Gives the main command these commands."""
    for command in (verify, report, custody):
        app.command(rich_help_panel=EVIDENCE_PANEL)(command)


def verified(session: Session, path: Path, fleet_pub: Path | None) -> "VerifiedEvidence":
    """The evidence in the file, every rule checked.

    Raises VerifyError, UnreadableEvidence, UsageError; each names the file.
    """
    return verified_bytes(session, path, read_evidence(path), fleet_pub)


def verified_bytes(
    session: Session, path: Path, raw: bytes, fleet_pub: Path | None
) -> "VerifiedEvidence":
    """The evidence in *raw*, which is what the file holds. Raises as `verified`."""
    from sealtrail.evidence.trust import TrustStore
    from sealtrail.evidence.verify import verify_evidence

    trust = TrustStore(session.home, fleet_pub)
    try:
        found = verify_evidence(raw, trust)
    except (VerifyError, UnreadableEvidence) as problem:
        problem.message = f"{path}: {problem.message}"  # the verifier knows bytes only
        raise
    if found.records and fleet_pub is None:
        head = found.records[-1]
        try:
            # A later, shorter file of this tag is then known to be cut off.
            trust.note_head(found.certificate.tid, head.seq, head.sha256)
        except StorageError as problem:
            session.warn(f"the last record seen is not noted: {problem.message}")
    return found


def verify(
    context: typer.Context, evidence: EvidenceArgument, fleet_pub: FleetPubOption = None
) -> None:
    """Proves or refuses evidence, offline. Exit 0 only for proved and complete.

    Checks the tag's certificate, every signature, the chain from first to last record,
    and whether the tag itself attested to this computer that nothing is missing.

    \b
    Exit: 0 proved and complete; 3 valid, but later records may be missing;
    1 refused (rule and record are named); 2 the file is unreadable, empty or cut off.

    \b
    Examples:
      sealtrail verify evidence.seal
      sealtrail verify evidence.seal --fleet-pub fleet.pub --json
    """
    from sealtrail.analysis.analyse import analyse
    from sealtrail.commands import verdict_view as view
    from sealtrail.model import Completeness

    session = session_of(context)
    try:
        found = verified(session, evidence, fleet_pub)
    except VerifyError as problem:
        session.answer(view.refusal_json(problem))
        raise
    analysis = analyse(found)
    session.say(f"{evidence}: {view.verdict_line(found)}")
    for name, text in view.identity_rows(found):
        session.say(f"  {name:<13}{text}")
    session.table("timeline", ("record", "time", "what"), view.timeline_rows(found))
    if analysis.trip:
        session.say(f"temperature: {analysis.verdict.value}")
    if analysis.excursions:
        heads = ("rule", "from", "for", "extreme", "end")
        session.table("excursions", heads, view.excursion_rows(analysis))
    if found.custody:
        heads4 = ("when", "verdict", "who", "where")
        session.table("custody", heads4, view.custody_rows(found))
    for note in view.custody_notes(found):
        session.say(f"custody: {note}")
    for finding in analysis.findings:
        session.say(f"finding: {finding}")
    session.answer(view.as_json(found, analysis))
    if found.freshness.completeness is not Completeness.PROVED:
        raise Incomplete(
            f"{evidence}: valid, but not proved complete: {found.freshness.detail}",
            "Only a sync by this computer, up to the last record, proves that.",
        )


def report(
    context: typer.Context,
    evidence: EvidenceArgument,
    pdf: Annotated[
        Path, typer.Option("--out", "-o", help="The PDF to write.", metavar="FILE")
    ] = Path("report.pdf"),
    csv: Annotated[
        Path | None, typer.Option(help="Also write all readings as CSV.", metavar="FILE")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also write every figure as JSON.", metavar="FILE")
    ] = None,
    trip: TripOption = None,
    fleet_pub: FleetPubOption = None,
) -> None:
    """Writes the report for quality assurance: chart, excursions, events, custody, verdict.

    The evidence itself is attached to the PDF. Evidence that is refused gives no report;
    evidence that is not proved complete gives one that says so.

    \b
    Examples:
      sealtrail report evidence.seal
      sealtrail report evidence.seal -o trip7.pdf --csv trip7.csv --trip 7
    """
    from sealtrail import atomic
    from sealtrail.analysis.analyse import analyse
    from sealtrail.report.write import write_report

    session = session_of(context)
    found = verified(session, evidence, fleet_pub)
    analysis = analyse(found, trip)
    for target in filter(None, (pdf, csv, figures)):
        atomic.check_target(target)  # all of them before the first is written
    write_report(
        found,
        analysis,
        pdf,
        csv,
        figures,
        made_at_ms=session.clock.now_ms(),
        simulated_clock=session.clock.is_simulated,
    )
    for path in filter(None, (pdf, csv, figures)):
        session.say(f"{path} written")
    session.answer(
        {"pdf": pdf, "csv": csv, "figures": figures, "temperature": analysis.verdict.value}
    )


def custody(
    context: typer.Context,
    evidence: EvidenceArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The document to write.", metavar="FILE")
    ] = Path("custody.jsonld"),
    profile: Annotated[
        Path | None, typer.Option(help="Parties and products in GS1 keys (TOML).", metavar="FILE")
    ] = None,
    revision: Annotated[int, typer.Option(help="Number of a corrected document.", min=0)] = 0,
    trip: TripOption = None,
    fleet_pub: FleetPubOption = None,
) -> None:
    """Writes what happened as GS1 EPCIS 2.0 (JSON-LD), checked by a linter.

    \b
    Examples:
      sealtrail custody evidence.seal --profile gs1.toml
      sealtrail custody evidence.seal -o trip7.jsonld --trip 7
    """
    from sealtrail import atomic
    from sealtrail.analysis.analyse import analyse
    from sealtrail.custody.document import build_document
    from sealtrail.custody.parties import load_profile

    session = session_of(context)
    if profile is not None:
        _refuse_binary(profile)
    parties = load_profile(profile)
    found = verified(session, evidence, fleet_pub)
    document = build_document(
        found, analyse(found, trip), parties, session.clock.now_ms(), revision
    )
    atomic.write_bytes(out, document)
    if parties.is_demo:
        session.warn("no --profile: GS1's demonstration keys stand in for all parties")
    session.say(f"{out} written, {len(document)} B")
    session.answer({"file": out, "size": len(document), "demonstration": parties.is_demo})


def _refuse_binary(profile: Path) -> None:
    try:
        read_input(profile, _PROFILE_SIZE_MAX).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"{profile}: is no custody profile", "A custody profile is a TOML text file."
        ) from None
