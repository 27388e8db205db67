# SPDX-License-Identifier: MIT
"""Commands by radio: scan, status, trip, sync, handover. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast
import typer


def add_to(app: typer.Typer) -> None:
    """Gives the main command these commands."""
