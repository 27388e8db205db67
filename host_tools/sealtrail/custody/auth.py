# SPDX-License-Identifier: MIT
"""How this machine shows a capture server who it is: not at all, by password, by token.

The secret lies in a file that only its owner can read. It never stands in an argument, a
log, an error or the outbox, and never leaves over plain HTTP except to this same machine.
"""

import base64
import os
import stat
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from sealtrail.errors import UsageError

_SIZE_MAX = 16_384
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class AuthKind(Enum):
    """The scheme of the Authorization header."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Auth:
    """*user* is for BASIC only. *secret_path* holds the password or the token."""

    kind: AuthKind = AuthKind.NONE
    user: str = ""
    secret_path: Path | None = field(default=None, repr=False)

    def headers(self, server: str) -> dict[str, str]:
        """The header for *server*. Reads the file anew, so a renewed token is used at once.

        Raises UsageError when the file is unreadable or open to others, or when *server* is
        another machine without TLS.
        """
        if self.kind is AuthKind.NONE:
            return {}
        parts = urlsplit(server)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise UsageError(f"{server}: a password or token is sent over https only")
        secret = _read_secret(self.secret_path)
        if self.kind is AuthKind.BEARER:
            return {"Authorization": f"Bearer {secret}"}
        if not self.user or ":" in self.user:
            raise UsageError("basic authorisation needs a user name without a colon")
        pair = base64.b64encode(f"{self.user}:{secret}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}


def _read_secret(path: Path | None) -> str:
    if path is None:
        raise UsageError("authorisation needs a file with the password or token")
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise UsageError(f"{path}: others can read this secret", f"Run: chmod 600 {path}")
        raw = path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path}: not readable: {problem.strerror}") from problem
    try:
        secret = raw[: _SIZE_MAX + 1].decode("utf-8").strip()
    except UnicodeDecodeError as problem:
        raise UsageError(f"{path}: not text") from problem
    if not secret or len(raw) > _SIZE_MAX or not secret.isprintable():
        raise UsageError(f"{path}: not one line with a password or token")
    return secret
