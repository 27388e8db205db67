# SPDX-License-Identifier: MIT
"""Commands that deliver evidence: upload, outbox show. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.evidence import EVIDENCE_PANEL, verified_bytes
from sealtrail.commands.inputs import read_evidence, read_input, session_of
from sealtrail.errors import UsageError, one_line

if TYPE_CHECKING:
    from sealtrail.custody.auth import Auth

_DOCUMENT_SIZE_MAX = 64 << 20
_outbox = typer.Typer(help="What still has to be uploaded.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Gives the main command these commands."""
    app.command(rich_help_panel=EVIDENCE_PANEL)(upload)
    app.add_typer(_outbox, name="outbox", rich_help_panel=EVIDENCE_PANEL)


def upload(
    context: typer.Context,
    document: Annotated[Path, typer.Argument(help="The custody document.", metavar="FILE")],
    evidence: Annotated[
        Path, typer.Option(help="The evidence the document speaks of.", metavar="FILE")
    ],
    url: Annotated[str, typer.Option(help="The capture server.", metavar="URL")],
    token_file: Annotated[
        Path | None, typer.Option(help="A file with a bearer token.", metavar="FILE")
    ] = None,
    user: Annotated[str, typer.Option(help="A name, with --password-file.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="A file with the password.", metavar="FILE")
    ] = None,
) -> None:
    """Delivers a custody document and its evidence to an EPCIS capture server.

    The evidence must be the one that the document names, and must verify here; evidence
    that is not proved complete may be delivered, and is said to be so.

    Both are queued durably first. What could not be delivered stays in the outbox; the
    same command again goes on, and the server keeps one copy whatever was lost between.

    \b
    Examples:
      sealtrail upload custody.jsonld --evidence evidence.seal --url http://127.0.0.1:8080
      sealtrail upload custody.jsonld --evidence evidence.seal \\
          --url https://epcis.example.com --token-file epcis.token
    """
    from sealtrail.custody.upload import check_pair
    from sealtrail.custody.upload import upload as deliver
    from sealtrail.model import Completeness

    session = session_of(context)
    raw = read_input(document, _DOCUMENT_SIZE_MAX)
    proof = read_evidence(evidence)
    auth = _auth(user, password_file, token_file)
    try:
        check_pair(raw, proof)
    except UsageError as problem:
        raise UsageError(f"{document} with {evidence}: {problem.message}", problem.hint) from None
    fresh = verified_bytes(session, evidence, proof, None).freshness
    if fresh.completeness is not Completeness.PROVED:
        session.warn(f"{evidence}: valid, but not proved complete: {fresh.detail}")
    session.home.make(session.home.root)
    with session.progress("uploading"):
        # People paste the capture interface's own address; the client adds that part.
        server = url.rstrip("/").removesuffix("/capture")
        result = deliver(session.home.outbox, server, raw, proof, auth)
    session.say(f"{document}: {result.event_count} events stored by {one_line(result.server)}")
    session.say(f"evidence: {one_line(result.evidence_url)}")
    session.answer(
        {
            "server": result.server,
            "state": result.state.value,
            "events": result.event_count,
            "evidence_url": result.evidence_url,
            "attempts": result.attempt_count,
        }
    )


def _auth(user: str, password_file: Path | None, token_file: Path | None) -> "Auth":
    from sealtrail.custody.auth import Auth, AuthKind

    if token_file and (user or password_file):
        raise UsageError("--token-file and --user exclude each other")
    if bool(user) != bool(password_file):
        raise UsageError("--user and --password-file belong together")
    if token_file:
        return Auth(AuthKind.BEARER, secret_path=token_file)
    return Auth(AuthKind.BASIC, user, password_file) if user else Auth()


@_outbox.command("show")
def outbox_show(context: typer.Context) -> None:
    """Shows what still has to be uploaded, and why it is still here.

    \b
    Example:
      sealtrail outbox show
    """
    from sealtrail.custody.outbox import Outbox, State

    session = session_of(context)
    entries = []
    if session.home.outbox.exists():
        with contextlib.closing(Outbox(session.home.outbox)) as outbox:
            entries = [one for one in outbox.entries() if one.state is not State.STORED]
    rows = [
        (
            one.entry_id,
            one.state.value,
            iso(one.created_ms),
            one.attempt_count,
            one_line(one.server),
            one_line(one.detail),
        )
        for one in entries
    ]
    heads = ("number", "state", "since", "tries", "server", "last answer")
    session.table("outbox", heads, [[str(cell) for cell in row] for row in rows])
    session.answer({"pending": [dict(zip(heads, row, strict=True)) for row in rows]})
