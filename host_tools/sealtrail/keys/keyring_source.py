# SPDX-License-Identifier: MIT
"""A passphrase from the keyring of the operating system (PyPI `keyring`, optional).

SEALTRAIL_PASSPHRASE_FILE=keyring:NAME takes it from the entry of service "sealtrail" and
user NAME, which `keyring set sealtrail NAME` makes. Whoever is logged in can then use the
home's keys: it suits a workstation, not the computer of the fleet key.
"""

from sealtrail.errors import AccessRefused

PREFIX = "keyring:"
_SERVICE = "sealtrail"


def passphrase_in(source: str) -> bytes:
    """The passphrase of *source*, "keyring:NAME". Raises AccessRefused."""
    name = source.removeprefix(PREFIX)
    try:
        import keyring  # noqa: PLC0415 -- optional, and slow to load
        import keyring.errors  # noqa: PLC0415
    except ImportError:
        raise AccessRefused(
            f"{source}: the Python package 'keyring' is not installed",
            "Install sealtrail[keyring], or name a file with the passphrase.",
        ) from None
    try:
        found = keyring.get_password(_SERVICE, name)
    except keyring.errors.KeyringError as problem:
        raise AccessRefused(
            f"{source}: the keyring cannot be used ({type(problem).__name__})",
            "Unlock it, or name a file with the passphrase.",
        ) from None
    if not found:
        raise AccessRefused(
            f"{source}: there is no such entry", f"`keyring set {_SERVICE} {name}` makes it."
        )
    return found.encode()
