# SPDX-License-Identifier: MIT
"""Where tests find things: the repository and, where it exists, the public test data beside it."""

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
FIRMWARE = REPO / "firmware"
_SHARED = REPO.parent / "shared"
SHARED: Path | None = _SHARED if (_SHARED / "data").is_dir() else None


def shared_data(relative: str) -> Path:
    """The path of a public data file; skips the calling test where the folder is not there."""
    if SHARED is None:
        pytest.skip(f"public test data {relative} is not beside the checkout (../shared/data)")
    return SHARED / "data" / relative
