# SPDX-License-Identifier: MIT
"""Commands on the service key: service cert, rotate, show. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.fleet import OWNER_PANEL
from sealtrail.commands.inputs import session_of

if TYPE_CHECKING:
    from sealtrail.evidence.statements import RawStatement

_service = typer.Typer(
    help="The service key, which registers persons and signs receipts.", no_args_is_help=True
)
DaysOption = Annotated[int, typer.Option(help="How long the certificate is in force.")]


def add_to(app: typer.Typer) -> None:
    """Gives the main command this group."""
    app.add_typer(_service, name="service", rich_help_panel=OWNER_PANEL)


@_service.command("cert")
def service_cert(
    context: typer.Context,
    days: DaysOption = 366,
    usage: Annotated[
        str, typer.Option(help="What the key may sign.", metavar="LIST")
    ] = "time,receipt,order,person",
) -> None:
    """Certifies the service key by the fleet key; makes it at the first time.

    Run it again before the term ends: the key stays, the certificate gets the next number.

    \b
    Exit: 5 no fleet key here, its days are over, or the wrong passphrase.

    \b
    Examples:
      sealtrail service cert
      sealtrail service cert --days 90 --usage person
    """
    from sealtrail.keys import service
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    bits = service.usage_of(usage)
    before = service.newest(session.home)
    made = service.certify(session.home, Vault(session.home), session.clock, days=days, usage=bits)
    session.say(_text(made))
    if before is not None and made.number(3) < before.number(3):
        was = iso(before.number(3) * 1000)
        number = before.number(5)
        session.warn(f"that is a shorter term than before: certificate {number} ran until {was}")
    session.answer(_json(made))


@_service.command("rotate")
def service_rotate(
    context: typer.Context,
    days: DaysOption = 366,
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="The old key was stolen: nothing it signed counts."),
    ] = False,
) -> None:
    """Makes another service key, certified under the next number; erases the old one here.

    With --withdraw the floor rises: tags drop the old key at their next sync, verifiers
    that have the new certificate believe no person it registered. The persons of this home
    are registered again under the new key.

    \b
    Examples:
      sealtrail service rotate
      sealtrail service rotate --withdraw
    """
    from sealtrail.keys import person, service
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    vault = Vault(session.home)
    made = service.rotate(session.home, vault, session.clock, days=days, withdraw=withdraw)
    # A cut here leaves persons under the old key: `service rotate --withdraw` again.
    renewed = person.renew_all(session.home, vault, session.clock) if withdraw else 0
    session.say(_text(made))
    if renewed:
        session.say(f"{renewed} persons registered again")
    session.answer({**_json(made), "renewed_persons": renewed})


@_service.command("show")
def service_show(context: typer.Context) -> None:
    """Shows the service certificates. Needs no passphrase.

    \b
    Example:
      sealtrail service show
    """
    from sealtrail.evidence.statements import SERVICE
    from sealtrail.keys.shelf import Shelf

    session = session_of(context)
    found = Shelf(session.home).all(SERVICE)
    rows = [
        (
            str(one.number(5)),
            str(_json(one)["kid"]),
            iso(one.number(2) * 1000),
            iso(one.number(3) * 1000),
            ", ".join(_usages(one)),
            str(one.number(6)),
        )
        for one in found
    ]
    heads = ("number", "key", "from", "until", "may sign", "floor")
    session.table("service certificates", heads, rows)
    session.answer({"certificates": [_json(one) for one in found]})


def _usages(certificate: "RawStatement") -> list[str]:
    from sealtrail.keys.service import USAGES

    return [name for name, bit in USAGES.items() if certificate.number(4) & bit]


def _text(certificate: "RawStatement") -> str:
    until = iso(certificate.number(3) * 1000)
    return (
        f"service certificate {certificate.number(5)}: key {_json(certificate)['kid']}"
        f" may sign {', '.join(_usages(certificate))} until {until}"
    )


def _json(certificate: "RawStatement") -> dict[str, object]:
    from sealtrail.evidence.statements import service_kid

    return {
        "number": certificate.number(5),
        "kid": service_kid(certificate).hex(),
        "key": certificate.octets(1),
        "not_before": iso(certificate.number(2) * 1000),
        "expires": iso(certificate.number(3) * 1000),
        "usage": _usages(certificate),
        "floor": certificate.number(6),
        "statement": certificate.raw,
    }
