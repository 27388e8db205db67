# SPDX-License-Identifier: MIT
"""Which archive this home delivers to: sync.json, {"url", "token_file"}; or the options."""

import json
from dataclasses import dataclass
from pathlib import Path

from sealtrail import atomic
from sealtrail.archive_client.client import ArchiveClient, checked_url
from sealtrail.custody.auth import Auth, AuthKind
from sealtrail.errors import StorageError, UsageError
from sealtrail.home import Home


@dataclass(frozen=True, slots=True)
class ArchiveSetting:
    """An archive and the file that holds this client's token (mode 0600)."""

    url: str
    token_file: Path

    def client(self, timeout_s: float = 30.0) -> ArchiveClient:
        """Raises UsageError for a token that others can read, or that would go in clear."""
        return ArchiveClient(self.url, Auth(AuthKind.BEARER, "", self.token_file), timeout_s)

    def keep(self, home: Home) -> Path:
        """Makes it this home's archive, durable on return; the token stays where it is."""
        home.make(home.root)
        content = {"url": self.url, "token_file": str(self.token_file)}
        atomic.write_text(_path(home), json.dumps(content) + "\n", mode=0o600)
        return _path(home)


def chosen(home: Home, url: str | None, token_file: Path | None) -> ArchiveSetting | None:
    """What the options name, else the home's own; None where there is neither."""
    kept = _kept(home)
    if url is None:
        if token_file is not None:
            raise UsageError("--archive-token goes with --archive")
        return kept
    file = token_file or (kept.token_file if kept and kept.url == checked_url(url) else None)
    if file is None:
        raise UsageError(
            "--archive needs --archive-token FILE", "`sealtrail archive client add` makes a token."
        )
    return ArchiveSetting(checked_url(url), file.expanduser().absolute())


def kept_url(home: Home) -> str | None:
    """The address of the home's archive; None where it names none. Raises StorageError."""
    kept = _kept(home)
    return None if kept is None else kept.url


def _kept(home: Home) -> ArchiveSetting | None:
    path = _path(home)
    try:
        content = json.loads(path.read_text("utf-8"))
        return ArchiveSetting(checked_url(content["url"]), Path(content["token_file"]))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise StorageError(f"{path}: cannot read: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError):
        raise StorageError(
            f"{path}: is damaged", "`sealtrail archive use` writes it anew."
        ) from None


def _path(home: Home) -> Path:
    return home.root / "sync.json"
