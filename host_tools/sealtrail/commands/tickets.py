# SPDX-License-Identifier: MIT
"""Commands on tickets: ticket issue, show, revoke. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sealtrail.clock import iso
from sealtrail.commands.fleet import OWNER_PANEL
from sealtrail.commands.inputs import session_of
from sealtrail.commands.output import Session
from sealtrail.errors import AccessRefused, UsageError

if TYPE_CHECKING:
    from sealtrail.keys.secrets import Vault
    from sealtrail.keys.wallet import WalletEntry

_ticket = typer.Typer(help="Who may do what with a tag, until when.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Gives the main command this group."""
    app.add_typer(_ticket, name="ticket", rich_help_panel=OWNER_PANEL)


@_ticket.command("issue")
def ticket_issue(
    context: typer.Context,
    tag: Annotated[str, typer.Option(help="The tag's serial.", metavar="SERIAL")],
    role: Annotated[str, typer.Option(help="viewer, courier, site, qa or service.")],
    name: Annotated[str, typer.Option(help="Whose ticket it is.")],
    trip: Annotated[int, typer.Option(help="The only trip it opens; couriers need one.")] = 0,
    days: Annotated[int, typer.Option(help="How long it lives (service: for ever).")] = 7,
    holder: Annotated[
        Path | None,
        typer.Option(help="The person's own public key.  [a key made here]", metavar="FILE"),
    ] = None,
    me: Annotated[bool, typer.Option("--me", help="For this home's own person and key.")] = False,
    as_name: Annotated[
        str | None, typer.Option("--as", help="The ticket's name.  [SERIAL-ROLE-NUMBER]")
    ] = None,
) -> None:
    """Issues a ticket for one tag to one person.

    Runs where the tag was provisioned. The holder's key is made along with it and stays
    in the sealed ticket file; or it is the person's own (--holder, --me), and one person
    has one key. Where this home has a service key that may register persons, the holder is
    registered too, so that `verify` shows the name (see `person add`).

    \b
    Exit: 5 the tag was not provisioned here, or is revoked or decommissioned.

    \b
    Examples:
      sealtrail ticket issue --tag ST-0001 --role courier --name "Ann" --trip 7
      sealtrail ticket issue --tag ST-0001 --role qa --name "Receiving QA" --days 30
      sealtrail ticket issue --tag ST-0001 --role site --name "Cell lab" --holder lab.pub
    """
    from sealtrail.keys import ticket
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    home, vault = session.home, Vault(session.home)
    own = _own_key(session, vault, holder, me)
    entry = ticket.issue(
        home,
        vault,
        session.clock,
        tag,
        role=role,
        person=name,
        trip=trip,
        days=days,
        name=as_name,
        holder=own,
    )
    registered = _register(session, vault, entry, own, days)
    session.say(f"ticket {entry.name} for {entry.person}: {_terms_text(entry)}")
    session.answer({**_ticket_json(entry), "person": registered})


def _own_key(session: Session, vault: "Vault", holder: Path | None, me: bool) -> bytes | None:
    from sealtrail.keys.public_key import own_key, read_public_key

    if holder is not None and me:
        raise UsageError("--holder and --me exclude each other")
    if me:
        return own_key(session.home, vault).public_key().public_bytes_raw()
    return None if holder is None else read_public_key(holder)


def _register(
    session: Session, vault: "Vault", entry: "WalletEntry", own: bytes | None, days: int
) -> int | None:
    """The number of the holder's registration; None without a service key for it.

    The ticket is good without: verifiers then show the key's fingerprint.
    """
    from sealtrail.keys import person, service

    if service.newest(session.home) is None:
        session.detail("no service key here (`service cert`): the holder is not registered")
        return None
    public = own or entry.holder_key.public_key().public_bytes_raw()
    lasting = max(days, person.DAYS_DEFAULT) if entry.role == "service" else days
    try:
        made = person.add(
            session.home,
            vault,
            session.clock,
            entry.person,
            role=entry.role,
            public_key=public,
            days=lasting,
        )
    except (AccessRefused, UsageError) as problem:
        session.warn(f"{entry.person} is not registered: {problem.message}. {problem.hint}")
        return None
    return made.number(6)


@_ticket.command("show")
def ticket_show(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One ticket; all without it.")] = None,
) -> None:
    """Shows the tickets on this computer, never their keys.

    \b
    Examples:
      sealtrail ticket show
      sealtrail ticket show ST-0001-courier-2
    """
    from sealtrail.keys.secrets import Vault
    from sealtrail.keys.wallet import Wallet

    session = session_of(context)
    wallet = Wallet(session.home, Vault(session.home))
    entries = [wallet.get(one) for one in ([name] if name else wallet.names())]
    rows = [(e.name, e.serial, e.person, e.role, _terms_text(e)) for e in entries]
    session.table("tickets", ("name", "tag", "holder", "role", "terms"), rows)
    session.answer({"tickets": [_ticket_json(entry) for entry in entries]})


@_ticket.command("revoke")
def ticket_revoke(
    context: typer.Context,
    tag: Annotated[str, typer.Option(help="The tag's serial.", metavar="SERIAL")],
    number: Annotated[
        int | None, typer.Option(help="A ticket of the holder whose phone is lost.", min=1)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All tickets issued so far, of everybody.")
    ] = False,
) -> None:
    """Revokes the tickets of one holder, or all tickets of a tag.

    The next visitor who was online since brings it to the tag, which then opens to them no
    more; until then they still work, and their use is in the chain. A list holds 8 tickets;
    when it is full, --all begins anew. Also end the client's token: `archive client revoke`.

    \b
    Examples:
      sealtrail ticket revoke --tag ST-0001 --number 7
      sealtrail ticket revoke --tag ST-0001 --all
    """
    from sealtrail.keys import ticket

    session = session_of(context)
    if (number is None) != every:
        raise UsageError("--number N or --all", "`sealtrail ticket show` lists the numbers.")
    state = ticket.revoke(session.home, session.clock, tag, number)
    what = f"all below number {state.floor}" if every else ", ".join(map(str, state.revoked))
    session.say(f"{tag}: revoked {what or 'nothing new'} (state {state.rev})")
    session.say("the tag learns it from the next visitor with a ticket issued from now on")
    session.answer(
        {
            "tag": tag,
            "state": state.rev,
            "floor": state.floor,
            "revoked": list(state.revoked),
        }
    )


def _ticket_json(entry: Any) -> dict[str, object]:
    terms = entry.terms
    return {
        "name": entry.name,
        "tag": entry.serial,
        "tid": entry.tid,
        "holder": entry.person,
        "role": entry.role,
        "number": terms.tno,
        "trip": terms.trip or None,
        "not_before": iso(terms.nbf * 1000),
        "expires": None if terms.exp == 0xFFFF_FFFF else iso(terms.exp * 1000),
    }


def _terms_text(entry: Any) -> str:
    terms = entry.terms
    until = "no expiry" if terms.exp == 0xFFFF_FFFF else f"until {iso(terms.exp * 1000)}"
    trip = f"trip {terms.trip} only" if terms.trip else "any trip"
    return f"number {terms.tno}, {trip}, {until}"
