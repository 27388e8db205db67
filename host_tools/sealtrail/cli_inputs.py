# SPDX-License-Identifier: MIT
"""What several commands take or read: the session, options, evidence files, text files."""

from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError
from .output import Session

EVIDENCE_SIZE_MAX = 256 << 20

SerialOption = Annotated[
    str | None,
    typer.Option("--tag", help="The tag's serial, such as ST-0001.", metavar="SERIAL"),
]
TicketOption = Annotated[
    str | None,
    typer.Option("--ticket", help="The ticket to use, by name or file.", metavar="NAME"),
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
    """The bytes of an evidence file. Raises UsageError for none, an empty or a huge one."""
    raw = read_input(path, EVIDENCE_SIZE_MAX)
    if not raw:
        raise UsageError(f"{path}: is empty", "The evidence never arrived: sync again.")
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
