# SPDX-License-Identifier: MIT
"""Writes a file whole or not at all.

The bytes go to a temporary file in the same folder, are flushed to the disk, and take the
final name by one rename; then the folder itself is flushed. A power cut at any point
leaves the old file or the new one, never a mixture. A failure leaves no temporary file.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from sealtrail.errors import StorageError, UsageError

_MODE_DEFAULT = 0o644


def write_bytes(path: Path | str, data: bytes, mode: int | None = None) -> None:
    """Replaces *path* by *data*, durable on return.

    *mode* is the permission of the file; None keeps the replaced file's, or 0644. A secret
    needs 0o600 here: the temporary file is created with it, so no moment is readable.
    A symbolic link is followed, so that the link stays. Raises StorageError when the
    folder is missing, full or read-only, UsageError when *path* is a folder, device or
    pipe; *path* is then unchanged.
    """
    target = Path(os.path.realpath(path))
    scratch = target.parent / f".{target.name[:100]}.{secrets.token_hex(6)}.tmp"
    try:
        kept_mode = _mode_of(target)
        _write_durable(scratch, data, kept_mode if mode is None else mode)
        # A power cut before this line leaves the old file, after it the new one.
        os.replace(scratch, target)
        sync_folder(target.parent)
    except OSError as problem:
        raise StorageError(
            f"{path}: not written: {problem.strerror or problem}",
            "Check free space and rights of the folder; the old file is unchanged.",
        ) from problem
    finally:
        # After the rename there is nothing to remove; after any failure there may be.
        with contextlib.suppress(OSError):
            scratch.unlink()


def write_text(path: Path | str, text: str, mode: int | None = None) -> None:
    """Replaces *path* by *text* as UTF-8; line ends stay as they are. See `write_bytes`."""
    write_bytes(path, text.encode("utf-8"), mode)


def check_target(path: Path | str) -> None:
    """Finds out whether `write_bytes` may work on *path*; for all of several, before the first.

    Raises StorageError without a writable folder, UsageError where *path* is no plain file.
    """
    target = Path(os.path.realpath(path))
    try:
        _mode_of(target)
        is_writable = os.access(target.parent.resolve(strict=True), os.W_OK | os.X_OK)
        reason = "" if is_writable else "its folder is not writable"
    except OSError as problem:
        reason = problem.strerror or str(problem)
    if not reason and not target.parent.is_dir():
        reason = "Not a directory"
    if reason:
        raise StorageError(f"{path}: not written: {reason}", "Check the folder and its rights.")


def sync_folder(folder: Path) -> None:
    """Flushes a folder's entries, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mode_of(target: Path) -> int:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return _MODE_DEFAULT
    if not stat.S_ISREG(mode):
        # The rename would put a plain file in the place of a device or a pipe.
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise UsageError(f"{target}: is {kind}, not a file that can be replaced")
    return stat.S_IMODE(mode)


def _write_durable(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
