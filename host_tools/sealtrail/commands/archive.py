# SPDX-License-Identifier: MIT
"""Commands on the archive: archive init, serve, show, client. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.archive_sync import archive_push, archive_use
from sealtrail.commands.fleet import OWNER_PANEL
from sealtrail.commands.inputs import session_of
from sealtrail.errors import UsageError, one_line

if TYPE_CHECKING:
    from sealtrail.archive.archive import Archive
    from sealtrail.commands.output import Session
    from sealtrail.keys.secrets import Vault

_archive = typer.Typer(
    help="The store that verifies evidence, signs receipts and gives out tickets.",
    no_args_is_help=True,
)
_client = typer.Typer(help="Who may ask the archive.", no_args_is_help=True)
_archive.add_typer(_client, name="client")
_archive.command("use")(archive_use)
_archive.command("push")(archive_push)
NameArgument = Annotated[str, typer.Argument(help="The client's name.", metavar="NAME")]


def add_to(app: typer.Typer) -> None:
    """Gives the main command this group."""
    app.add_typer(_archive, name="archive", rich_help_panel=OWNER_PANEL)


@_archive.command("init")
def archive_init(
    context: typer.Context,
    clock_error_ms: Annotated[
        int | None,
        typer.Option(
            help="How far this computer's clock may be off; without it no time tokens.",
            metavar="MS",
        ),
    ] = None,
) -> None:
    """Makes the archive of this home, or states the error of its clock anew.

    The home holds fleet.pub, the service key (`service cert`) and the tags' access keys.
    A computer that follows NTP is off by less than 100 ms as a rule; state what you can
    stand for: tags set their clocks by it.

    \b
    Examples:
      sealtrail archive init --clock-error-ms 500
    """
    from sealtrail.archive.archive import Archive, database_path

    session = session_of(context)
    with contextlib.closing(Archive.init(session.home, session.clock)) as archive:
        if clock_error_ms is not None:
            archive.desk.state_clock_error(clock_error_ms)
        stated = archive.desk.clock_error_ms()
    path = database_path(session.home)
    session.say(f"{path}: the archive is here")
    if stated is None:
        session.say("it gives out no time: state the clock's error with --clock-error-ms")
    session.answer({"archive": path, "clock_error_ms": stated})


@_archive.command("serve")
def archive_serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: the system chooses.", min=0, max=65535)] = 8443,
    cert: Annotated[
        Path | None, typer.Option(help="The TLS certificate, PEM.", metavar="FILE")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its key, PEM.", metavar="FILE")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Plain HTTP over a network: behind a TLS proxy.")
    ] = False,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Without keys: stores evidence, signs nothing.")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="A web page's origin that may ask; repeat it.", metavar="URL"),
    ] = None,
) -> None:
    """Serves phones, gateways and QA until it is stopped (docs/archive.md).

    It asks for the passphrase once, at the start. What it answers is on the disk first;
    it may be killed at any moment.

    \b
    Examples:
      sealtrail archive serve --host 0.0.0.0 --cert cert.pem --key key.pem
      sealtrail archive serve --port 0
    """
    from sealtrail.archive.server import Address, check, serve

    session = session_of(context)
    address = Address(host, port, cert, key, insecure)
    check(address)
    vault = None if sealed else _unlocked(session)
    with _opened(session, vault) as archive:

        def ready(url: str) -> None:
            # Whoever started it waits for this line, also with --quiet and --json.
            print(f"sealtrail archive: {url}", flush=True)

        serve(archive, address, origin or (), ready)


@_archive.command("show")
def archive_show(context: typer.Context) -> None:
    """Shows the tags in the archive: last record, receipt, forks, when last heard of.

    \b
    Example:
      sealtrail archive show
    """
    session = session_of(context)
    with _opened(session, None) as archive:
        found = [archive.held(tid) for tid in archive.holdings.tids()]
    tags = [one for one in found if one is not None]
    rows = [
        (
            str(one["serial"]),
            str(one["head"]),
            ", ".join(f"{first} to {last}" for first, last in one["loose"]),
            str("none" if one["receipt_seq"] is None else one["receipt_seq"]),
            one["receipt_withheld"],
            iso(one["last_seen_ms"]),
        )
        for one in tags
    ]
    heads = ("tag", "last", "loose", "receipt", "withheld", "last heard")
    session.table("archive", heads, rows)
    for one in tags:
        for fork in one["forks"]:
            session.warn(
                f"{one['serial']}: record {fork['seq']} exists {len(fork['hashes'])} times:"
                " a fork. Have the tag examined."
            )
    session.answer({"tags": tags})


@_client.command("add")
def client_add(
    context: typer.Context,
    name: NameArgument,
    role: Annotated[str, typer.Option(help="gateway, phone or qa.")],
    holder: Annotated[
        Path | None,
        typer.Option(help="The person's public key.  [the client sends it]", metavar="FILE"),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(help="A phone's page: shows an enrolment link and its QR.", metavar="URL"),
    ] = None,
) -> None:
    """Makes a client and shows its token, this once. Works beside a running archive.

    With --page it shows the link that sets a phone up instead (docs/phone.md): whoever opens
    it first is this client.

    \b
    Examples:
      sealtrail archive client add dock-3 --role gateway > dock-3.token
      sealtrail archive client add ann-phone --role phone --holder ann.pub
      sealtrail archive client add ann-phone --role phone --page https://dock.example:8080
    """
    from sealtrail.keys.public_key import read_public_key
    from sealtrail.phone.enrolment import checked_page, enrolment_link, qr_lines

    session = session_of(context)
    if page is not None:
        page = checked_page(page, role)  # before there is a client
    public_key = None if holder is None else read_public_key(holder)
    with _opened(session, None) as archive:
        token = archive.clients.add(name, role, public_key)
    answer = {"client": name, "role": role, "token": token}
    if page is None:
        session.say(token)
        session.detail("this token is shown once; only its hash is kept")
    else:
        link = enrolment_link(page, name, token)
        answer["link"] = link
        session.say(link)
        session.say(qr_lines(link))
        session.detail("this link is shown once; only its token's hash is kept")
    session.answer(answer)


@_client.command("revoke")
def client_revoke(context: typer.Context, name: NameArgument) -> None:
    """Ends a client's rights at once. Its tickets are revoked by `ticket revoke`.

    \b
    Example:
      sealtrail archive client revoke ann-phone
    """
    session = session_of(context)
    with _opened(session, None) as archive:
        archive.clients.revoke(name)
    session.say(f"{name}: its token opens nothing any more")
    session.answer({"client": name, "revoked": True})


@_client.command("list")
def client_list(context: typer.Context) -> None:
    """Lists the clients there are and were.

    \b
    Example:
      sealtrail archive client list
    """
    session = session_of(context)
    with _opened(session, None) as archive:
        clients = archive.clients.all()
    rows = [
        (
            one_line(one.name),
            one.role,
            "" if one.holder is None else one.holder.hex(),
            "" if one.public_key is None else one.public_key.hex(),
            iso(one.made_ms),
            "" if one.revoked_ms is None else iso(one.revoked_ms),
        )
        for one in clients
    ]
    heads = ("name", "role", "holder", "key", "since", "revoked")
    session.table("clients", heads, rows)
    session.answer({"clients": [dict(zip(heads, row, strict=True)) for row in rows]})


@contextlib.contextmanager
def _opened(session: "Session", vault: "Vault | None") -> Iterator["Archive"]:
    from sealtrail.archive.archive import Archive

    with contextlib.closing(Archive(session.home, vault, session.clock)) as archive:
        yield archive


def _unlocked(session: "Session") -> "Vault":
    from sealtrail.keys.secrets import Vault

    vault = Vault(session.home)
    if not session.home.passphrase_check.exists():
        raise UsageError(
            f"{session.home.root}: holds no keys", "Serve with --sealed: evidence only."
        )
    vault.unlock()
    return vault
