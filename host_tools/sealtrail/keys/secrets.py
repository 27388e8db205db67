# SPDX-License-Identifier: MIT
"""Secrets at rest: every key file is sealed under one passphrase per home.

File = "SEALTRAIL-SECRET 1\\n" | log2(n) u8 | r u8 | p u8 | salt 16 | file salt 16
       | nonce 12 | box.
master = scrypt(passphrase, salt), RFC 7914: one salt a home, so one slow step a command.
key = HMAC-SHA256(master, file salt). The box is ChaCha20-Poly1305, RFC 8439, over the
secret, with header and *label* authenticated: a file put in the place of another is
refused. Files have mode 0600 and are written whole or not at all.

The passphrase comes from a prompt, or from the file or descriptor named by
SEALTRAIL_PASSPHRASE_FILE (a path, `fd:3`, or `keyring:NAME`). Never from arguments, and
never as the value of a variable: both are visible to other processes.
"""

import contextlib
import functools
import getpass
import hmac
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sealtrail import atomic
from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.home import Home
from sealtrail.keys import keyring_source

PASSPHRASE_VARIABLE = "SEALTRAIL_PASSPHRASE_FILE"
BACKUP_PASSPHRASE_VARIABLE = "SEALTRAIL_BACKUP_PASSPHRASE_FILE"
PASSPHRASE_SIZE_MIN = 8
_PASSPHRASE_SIZE_MAX = 1024
MAGIC = b"SEALTRAIL-SECRET 1\n"
_LOG_N, _R, _P = 15, 8, 1  # 32 MiB and about 0.1 s for every guess
_SALT_SIZE, _NONCE_SIZE, _TAG_SIZE = 16, 12, 16
_COST_SIZE = len(MAGIC) + 3
_HEADER_SIZE = _COST_SIZE + 2 * _SALT_SIZE + _NONCE_SIZE
_FILE_SIZE_MAX = 65_536
_CHECK_TEXT = b"sealtrail passphrase"


class Vault:
    """Seals and opens the secret files of one home; asks for the passphrase once."""

    def __init__(
        self,
        home: Home,
        ask: Callable[[str], str] | None = None,
        passphrase: bytes | None = None,
    ) -> None:
        """*passphrase*: what a new home is sealed with, when nobody is to be asked."""
        self._home = home
        self._ask = ask or prompt
        self._given = passphrase
        self._passphrase: bytes | None = None

    def write(self, path: Path, secret: bytes, label: str) -> None:
        """Seals *secret* into *path*, durable on return."""
        passphrase = self.unlock()
        self._home.make(path.parent)
        salt = _read_file(self._home.passphrase_check)[_COST_SIZE : _COST_SIZE + _SALT_SIZE]
        atomic.write_bytes(path, seal(secret, passphrase, label, salt), mode=0o600)

    def read(self, path: Path, label: str) -> bytes:
        """Opens *path*. Raises AccessRefused for a wrong passphrase or a damaged file."""
        sealed = _read_file(path)
        return unseal(sealed, self.unlock(), label, str(path))

    def unlock(self) -> bytes:
        """The passphrase, checked against the home's other secrets.

        Commands that will need a secret call this before they touch a tag. The first use
        of a home sets the passphrase. Raises AccessRefused.
        """
        if self._passphrase is None:
            is_new = not self._home.passphrase_check.exists()
            passphrase = self._obtain(is_new)
            self._note_first_use(passphrase) if is_new else self._check(passphrase)
            self._passphrase = passphrase
        return self._passphrase

    def _obtain(self, is_new: bool) -> bytes:
        if self._given is not None:
            return self._given
        return obtain(PASSPHRASE_VARIABLE, "passphrase", self._ask, is_new)

    def _note_first_use(self, passphrase: bytes) -> None:
        path = self._home.passphrase_check
        self._home.make(path.parent)
        atomic.write_bytes(path, seal(_CHECK_TEXT, passphrase, "check"), mode=0o600)

    def _check(self, passphrase: bytes) -> None:
        path = self._home.passphrase_check
        unseal(_read_file(path), passphrase, "check", str(path))


def is_named(variable: str) -> bool:
    """Whether the environment names a source for this passphrase."""
    return bool(os.environ.get(variable, "").strip())


