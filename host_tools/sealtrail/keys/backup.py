# SPDX-License-Identifier: MIT
"""One file with everything a home must not lose, sealed; and back into an empty home.

File = "SEALTRAIL-BACKUP 1\\n" | sealed | SHA-256 of all before. The sealed part is that of
secrets.py under the label "backup", over CBOR. The hash tells a damaged file from a
wrong passphrase; it protects nothing.

Secrets are taken out of their files and sealed anew at the restore, under the passphrase
of the new home: a back-up under a passphrase of its own helps who forgot the home's.
Restoring builds the home beside its place and moves it there by one rename: a cut leaves
no home, or the whole one.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cbor2

from sealtrail import atomic
from sealtrail.clock import Clock
from sealtrail.errors import StorageError, UsageError
from sealtrail.home import Home
from sealtrail.keys import fleet, redo
from sealtrail.keys.backup_files import chosen_files, label_of, moved_on
from sealtrail.keys.secrets import Vault, seal, unseal

_MAGIC = b"SEALTRAIL-BACKUP 1\n"
_LABEL = "backup"
_HASH_SIZE = 32
_SIZE_MAX = 1 << 30  # of what one file takes


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a back-up holds."""

    file_count: int
    secret_count: int
    size: int
    has_successor: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and from when."""

    file_count: int
    secret_count: int
    made_at_ms: int
    has_successor: bool


def backup(
    home: Home,
    vault: Vault,
    clock: Clock,
    target: Path,
    *,
    passphrase: bytes | None = None,
    with_successor: bool = True,
    with_evidence: bool = False,
) -> BackedUp:
    """Writes the back-up, whole or not at all. *passphrase*: its own; None: the home's."""
    fleet.require(home)
    _refuse_inside(home, target)
    atomic.check_target(target)
    sealing = passphrase if passphrase is not None else vault.unlock()
    with home.lock("fleet"):
        redo.finish(home, vault)
        rows = [
            (str(path), label, _content(home, vault, path, label))
            for path, label in chosen_files(home, with_successor, with_evidence)
        ]
    size = sum(len(content) for _, _, content in rows)
    if size > _SIZE_MAX:
        raise UsageError(f"{size:,} bytes do not fit one back-up", "Leave --evidence out.")
    content = {"version": 1, "made_at_ms": clock.now_ms(), "own": passphrase is not None}
    packed = _MAGIC + seal(cbor2.dumps({**content, "files": rows}), sealing, _LABEL)
    atomic.write_bytes(target, packed + hashlib.sha256(packed).digest(), mode=0o600)
    return BackedUp(
        file_count=len(rows),
        secret_count=sum(1 for _, label, _ in rows if label is not None),
        size=size,
        has_successor=any(name == "fleet/next.key" for name, _, _ in rows),
    )


def restore(
    home: Home,
    source: Path,
    passphrase: Callable[[], bytes],
    ask: Callable[[str], str] | None = None,
) -> Restored:
    """Rebuilds a home from a back-up, whole or not at all.

    *passphrase* gives the back-up's. Where that was the home's, the new home goes on with
    it; where the back-up had its own, the new home's is asked for (*ask*), as at `init`.
    Raises UsageError for a home that is not empty or a file that is damaged or none,
    AccessRefused for a wrong passphrase.
    """
    _refuse_used(home)
    sealed = _sealed(source)
    known = passphrase()
    content = _opened(unseal(sealed, known, _LABEL, str(source)), source)
    rows = [tuple(row) for row in content["files"]]
    staged = Home(home.root.with_name(f".{home.root.name}.restoring"))
    shutil.rmtree(staged.root, ignore_errors=True)  # of a restore that was cut
    try:
        vault = Vault(staged, ask, None if content["own"] else known)
        vault.unlock()
        for name, label, raw in rows:
            _put(staged, vault, name, label, raw)
        _move(staged, home)
    except BaseException:
        shutil.rmtree(staged.root, ignore_errors=True)
        raise
    return Restored(
        file_count=len(rows),
        secret_count=sum(1 for _, label, _ in rows if label is not None),
        made_at_ms=content["made_at_ms"],
        has_successor=any(name == "fleet/next.key" for name, _, _ in rows),
    )


def _content(home: Home, vault: Vault, path: PurePosixPath, label: str | None) -> bytes:
    at = home.root / path
    if label is not None:
        return vault.read(at, label)
    try:
        return at.read_bytes()
    except OSError as problem:
        raise StorageError(f"{at}: cannot read: {problem.strerror}") from problem


def _put(staged: Home, vault: Vault, name: str, label: str | None, raw: bytes) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or label_of(path) != label:
        raise UsageError(f"the back-up names a file that cannot be: {name[:80]}")
    at = staged.root / path
    if label is not None:
        vault.write(at, raw, label)
        return
    staged.make(at.parent)
    atomic.write_bytes(at, moved_on(path, raw), mode=0o644)


def _move(staged: Home, home: Home) -> None:
    try:
        home.root.parent.mkdir(parents=True, exist_ok=True)
        for lock in _files(home.root):
            lock.unlink()
        shutil.rmtree(home.root, ignore_errors=True)
        # A cut before this line leaves no home, after it the whole one.
        staged.root.rename(home.root)
        atomic.sync_folder(home.root.parent)
    except OSError as problem:
        raise StorageError(f"{home.root}: cannot make it: {problem.strerror}") from problem


def _refuse_used(home: Home) -> None:
    used = next((path for path in _files(home.root) if path.suffix != ".lock"), None)
    if used is not None or (home.root.exists() and not home.root.is_dir()):
        raise UsageError(
            f"{home.root}: this home is not empty ({used.name if used else 'a file'})",
            "Restore into another --home; compare; then choose.",
        )


def _refuse_inside(home: Home, target: Path) -> None:
    if home.root.resolve() in target.resolve().parents:
        raise UsageError(
            f"{target}: lies in the home that is backed up", "Choose a place that survives it."
        )


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file()) if root.is_dir() else iter(())


def _sealed(source: Path) -> bytes:
    try:
        with open(source, "rb") as file:
            raw = file.read(2 * _SIZE_MAX)
    except OSError as problem:
        raise UsageError(f"{source}: cannot read: {problem.strerror}") from problem
    if not raw.startswith(_MAGIC):
        raise UsageError(f"{source}: is no back-up of sealtrail")
    if hashlib.sha256(raw[:-_HASH_SIZE]).digest() != raw[-_HASH_SIZE:]:
        raise UsageError(
            f"{source}: is damaged or cut off", "Take another copy. Nothing was restored."
        )
    return raw[len(_MAGIC) : -_HASH_SIZE]


def _opened(raw: bytes, source: Path) -> dict[str, Any]:
    content: Any = cbor2.loads(raw)
    if content.get("version") != 1:
        raise UsageError(f"{source}: a back-up of another version", "Use the newest sealtrail.")
    return dict(content)
