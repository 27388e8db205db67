# SPDX-License-Identifier: MIT
"""Commands on persons: person add, show. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.fleet import OWNER_PANEL
from sealtrail.commands.inputs import session_of
from sealtrail.commands.output import Session
from sealtrail.errors import UsageError

if TYPE_CHECKING:
    from sealtrail.evidence.statements import RawStatement
    from sealtrail.keys.secrets import Vault

_person = typer.Typer(
    help="Whose key signs handovers: verifiers show the name.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Gives the main command this group."""
    app.add_typer(_person, name="person", rich_help_panel=OWNER_PANEL)


@_person.command("add")
def person_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name, or an alias, that evidence will show.")],
    role: Annotated[str, typer.Option(help="viewer, courier, site, qa or service.")],
    key: Annotated[
        Path | None, typer.Option(help="A file with the person's public key.", metavar="FILE")
    ] = None,
    me: Annotated[
        bool, typer.Option("--me", help="This home's own key; made at the first use.")
    ] = False,
    ticket: Annotated[
        str | None, typer.Option(help="The holder of this ticket.", metavar="NAME")
    ] = None,
    days: Annotated[int, typer.Option(help="How long the registration lasts.")] = 366,
    since: Annotated[
        str | None, typer.Option(help="From which day on it counts.  [now]", metavar="YYYY-MM-DD")
    ] = None,
) -> None:
    """Registers a person's key: who it is that gives and takes boxes.

    Signed by the service key (`service cert`). The statement goes into the evidence of
    every tag where this key signed a handover, at its next `sync`; `verify` on this
    computer knows it at once. `ticket issue` registers its holder by itself.

    \b
    Exit: 5 no service key that may register, or the key is registered under another name.

    \b
    Examples:
      sealtrail person add "Ann Example" --role courier --key ann.pub
      sealtrail person add "Receiving QA" --role qa --me
      sealtrail person add "Bob" --role courier --ticket ST-0001-courier-2
    """
    from sealtrail.keys import person
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    if [key is not None, me, ticket is not None].count(True) != 1:
        raise UsageError("whose key?", "Give one of --key FILE, --me and --ticket NAME.")
    since_s = None if since is None else _day_s(since)
    vault = Vault(session.home)
    made = person.add(
        session.home,
        vault,
        session.clock,
        name,
        role=role,
        public_key=_public_key(session, vault, key, ticket),
        days=days,
        since_s=since_s,
    )
    session.say(f"{name} ({role}) registered until {iso(made.number(5) * 1000)}")
    session.answer(_json(made))


@_person.command("show")
def person_show(context: typer.Context) -> None:
    """Shows who is registered. Needs no passphrase.

    \b
    Examples:
      sealtrail person show
      sealtrail person show --json
    """
    from sealtrail.evidence.statements import PERSON
    from sealtrail.keys.shelf import Shelf

    session = session_of(context)
    found = [_json(one) for one in Shelf(session.home).all(PERSON)]
    keys = ("number", "name", "role", "fingerprint", "not_before", "expires")
    rows = [[str(one[name]) for name in keys] for one in found]
    session.table("persons", ("number", "name", "role", "key", "from", "until"), rows)
    session.answer({"persons": found})


def _public_key(session: Session, vault: "Vault", key: Path | None, ticket: str | None) -> bytes:
    from sealtrail.keys.public_key import own_key, read_public_key
    from sealtrail.keys.wallet import Wallet

    if key is not None:
        return read_public_key(key)
    if ticket is not None:
        holder = Wallet(session.home, vault).get(ticket).holder_key
        return holder.public_key().public_bytes_raw()
    return own_key(session.home, vault).public_key().public_bytes_raw()


def _day_s(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text[:40]}: is no day", "Such as 2026-05-01.") from None


def _json(person: "RawStatement") -> dict[str, object]:
    import hashlib

    from sealtrail.keys.person import role_name

    key = person.octets(1)
    return {
        "number": person.number(6),
        "name": str(person.fields[3]),
        "role": role_name(person),
        "key": key,
        "fingerprint": hashlib.sha256(key).hexdigest()[:16],
        "not_before": iso(person.number(4) * 1000),
        "expires": iso(person.number(5) * 1000),
        "service_key": person.kid,
        "statement": person.raw,
    }
