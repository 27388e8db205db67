# SPDX-License-Identifier: MIT
"""Several files as one step: what is to be written stands in one sealed file first.

    commit: fleet/rotation.redo appears by one rename     <- before: nothing has happened
    finish: each file is written, then the redo file goes <- after: it will happen

A power cut before the rename leaves the old files. One after it leaves the redo file, and
whoever opens the fleet next finishes first; writing a file twice changes nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

from sealtrail import atomic
from sealtrail.errors import StorageError
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault

_LABEL = "rotation"


@dataclass(frozen=True, slots=True)
class Write:
    """One file below the home. *label*: sealed under it; None: public, as it is."""

    path: Path
    content: bytes
    label: str | None = None


def is_open(home: Home) -> bool:
    """True when a step was decided and not finished."""
    return home.redo.exists()


def commit(home: Home, vault: Vault, writes: list[Write]) -> None:
    """Decides the step, durable on return. The caller holds the fleet's lock."""
    rows = [[str(w.path.relative_to(home.root)), w.content, w.label] for w in writes]
    vault.write(home.redo, cbor2.dumps({"version": 1, "writes": rows}), _LABEL)


def finish(home: Home, vault: Vault) -> bool:
    """Does what was decided; False when nothing was. The caller holds the fleet's lock."""
    if not is_open(home):
        return False
    for path, content, label in _rows(home, vault):
        if label is None:
            home.make(path.parent)
            atomic.write_bytes(path, content, mode=0o644)
        else:
            vault.write(path, content, label)
    # A cut before this line: all of it is written once more.
    try:
        home.redo.unlink()
        atomic.sync_folder(home.redo.parent)
    except OSError as problem:
        raise StorageError(f"{home.redo}: cannot remove: {problem.strerror}") from problem
    return True


def _rows(home: Home, vault: Vault) -> list[tuple[Path, bytes, str | None]]:
    content: Any = cbor2.loads(vault.read(home.redo, _LABEL))
    if content.get("version") != 1:
        raise StorageError(f"{home.redo}: of another version", "Use the newest sealtrail.")
    return [(home.root / path, raw, label) for path, raw, label in content["writes"]]
