# SPDX-License-Identifier: MIT
"""The `sealtrail` command: global options, every command's place, and how errors end.

Commands live in `sealtrail.commands`, one module a noun; they parse, call, print.
Whatever goes wrong becomes one line on stderr, "sealtrail: what. what to do next", and an
exit code of docs/cli.md. A traceback never reaches the user.
"""

# ruff: noqa: PLC0415 -- what only an error needs is loaded when there is one

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from sealtrail import __version__
from sealtrail.clock import HostClock, iso
from sealtrail.commands import archive as cli_archive
from sealtrail.commands import decommission as cli_decommission
from sealtrail.commands import evidence as cli_evidence
from sealtrail.commands import fleet as cli_fleet
from sealtrail.commands import gateway as cli_gateway
from sealtrail.commands import persons as cli_persons
from sealtrail.commands import phone as cli_phone
from sealtrail.commands import profiles as cli_profiles
from sealtrail.commands import revoke as cli_revoke
from sealtrail.commands import service as cli_service
from sealtrail.commands import tag as cli_tag
from sealtrail.commands import tickets as cli_tickets
from sealtrail.commands import trip as cli_trip
from sealtrail.commands import upload as cli_upload
from sealtrail.commands import visit as cli_visit
from sealtrail.commands.output import Session
from sealtrail.errors import LinkError, SealtrailError, StorageError, UsageError, one_line
from sealtrail.home import Home

EXIT_CODES = (
    (0, "done; `verify`: proved, and proved complete"),
    (1, "evidence refused: a rule is broken; the line names rule and record"),
    (2, "wrong usage, or input that is missing, empty, cut off or not of this kind"),
    (3, "valid, but not proved complete"),
    (4, "a tag, radio or network failed; repeating is safe"),
    (5, "access refused: ticket, passphrase or right is missing"),
    (6, "this computer could not store or read what it must"),
    (130, "interrupted with Ctrl-C"),
)
_INTERRUPTED = 130
_UNEXPECTED = 6
_FLAGS = {"--json", "--quiet", "-q", "--verbose", "-v"}
_HELP = """Signed custody and temperature evidence from smart shippers.

A tag's life: `fleet init`, `flash`, `provision`, `trip start`, `sync`, `handover`,
`verify`, `report`, `custody`, `upload`. Each command's --help shows examples.

--json, --quiet, -v and --home may stand before or after the command.
"""
_EPILOG = "Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXIT_CODES)

app = typer.Typer(
    name="sealtrail",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _part in (
    *(cli_fleet, cli_service, cli_persons, cli_tickets, cli_revoke, cli_profiles),
    *(cli_tag, cli_decommission, cli_visit, cli_gateway, cli_trip, cli_evidence, cli_upload),
    *(cli_archive, cli_phone),
):
    _part.add_to(app)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"sealtrail {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Where keys and evidence are kept. [SEALTRAIL_HOME]", metavar="FOLDER"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors; see the exit code.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more about what is done.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    context.obj = Session(Home.find(home), HostClock.from_environment(), json, quiet, verbose)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. Never raises."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        sys.stdout.flush()  # here, where a full disk or a closed pipe still is an answer
        return code
    except KeyboardInterrupt:
        return _end("interrupted", "", _INTERRUPTED)
    except BrokenPipeError:
        _drop_stdout()  # the reader has gone: nothing can be said
        return StorageError.exit_code
    except SealtrailError as problem:
        return _end(problem.message, problem.hint, problem.exit_code)
    except OSError as problem:
        _drop_stdout()  # if it was stdout that failed, Python would try it again at exit
        known = _classified(problem)
        return _end(known.message, known.hint, known.exit_code)
    except Exception as problem:  # the last resort: nothing else stands above this
        return _unexpected(problem, given)


def _run(given: list[str]) -> int:
    from typer.exceptions import Abort, TyperException

    try:
        result: Any = app(_hoisted(given), prog_name="sealtrail", standalone_mode=False)
    except TyperException as problem:
        return _usage_error(problem)
    except Abort:
        raise KeyboardInterrupt from None
    except SystemExit as problem:
        # Typer leaves like this when the reader of a pipe has gone.
        if problem.code in {0, None}:
            return 0
        raise BrokenPipeError from None
    if result == _INTERRUPTED:
        raise KeyboardInterrupt  # Typer made a number of it
    return result if isinstance(result, int) else 0


def _hoisted(given: list[str]) -> list[str]:
    """Puts the global options first, wherever they were typed (not behind `--`)."""
    front: list[str] = []
    rest: list[str] = []
    pending = iter(given)
    for word in pending:
        if word == "--":
            rest.append(word)
            rest.extend(pending)
        elif word in _FLAGS or word.startswith("--home="):
            front.append(word)
        elif word == "--home":
            front += [word, *([following] if (following := next(pending, None)) else [])]
        else:
            rest.append(word)
    return front + rest


def _usage_error(problem: Any) -> int:
    message = one_line(problem.format_message()).rstrip(".")
    context = getattr(problem, "ctx", None)
    if type(problem).__name__ == "NoArgsIsHelpError":
        print(context.get_help() if context else problem.format_message())
        return UsageError.exit_code
    command = context.command_path if context else "sealtrail"
    return _end(message, f"`{command} --help` shows how.", UsageError.exit_code)


def _end(message: str, hint: str, code: int) -> int:
    text = one_line(message).rstrip(".")
    stop = "" if text.endswith("?") else "."
    line = f"sealtrail: {text}{stop} {one_line(hint)}".rstrip()
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)
    return code


def _drop_stdout() -> None:
    """Lets what cannot be written go, and lets the flush at exit find nothing to complain of."""
    with contextlib.suppress(OSError, ValueError):
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_INPUT_ERRNOS = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_STORAGE_ERRNOS = {
    *(errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.EEXIST, errno.ENOMEM),
}


def _classified(problem: OSError) -> SealtrailError:
    """The error of ours that an OSError amounts to."""
    where = f"{problem.filename}: " if problem.filename else ""
    text = f"{where}{problem.strerror or problem}"
    if problem.errno in _INPUT_ERRNOS:
        return UsageError(text)
    if problem.errno in _STORAGE_ERRNOS:
        return StorageError(text, "Check free space and rights; then repeat.")
    return LinkError(text, "Repeat.")


def _unexpected(problem: Exception, given: list[str]) -> int:
    kind = type(problem).__name__
    where = _write_details(given)
    hint = f"Details: {where}. Please report this." if where else "Please report this."
    return _end(f"internal error ({kind})", hint, _UNEXPECTED)


def _write_details(given: list[str]) -> Path | None:
    """Keeps the traceback in the home's logs. Arguments hold no secrets by design."""
    import traceback

    now = iso(HostClock().now_ms())
    try:
        named = [w.removeprefix("--home=") for w in given if w.startswith("--home=")]
        named += [b for a, b in pairwise(given) if a == "--home"]
        home = Home.find(Path(named[0]) if named else None)
        path = home.make(home.logs) / f"error-{now.replace(':', '')}-{os.getpid()}.txt"
        command = " ".join(given[:2])
        path.write_text(
            f"sealtrail {__version__}, {now}, {command}\n{traceback.format_exc()}", "utf-8"
        )
    except (OSError, SealtrailError):
        return None
    return path
