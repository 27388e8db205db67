# SPDX-License-Identifier: MIT
"""The command that ends a tag's life: decommission. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.commands.inputs import PortOption, session_of
from sealtrail.commands.output import Session
from sealtrail.errors import EvidenceRefused

if TYPE_CHECKING:
    from sealtrail.device.dumping import Dump
    from sealtrail.model import VerifiedEvidence

_END_KIND = 5


def add_to(app: typer.Typer) -> None:
    """Gives the main command this command."""
    app.command(rich_help_panel="A tag on a cable")(decommission)


def decommission(
    context: typer.Context,
    port: PortOption,
    purge: Annotated[
        bool, typer.Option("--purge", help="Then have the tag erase its log, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the serial.")] = False,
) -> None:
    """Ends a tag's life: a signed farewell record, then no key is left on it.

    Everything the tag holds is read into this home and verified before anything is
    erased. Its tickets are dead from then on; its evidence stays good for ever. With
    --purge the log goes, too, once the farewell is stored here. Interrupted, run it again.
    `provision` gives the tag a new life, with another key and another certificate.

    \b
    Exit: 1 what the tag holds does not verify, nothing was changed; 2 the serial was not
    typed; 4 the line failed, repeat; 5 the tag can sign no farewell.

    \b
    Examples:
      sealtrail decommission --port /dev/ttyUSB0
      sealtrail decommission --port /dev/ttyUSB0 --purge --yes
    """
    from sealtrail.commands.revoke import confirm
    from sealtrail.device import decommission as steps
    from sealtrail.device.dock_link import Dock
    from sealtrail.device.dumping import dump_to_home
    from sealtrail.device.raw_repl import RawRepl
    from sealtrail.keys.tag_folder import TagFolder

    session = session_of(context)
    with RawRepl(port) as repl:
        dock = Dock(repl)
        with session.progress("reading") as progress:
            before = _verified(session, dump_to_home(dock, session.home, progress))
        tag = before.certificate
        what = f"decommission {tag.subject} after record {len(before.records) - 1}"
        confirm(tag.subject, f"{what}{' and erase its log' if purge else ''}", yes)
        with session.progress("reading") as progress:
            dump = steps.end(
                dock, session.home, is_reading=True, note=session.detail, progress=progress
            )
        farewell = _farewell(_verified(session, dump), dump)
        folder = TagFolder(session.home, tag.subject, tag.tid)
        if folder.path.is_dir():
            folder.note_ended(farewell)
        if purge:
            # The farewell is durable here and verified: now the tag may forget it.
            steps.purge(dock, dump)
    session.say(f"{tag.subject} is decommissioned; its records and farewell are in {dump.path}")
    if purge:
        session.say("its log is erased: that file and its copies are all there is")
    session.answer(
        {
            "serial": tag.subject,
            "tid": tag.tid,
            "file": dump.path,
            "records": len(dump.records),
            "farewell_hash": farewell,
            "purged": purge,
        }
    )


def _verified(session: Session, dump: "Dump") -> "VerifiedEvidence":
    """What was read, every rule checked. Raises EvidenceRefused: then nothing is erased."""
    from sealtrail.evidence.trust import TrustStore
    from sealtrail.evidence.verify import verify_evidence

    try:
        return verify_evidence(_whole(session, dump), TrustStore(session.home))
    except EvidenceRefused as problem:
        raise EvidenceRefused(
            f"{dump.path}: {problem.message}",
            "The tag was not decommissioned. Keep this file; have the tag examined.",
        ) from None


def _whole(session: Session, dump: "Dump") -> bytes:
    """Certificate and records from the first on: the oldest may be in this home only."""
    from sealtrail.keys.certificate import tid_of
    from sealtrail.radio.evidence_store import EvidenceStore
    from sealwire.sync import link_of

    first_seq = int(link_of(dump.records[0])[0]) if dump.records else 0
    earlier: list[bytes] = []
    for path in sorted(session.home.evidence.glob(f"*-{tid_of(dump.certificate).hex()}.store")):
        with EvidenceStore(path, read_only=True) as store:
            held = list(store.records())[: store.first_missing()]
            earlier = max(earlier, held[:first_seq], key=len)
    return b"".join([dump.certificate, *earlier, *dump.records])


def _farewell(found: "VerifiedEvidence", dump: "Dump") -> bytes:
    if not found.records or found.records[-1].kind != _END_KIND:
        raise EvidenceRefused(
            f"{dump.path}: the tag ended without a farewell record",
            "Its log was not erased. Keep this file; have the tag examined.",
        )
    return found.records[-1].sha256
