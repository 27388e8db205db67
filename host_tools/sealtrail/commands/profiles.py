# SPDX-License-Identifier: MIT
"""Commands on what a trip is about: profile check, show; coi check. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from pathlib import Path
from typing import Annotated

import typer

from sealtrail.commands.fleet import OWNER_PANEL
from sealtrail.commands.inputs import TripOption, session_of

_profile = typer.Typer(
    help="Trip profiles: how often to read, what is an alarm.", no_args_is_help=True
)
_coi = typer.Typer(help="Chain-of-identity references.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Gives the main command these groups."""
    app.add_typer(_profile, name="profile", rich_help_panel=OWNER_PANEL)
    app.add_typer(_coi, name="coi", rich_help_panel=OWNER_PANEL)


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
