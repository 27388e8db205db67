# SPDX-License-Identifier: MIT
"""Public keys of people: read from the forms people have them in, and this home's own.

Ed25519 only: 64 hex digits, base64 (alone or behind the word ed25519), PEM, or a line of
OpenSSH (`ssh-ed25519 ...`).
"""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

from sealtrail.errors import UsageError
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault

OWN_KEY_LABEL = "person key"
_FILE_SIZE_MAX = 8192


def read_public_key(path: Path) -> bytes:
    """The Ed25519 public key in a file, 32 bytes. Raises UsageError.

    A private key is refused by name: it should never have come here.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_FILE_SIZE_MAX).strip()
    except OSError as problem:
        raise UsageError(f"{path}: cannot read: {problem.strerror}") from problem
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path}: is a private key", "Give the public one; keep this at home.")
    try:
        key = _decoded(content)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        key = b""
    if len(key) != 32:
        raise UsageError(
            f"{path}: is no Ed25519 public key",
            "64 hex digits, base64, PEM, or a line ssh-ed25519 AAAA....",
        )
    return key


def own_key(home: Home, vault: Vault) -> Ed25519PrivateKey:
    """The key of the person this home belongs to; made at the first use."""
    with home.lock("me"):
        if not home.own_key.exists():
            made = Ed25519PrivateKey.generate()
            vault.write(home.own_key, made.private_bytes_raw(), OWN_KEY_LABEL)
            return made
        return Ed25519PrivateKey.from_private_bytes(vault.read(home.own_key, OWN_KEY_LABEL))


def _decoded(content: bytes) -> bytes:
    if content.startswith(b"-----BEGIN"):
        return _raw(load_pem_public_key(content))
    if content.startswith(b"ssh-"):
        return _raw(load_ssh_public_key(content))
    words = content.decode("ascii").split()
    word = words[1] if len(words) > 1 and words[0] == "ed25519" else "".join(words)
    if len(word) == 64:
        return bytes.fromhex(word)
    return base64.b64decode(word, validate=True)


def _raw(key: object) -> bytes:
    return key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else b""
