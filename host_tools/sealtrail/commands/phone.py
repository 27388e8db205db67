# SPDX-License-Identifier: MIT
"""The command `phone`: serves the courier's page. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from pathlib import Path
from typing import Annotated

import typer

from sealtrail.commands.inputs import AIR_PANEL, FleetPubOption, session_of


def add_to(app: typer.Typer) -> None:
    """Gives the main command this one."""
    app.command("phone", rich_help_panel=AIR_PANEL)(phone)


def phone(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: the system chooses.", min=0, max=65535)] = 8080,
    archive: Annotated[
        str | None,
        typer.Option(help="The archive behind the page.  [`archive use`]", metavar="URL"),
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(help="The TLS certificate, PEM.", metavar="FILE")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its key, PEM.", metavar="FILE")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Plain HTTP over a network: behind a TLS proxy.")
    ] = False,
    fleet_pub: FleetPubOption = None,
) -> None:
    """Serves the courier's phone page until it is stopped (docs/phone.md).

    The page talks to tags by Web Bluetooth, and to the archive through this server, which
    keeps nothing and sees no key. Phones reach it by HTTPS; this computer's own browser
    needs none. `archive client add --role phone --page` makes the link that sets a phone up.

    \b
    Examples:
      sealtrail phone --archive http://127.0.0.1:8443
      sealtrail phone --host 0.0.0.0 --cert cert.pem --key key.pem
    """
    from sealtrail.archive.server import Address
    from sealtrail.archive_client.setting import kept_url
    from sealtrail.phone.server import PhonePage, serve

    session = session_of(context)
    url = archive if archive is not None else kept_url(session.home)
    keys = session.home.fleet_pub if fleet_pub is None else fleet_pub
    page = PhonePage(url, keys)
    if url is None:
        session.warn("no archive: phones can read tags, but upload nothing. Give --archive URL.")
    if not keys.is_file():
        session.warn(f"{keys}: is missing: phones cannot check receipts, and carry none.")

    def ready(address: str) -> None:
        # Whoever started it waits for this line, also with --quiet and --json.
        print(f"sealtrail phone: {address}", flush=True)

    serve(page, Address(host, port, cert, key, insecure), ready)
