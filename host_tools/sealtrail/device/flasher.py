# SPDX-License-Identifier: MIT
"""Puts the firmware on a tag over its serial line: only what changed, checked by hash.

    compare hashes -> remove main.py -> write each file beside its place -> hash it there
    -> rename -> remove what is no longer ours -> main.py last -> reset

A cut leaves a tag without main.py: it starts nothing, loses no record, and `flash` again
completes it. The log partition is never touched.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sealtrail.device.firmware_build import Image, TagFile, compile_tree
from sealtrail.device.raw_repl import Repl
from sealtrail.errors import DeviceError, LinkError, UsageError, one_line

MICROPYTHON_LIB_VARIABLE = "MICROPYTHON_LIB"
_AIOBLE = "aioble@0.6.2"
_HASH_TIMEOUT_S = 60.0
_MIP_TIMEOUT_S = 180
_SCRATCH = "/flash.tmp"
_START_FILES = ("/main.py", "/boot.py")
# sys.implementation._mpy >> 10, docs.micropython.org/en/latest/reference/mpyfiles.html
_ARCHITECTURES = (
    *("none", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc", "rv64imc"),
)

# Runs on the tag: sha256 of every file of ours, one line each, so one exchange tells all.
_LIST_CODE = """
import os, hashlib, binascii
b = memoryview(bytearray(1024))
def h(p):
 s = hashlib.sha256()
 with open(p, 'rb') as f:
  while 1:
   n = f.readinto(b)
   if not n: break
   s.update(b[:n])
 print(repr((p, binascii.hexlify(s.digest()).decode())))
def w(d):
 try: r = list(os.ilistdir(d))
 except OSError: return
 for e in r:
  p = d + '/' + e[0]
  if e[1] & 0x4000: w(p)
  else: h(p)
"""


class FileRepl(Repl, Protocol):
    """A prompt that can also write files."""

    def write_file(self, path: str, content: bytes, wrote: Callable[[int], None]) -> None:
        """Writes one file of the tag; calls *wrote* with the size of every piece."""


@dataclass(frozen=True, slots=True)
class FlashResult:
    """What was done: counts of files, bytes sent, and where aioble is ("": nowhere)."""

    written_count: int
    kept_count: int
    removed_count: int
    written_size: int
    aioble: str


def flash(repl: FileRepl, image: Image, progress: Callable[[int, int], None]) -> FlashResult:
    """Makes the tag's files equal to *image*. Does not reset the tag.

    Raises UsageError when the board is of another kind, DeviceError when a file arrived
    damaged or does not fit, LinkError when the line failed.
    """
    check_architecture(repl, image.mpy_arch)
    found = _hashes(repl, image)
    changed = [file for file in image.files if found.get(file.path) != file.sha256]
    stale = sorted(set(found) - {file.path for file in image.files} - set(_START_FILES))
    if changed or stale:
        # From here to the end a cut leaves a tag that starts nothing.
        _remove(repl, [path for path in _START_FILES if path in found])
        changed += [f for f in image.files if f.path in _START_FILES and f not in changed]
        # Old files go first: a full file system could not take the new ones.
        _remove(repl, stale)
    _write_all(repl, changed, progress)
    return FlashResult(
        written_count=len(changed),
        kept_count=len(image.files) - len(changed),
        removed_count=len(stale),
        written_size=sum(len(file.content) for file in changed),
        aioble=_where_aioble_is(repl),
    )


def check_architecture(repl: Repl, wanted: str) -> None:
    """Refuses to put one processor's code on another. Raises UsageError."""
    code = "import sys\nprint(getattr(sys.implementation, '_mpy', 0) >> 10 & 15)"
    said = repl.run(code).strip()
    number = int(said) if said.isdecimal() else 0
    found = _ARCHITECTURES[number] if number < len(_ARCHITECTURES) else f"number {number}"
    if found != wanted:
        raise UsageError(
            f"this tag's processor is '{found}'; the board needs '{wanted}'",
            "Is --board right?",
        )


