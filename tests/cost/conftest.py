# SPDX-License-Identifier: MIT
"""Counts made once for all tests, and firmware with one place changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cost.signing import all_counts
from tests.cost.size import PACKAGE
from tests.paths import FIRMWARE

EditFirmware = Callable[[str, str, str], Path]


@pytest.fixture(scope="session")
def counts() -> dict[tuple[str, str], int]:
    """Every count of the signing code, by (architecture, name)."""
    return all_counts()


@pytest.fixture
def edit_firmware(tmp_path: Path) -> EditFirmware:
    """Copies the signing code and changes *old* to *new* in one file; returns the copy's root."""

    def edit(file: str, old: str, new: str) -> Path:
        package = tmp_path / "firmware" / PACKAGE
        shutil.copytree(FIRMWARE / PACKAGE, package, ignore=lambda *_: ["__pycache__"])
        (package.parent / "__init__.py").write_text("")
        source = (package / file).read_text()
        assert old in source, f"{file} has no {old!r} any more: plant this mutant elsewhere"
        (package / file).write_text(source.replace(old, new, 1))
        return tmp_path / "firmware"

    return edit
