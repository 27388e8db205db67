# SPDX-License-Identifier: MIT
"""What several commands take or read: the session, options, evidence files, tickets."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sealtrail.commands.output import Session
from sealtrail.errors import LinkError, UsageError

if TYPE_CHECKING:
    from sealtrail.keys.wallet import Wallet, WalletEntry
    from sealtrail.radio.visitor import Visitor

EVIDENCE_SIZE_MAX = 64 << 20
_EVIDENCE_BEGIN = b"\xd2\x84"  # COSE_Sign1: tag 18, an array of four
AIR_PANEL = "A tag on the air"
_T = TypeVar("_T")

SerialOption = Annotated[
    str | None,
    typer.Option("--tag", help="The tag's serial, such as ST-0001.", metavar="SERIAL"),
]
TicketOption = Annotated[
    str | None,
    typer.Option("--ticket", help="The ticket to use, by name or file.", metavar="NAME"),
]
WaitOption = Annotated[
    float, typer.Option("--wait", help="How many seconds to look for the tag.", min=1, max=600)
]
PortOption = Annotated[
    str, typer.Option("--port", help="The tag's serial port, such as /dev/ttyUSB0.")
]
FleetPubOption = Annotated[
    Path | None,
    typer.Option("--fleet-pub", help="The fleet's public keys.  [the home's fleet.pub]"),
]
TripOption = Annotated[
    int | None, typer.Option("--trip", help="The trip's number.  [the last one]", min=1)
]


def session_of(context: typer.Context) -> Session:
    """The session that the global options made."""
    session = context.obj
    if not isinstance(session, Session):
        raise UsageError("this command runs only as `sealtrail ...`")
    return session


def read_evidence(path: Path) -> bytes:
    """The bytes of an evidence file.

    Raises UsageError for none, an empty or a huge one, and one of another kind: a picture
    is not forged evidence.
    """
    raw = read_input(path, EVIDENCE_SIZE_MAX)
    if not raw:
        raise UsageError(f"{path}: is empty", "The evidence never arrived: sync again.")
    if not _EVIDENCE_BEGIN.startswith(raw[: len(_EVIDENCE_BEGIN)]):
        raise UsageError(f"{path}: is no evidence file", "Evidence files end in .seal.")
    return raw


def read_input(path: Path, size_max: int) -> bytes:
    """A file named on the command line. Raises UsageError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            raw = file.read(size_max + 1)
    except OSError as problem:
        raise UsageError(f"{path}: cannot read: {problem.strerror}") from problem
    if len(raw) > size_max:
        raise UsageError(f"{path}: is larger than {size_max} bytes")
    return raw


def wallet_of(session: Session) -> "Wallet":
    """The tickets of this session's home."""
    from sealtrail.keys.secrets import Vault
    from sealtrail.keys.wallet import Wallet

    return Wallet(session.home, Vault(session.home))


def run_visit(
    session: Session,
    entry: "WalletEntry",
    wait_s: float,
    does: "Callable[[Visitor], Awaitable[_T]]",
) -> _T:
    """Opens a session with the ticket's tag, does one thing, says goodbye."""
    from sealtrail.radio.visit import open_visit

    async def run() -> _T:
        async with open_visit(entry, wait_s, session.home) as visitor:
            return await does(visitor)

    with radio_named():
        return asyncio.run(run())


@contextlib.contextmanager
def radio_named() -> Iterator[None]:
    """Says that there is no Bluetooth service where the system names only a missing file."""
    try:
        yield
    except LinkError as problem:
        if isinstance(problem.__cause__, (FileNotFoundError, ConnectionRefusedError)):
            raise LinkError(
                "no radio: no Bluetooth service was found on this computer",
                "Install and start it (BlueZ on Linux), then repeat.",
            ) from problem
        raise