def copy_aioble(repl: FileRepl, checkout: str, arch: str) -> str:
    """Compiles aioble from a micropython-lib checkout onto the tag; returns its place there.

    Raises UsageError when there is none in *checkout*.
    """
    folder = Path(checkout) / "micropython" / "bluetooth" / "aioble" / "aioble"
    if not (folder / "__init__.py").is_file():
        raise UsageError(f"{MICROPYTHON_LIB_VARIABLE}={checkout}: holds no aioble")
    _write_all(repl, list(compile_tree(folder, "/lib/aioble", arch)), lambda done, total: None)
    return _where_aioble_is(repl)


def fetch_aioble(port: str) -> None:
    """Has mip fetch aioble onto the tag; the port must be closed. Raises LinkError."""
    command = [sys.executable, "-m", "mpremote", "connect", port, "mip", "install", _AIOBLE]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_MIP_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LinkError("`mip install aioble` did not end", "Is there a network?") from None
    if done.returncode != 0:
        said = one_line((done.stderr.strip() or done.stdout).strip().rpartition("\n")[2])[:160]
        raise LinkError(
            f"aioble could not be installed: {said}",
            f"Without a network, name a micropython-lib checkout in {MICROPYTHON_LIB_VARIABLE}.",
        )


def _where_aioble_is(repl: Repl) -> str:
    # Looks for the file only: importing it would start the radio's module.
    code = (
        "import sys, os\n"
        "def e(p):\n"
        " try: os.stat(p); return 1\n"
        " except OSError: return 0\n"
        "r=''\n"
        "for d in sys.path:\n"
        " b=(d+'/' if d else '/')+'aioble'\n"
        " if d!='.frozen' and not r and (e(b) or e(b+'.py') or e(b+'.mpy')): r=b\n"
        "print(r)"
    )
    return repl.run(code).strip()


def _hashes(repl: Repl, image: Image) -> dict[str, str]:
    singles = [file.path for file in image.files if file.path.count("/") == 1]
    calls = [f"w({folder!r})" for folder in image.owned_folders]
    calls += [
        f"try: h({path!r})\nexcept OSError: pass" for path in {*singles, *_START_FILES, _SCRATCH}
    ]
    printed = repl.run(_LIST_CODE + "\n".join(calls), _HASH_TIMEOUT_S)
    found: dict[str, str] = {}
    for line in printed.splitlines():
        if re.fullmatch(r"\('[^\n]*', '[0-9a-f]{64}'\)", line.strip()):
            path, digest = ast.literal_eval(line.strip())
            found[path] = digest
    return found


def _remove(repl: Repl, paths: list[str]) -> None:
    if paths:
        repl.run(f"import os\nfor p in {paths!r}: os.remove(p)", _HASH_TIMEOUT_S)


def _write_all(repl: FileRepl, files: list[TagFile], progress: Callable[[int, int], None]) -> None:
    total = sum(len(file.content) for file in files)
    sent = 0

    def wrote(size: int) -> None:
        nonlocal sent
        sent += size
        progress(sent, total)

    _make_folders(repl, files)
    for file in files:
        _write_one(repl, file, wrote)


def _make_folders(repl: Repl, files: list[TagFile]) -> None:
    folders = {
        str(parent)
        for file in files
        for parent in Path(file.path).parents
        if str(parent) not in {"/", "."}
    }
    if folders:
        code = (
            "import os\n"
            f"for p in {sorted(folders)!r}:\n"
            " try: os.mkdir(p)\n"
            " except OSError as e:\n"
            "  if e.args[0]!=17: raise"  # EEXIST
        )
        repl.run(code)


def _write_one(repl: FileRepl, file: TagFile, wrote: Callable[[int], None]) -> None:
    try:
        repl.write_file(_SCRATCH, file.content, wrote)
        said = repl.run(f"{_LIST_CODE}h({_SCRATCH!r})", _HASH_TIMEOUT_S)
        if file.sha256 not in said:
            raise DeviceError(f"{file.path}: arrived damaged on the tag", "Flash it again.")
        # Before this rename the old file is whole, after it the new one is.
        repl.run(f"import os\nos.rename({_SCRATCH!r},{file.path!r})")
    except DeviceError as problem:
        if "ENOSPC" in problem.message or "OSError: 28" in problem.message:
            raise DeviceError(
                f"{file.path}: the tag's file system is full", "Remove files that are not ours."
            ) from problem
        raise
