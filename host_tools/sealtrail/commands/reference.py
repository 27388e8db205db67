# SPDX-License-Identifier: MIT
"""Writes docs/cli.md from the commands themselves: `python -m sealtrail.commands.reference`.

tests/unit/test_cli.py fails when the file and the commands differ.
"""

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from sealtrail.cli import EXIT_CODES, app

_INTRODUCTION = """\
<!-- Written by `python -m sealtrail.commands.reference`; change the commands, not this file. -->

# The `sealtrail` command

Answers go to stdout, progress and errors to stderr. An error is one line,
`sealtrail: what happened. what to do next.`, never a traceback. `--json`, `--quiet`, `-v`
and `--home` may stand before or after the command. With `--json` there is exactly one
object on stdout; after an error there is none, but for `verify`. Files are written whole or
not at all.

Passphrases are asked for, or read from the first line of the file named by
`SEALTRAIL_PASSPHRASE_FILE` (a path, `fd:3`, or `keyring:NAME` for the system's keyring);
that of a back-up likewise by `SEALTRAIL_BACKUP_PASSPHRASE_FILE`. `SEALTRAIL_HOME` is where
keys and evidence are kept (default `~/.local/share/sealtrail`). `SEALTRAIL_CLOCK_OFFSET_S`
turns the clock in simulations; every answer then carries `"simulated_clock": true`.
"""


def reference() -> str:
    """The whole of docs/cli.md."""
    command = typer.main.get_command(app)
    lines = [_INTRODUCTION, "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {text} |" for code, text in EXIT_CODES]
    lines += ["", "## Options of every command", "", *_options(command), ""]
    for path, one in _leaves(command, "sealtrail"):
        lines += _section(path, one)
    return "\n".join(lines).rstrip() + "\n"


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if not children:
        yield path, command
        return
    for name, child in children.items():
        yield from _leaves(child, f"{path} {name}")


def _section(path: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    names = [_argument_text(p) for p in arguments]
    yield f"## `{' '.join([path, *names])}`"
    yield ""
    yield from _prose(inspect.cleandoc(command.help or ""))
    rows = [*_arguments(arguments), *_options(command)]
    if rows:
        yield from [*rows, ""]


def _prose(text: str) -> Iterator[str]:
    """Help as Markdown: a block after \\b keeps its lines."""
    for block in text.split("\n\n"):
        if block.startswith("\b"):
            yield from ["```text", *block.removeprefix("\b").strip("\n").splitlines(), "```"]
        else:
            yield block
        yield ""


def _argument_text(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper()
    return name if parameter.required else f"[{name}]"


def _arguments(parameters: list[Any]) -> Iterator[str]:
    for parameter in parameters:
        yield f"* `{_argument_text(parameter)}`: {parameter.help or ''}"


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            value = "" if parameter.is_flag else f" {_metavar(parameter)}"
            names = ", ".join(sorted(parameter.opts, key=len, reverse=True))
            needed = " (required)" if parameter.required else ""
            yield f"* `{names}{value}`: {parameter.help or ''}{needed}{_default(parameter)}"


def _metavar(parameter: Any) -> Any:
    described = getattr(parameter, "type_descriptor", None)
    kind = str(getattr(described, "annotation", ""))
    words = {"int": "NUMBER", "Path": "FILE"}
    return parameter.metavar or next((w for k, w in words.items() if k in kind), "TEXT")


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if parameter.is_flag or value in {None, ""} else f" Default: {value}."


if __name__ == "__main__":
    sys.stdout.write(reference())
