# SPDX-License-Identifier: MIT
"""Commands of the fleet's owner: fleet, ticket, profile, coi. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from pathlib import Path
from typing import Annotated, Any

import typer

from sealtrail.clock import iso
from sealtrail.commands.inputs import TripOption, session_of

_fleet = typer.Typer(
    help="The fleet key, which signs every tag's certificate.", no_args_is_help=True
)
_ticket = typer.Typer(help="Who may do what with a tag, until when.", no_args_is_help=True)
_profile = typer.Typer(
    help="Trip profiles: how often to read, what is an alarm.", no_args_is_help=True
)
_coi = typer.Typer(help="Chain-of-identity references.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Gives the main command these groups."""
    groups = {"fleet": _fleet, "ticket": _ticket, "profile": _profile, "coi": _coi}
    for name, group in groups.items():
        app.add_typer(group, name=name, rich_help_panel="The fleet's owner")


@_fleet.command("init")
def fleet_init(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The fleet's name, as verifiers will read it.")],
    years: Annotated[int, typer.Option(help="How long the key may sign.")] = 10,
) -> None:
    """Makes the fleet key, its successor, and fleet.pub.

    Both keys are sealed with a passphrase (asked for, or the first line of the file named
    by SEALTRAIL_PASSPHRASE_FILE). Give fleet.pub to everybody who has to verify.

    \b
    Examples:
      sealtrail fleet init "Example Cell Therapy"
      sealtrail --home /media/safe fleet init "Example" --years 5
    """
    from sealtrail.keys import fleet
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    home = session.home
    line = fleet.init(home, Vault(home), session.clock, name, years)
    session.say(f"fleet '{line.name}' made: key {line.fingerprint}, until {line.not_after}")
    session.say(f"public: {home.fleet_pub}  (give it to everybody who verifies)")
    session.say(f"back up in two different safes: {home.fleet_key} and {home.next_fleet_key}")
    session.answer({"fleet_pub": home.fleet_pub, **_line_json(line)})


@_fleet.command("show")
def fleet_show(context: typer.Context) -> None:
    """Shows the fleet's public keys. Needs no passphrase.

    \b
    Examples:
      sealtrail fleet show
      sealtrail fleet show --json
    """
    from sealtrail.keys import fleet

    session = session_of(context)
    lines = fleet.read_lines(session.home.fleet_pub)
    rows = [(x.name, x.fingerprint, str(x.not_before), str(x.not_after)) for x in lines]
    session.table(str(session.home.fleet_pub), ("fleet", "key", "from", "until"), rows)
    session.answer({"keys": [_line_json(line) for line in lines]})


@_ticket.command("issue")
def ticket_issue(
    context: typer.Context,
    tag: Annotated[str, typer.Option(help="The tag's serial.", metavar="SERIAL")],
    role: Annotated[str, typer.Option(help="viewer, courier, site, qa or service.")],
    name: Annotated[str, typer.Option(help="Whose ticket it is.")],
    trip: Annotated[int, typer.Option(help="The only trip it opens; couriers need one.")] = 0,
    days: Annotated[int, typer.Option(help="How long it lives (service: for ever).")] = 7,
    as_name: Annotated[
        str | None, typer.Option("--as", help="The ticket's name.  [SERIAL-ROLE-NUMBER]")
    ] = None,
) -> None:
    """Issues a ticket for one tag to one person.

    Runs where the tag was provisioned. The holder's key is made along with it and stays
    in the sealed ticket file.

    \b
    Examples:
      sealtrail ticket issue --tag ST-0001 --role courier --name "Ann" --trip 7
      sealtrail ticket issue --tag ST-0001 --role qa --name "Receiving QA" --days 30
    """
    from sealtrail.keys import ticket
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    home = session.home
    entry = ticket.issue(
        home,
        Vault(home),
        session.clock,
        tag,
        role=role,
        person=name,
        trip=trip,
        days=days,
        name=as_name,
    )
    session.say(f"ticket {entry.name} for {entry.person}: {_terms_text(entry)}")
    session.answer(_ticket_json(entry))


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


@_profile.command("check")
def profile_check(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(help="A shipped profile's name, or a .toml file.")],
) -> None:
    """Checks a profile and says what the tag will do.

    \b
    Examples:
      sealtrail profile check ln2-dry-shipper
      sealtrail profile check my-profile.toml
    """
    from sealtrail import trip_profiles as profiles

    session = session_of(context)
    found = profiles.load(profile)
    session.say(
        f"{found.name}: good, {len(found.cbor)} bytes, a reading every {found.interval_s} s"
    )
    for rule in found.rules:
        session.say(f"  rule {rule}")
    for limit in found.limits:
        session.say(f"  {limit}")
    session.say(f"  SHA-256 {found.sha256}")
    session.answer(
        {
            "name": found.name,
            "title": found.title,
            "interval_s": found.interval_s,
            "rules": found.rules,
            "shock_threshold_g": found.shock_mg / 1000 if found.shock_mg else None,
            "tilt_deg": found.tilt_deg or None,
            "tilt_hold_min": found.tilt_hold_s / 60 if found.tilt_deg else None,
            "sha256": found.sha256,
            "cbor": found.cbor,
        }
    )


@_profile.command("show")
def profile_show(context: typer.Context) -> None:
    """Lists the shipped profiles.

    \b
    Example:
      sealtrail profile show
    """
    from sealtrail import trip_profiles as profiles

    session = session_of(context)
    found = [profiles.load(name) for name in profiles.shipped_names()]
    rows = [(one.name, one.title, f"{one.interval_s} s") for one in found]
    session.table("profiles", ("name", "for", "interval"), rows)
    session.answer({"profiles": [{"name": one.name, "title": one.title} for one in found]})


@_coi.command("check")
def coi_check(
    context: typer.Context,
    evidence: Annotated[Path, typer.Argument(help="The evidence file.")],
    coi: Annotated[
        str, typer.Option("--coi", help="The reference on the papers; -: asked for, unseen.")
    ] = "-",
    salt: Annotated[
        Path | None, typer.Option(help="The trip's salt file.  [this home's]", metavar="FILE")
    ] = None,
    trip: TripOption = None,
    fleet_pub: Annotated[Path | None, typer.Option(help="The fleet's public keys.")] = None,
) -> None:
    """Checks that a trip was started for this chain-of-identity reference.

    The tag never holds the reference, only a commitment to it: without the salt that
    `trip start` kept, nobody can tell which patient's cells it carries.

    \b
    Examples:
      sealtrail coi check evidence.seal
      sealtrail coi check evidence.seal --salt trip7.salt < reference.txt
    """
    from sealtrail.commands.evidence import verified
    from sealtrail.keys import coi as coi_salts
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    found = verified(session, evidence, fleet_pub)
    vault = Vault(session.home)
    reference = coi_salts.asked(coi)
    number = coi_salts.check(
        session.home, vault, found.trips, reference, number=trip, salt_file=salt
    )
    session.say(f"trip {number} was started for this reference")
    session.answer({"trip": number, "matches": True})


def _line_json(line: Any) -> dict[str, object]:
    return {
        "name": line.name,
        "key": line.key,
        "fingerprint": line.fingerprint,
        "not_before": str(line.not_before),
        "not_after": str(line.not_after),
    }


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