def obtain(variable: str, what: str, ask: Callable[[str], str], is_new: bool) -> bytes:
    """The passphrase from where *variable* points, else asked for; a new one twice.

    Raises UsageError for a new one that is short or typed differently, AccessRefused
    where there is none.
    """
    source = os.environ.get(variable, "").strip()
    if source:
        passphrase = _passphrase_from(source, variable)
    else:
        passphrase = ask(f"New {what}: " if is_new else f"{what.capitalize()}: ").encode()
        if is_new and ask("Once more: ").encode() != passphrase:
            raise UsageError("the two passphrases differ", "Repeat the command.")
    if is_new and len(passphrase) < PASSPHRASE_SIZE_MIN:
        raise UsageError(f"the passphrase is shorter than {PASSPHRASE_SIZE_MIN} characters")
    return passphrase


def seal(secret: bytes, passphrase: bytes, label: str, salt: bytes | None = None) -> bytes:
    """The sealed form of *secret*; file salt and nonce are new every time.

    *salt* is the home's, 16 bytes; None makes one.
    """
    home_salt = salt or secrets.token_bytes(_SALT_SIZE)
    fresh = secrets.token_bytes(_SALT_SIZE + _NONCE_SIZE)
    header = MAGIC + bytes((_LOG_N, _R, _P)) + home_salt + fresh
    box = ChaCha20Poly1305(_file_key(passphrase, header))
    return header + box.encrypt(header[-_NONCE_SIZE:], secret, header + label.encode())


def unseal(sealed: bytes, passphrase: bytes, label: str, where: str) -> bytes:
    """The secret in *sealed*; *where* names it in errors.

    Raises StorageError when it is no such file, AccessRefused when it does not open.
    """
    header = sealed[:_HEADER_SIZE]
    _check_header(header, len(sealed), where)
    box = ChaCha20Poly1305(_file_key(passphrase, header))
    with contextlib.suppress(InvalidTag):
        return box.decrypt(header[-_NONCE_SIZE:], sealed[_HEADER_SIZE:], header + label.encode())
    raise AccessRefused(
        f"{where}: wrong passphrase, or the file was changed",
        f"Type it again, or check {PASSPHRASE_VARIABLE}.",
    )


def _check_header(header: bytes, size: int, where: str) -> None:
    parameters = tuple(header[len(MAGIC) : _COST_SIZE])
    is_whole = header.startswith(MAGIC) and size >= _HEADER_SIZE + _TAG_SIZE
    # Costs come from the file, so bound them: 2^20 and r = 8 is a gigabyte.
    if is_whole and 15 <= parameters[0] <= 20 and parameters[1:] == (_R, _P):
        return
    raise StorageError(
        f"{where}: not a sealed sealtrail file of version 1", "Restore it from a back-up."
    )


def _file_key(passphrase: bytes, header: bytes) -> bytes:
    salts = header[_COST_SIZE:-_NONCE_SIZE]
    master = _stretch(passphrase, header[len(MAGIC)], salts[:_SALT_SIZE])
    return hmac.digest(master, salts[_SALT_SIZE:], "sha256")


@functools.lru_cache(maxsize=4)
def _stretch(passphrase: bytes, log_n: int, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log_n, r=_R, p=_P).derive(passphrase)


def _read_file(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_FILE_SIZE_MAX)
    except FileNotFoundError:
        raise AccessRefused(f"{path}: this key is not on this computer") from None
    except OSError as problem:
        raise StorageError(f"{path}: cannot read: {problem.strerror}") from problem


def _passphrase_from(source: str, variable: str) -> bytes:
    """The first line of a file or of an open descriptor (`fd:3`), or `keyring:NAME`."""
    if source.startswith(keyring_source.PREFIX):
        return keyring_source.passphrase_in(source)
    try:
        opened = int(source[3:]) if source.startswith("fd:") else source
        with open(opened, "rb") as file:
            text = file.read(_PASSPHRASE_SIZE_MAX).split(b"\n", 1)[0].rstrip(b"\r")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise AccessRefused(
            f"{variable}={source}: cannot read: {reason}",
            "Name a file whose first line is the passphrase.",
        ) from None
    if not text:
        raise AccessRefused(f"{variable}={source}: the first line is empty")
    return text


def prompt(text: str) -> str:
    """Asks whoever sits at the terminal, unseen. Raises AccessRefused where nobody does."""
    if not sys.stdin.isatty():
        raise AccessRefused(
            "the keys are sealed and there is nobody to ask for the passphrase",
            f"Name a file with it in {PASSPHRASE_VARIABLE}.",
        )
    return getpass.getpass(text, sys.stderr)
