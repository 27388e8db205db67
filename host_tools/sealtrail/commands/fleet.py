# SPDX-License-Identifier: MIT
"""Commands on the fleet key: fleet init, show. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from typing import Annotated, Any

import typer

from sealtrail.commands.inputs import session_of

OWNER_PANEL = "The fleet's owner"
_fleet = typer.Typer(
    help="The fleet key, which signs every tag's certificate.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Gives the main command this group."""
    app.add_typer(_fleet, name="fleet", rich_help_panel=OWNER_PANEL)


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


def _line_json(line: Any) -> dict[str, object]:
    return {
        "name": line.name,
        "key": line.key,
        "fingerprint": line.fingerprint,
        "not_before": str(line.not_before),
        "not_after": str(line.not_after),
    }
