# SPDX-License-Identifier: MIT
"""A stand-in for esptool: `python fake_esptool.py FOLDER ARGUMENTS...`, a chip in a file.

FOLDER/flash is the chip's flash; FOLDER/argv gets one JSON list a call. FOLDER/fail holds
"COMMAND TEXT": that command prints TEXT and fails, a write after its first half;
FOLDER/hang: "COMMAND" sleeps. FOLDER/chip: name of the chip that is there.
"""

import json
import sys
import time
from pathlib import Path

OPTIONS_WITH_VALUE = {
    *("--chip", "--port", "--baud", "--before", "--after"),
    *("--flash-mode", "--flash-freq", "--flash-size"),
}
COMMANDS = ("flash-id", "read-flash", "erase-region", "write-flash", "read-mac")


def main(folder: Path, given: list[str]) -> int:
    """Does what esptool would; its exit code."""
    with (folder / "argv").open("a") as log:
        log.write(json.dumps(given) + "\n")
    options, words = {}, []
    pending = iter(given)
    for word in pending:
        if word.startswith("--"):
            assert word in OPTIONS_WITH_VALUE, word
            options[word] = next(pending)
        else:
            words.append(word)
    command, *operands = words
    assert command in COMMANDS, command
    print("fake esptool v5")
    if _text(folder / "hang") == command:
        time.sleep(60)
    there = _text(folder / "chip") or "esp32"
    if options["--chip"] != there:
        return _fatal(f"This chip is {there}, not {options['--chip']}. Wrong chip argument?")
    failing, _, text = _text(folder / "fail").partition(" ")
    flash = bytearray((folder / "flash").read_bytes())
    if failing == command:
        if command == "write-flash":
            _write(flash, operands[:2], 0.5)
            (folder / "flash").write_bytes(flash)
        return _fatal(text)
    if command == "flash-id":
        print(f"Detected flash size: {len(flash) >> 20}MB")
    elif command == "read-flash":
        offset, size = (int(word, 0) for word in operands[:2])
        Path(operands[2]).write_bytes(flash[offset : offset + size])
    elif command == "erase-region":
        offset, size = (int(word, 0) for word in operands)
        assert offset % 4096 == size % 4096 == 0
        flash[offset : offset + size] = b"\xff" * size
    elif command == "write-flash":
        _write(flash, operands, 1)
    (folder / "flash").write_bytes(flash)
    return 0


def _write(flash: bytearray, operands: list[str], share: float) -> None:
    for at in range(0, len(operands), 2):
        offset, content = int(operands[at], 0), Path(operands[at + 1]).read_bytes()
        content = content[: int(len(content) * share)]
        end = (offset + len(content) + 4095) // 4096 * 4096
        flash[offset:end] = b"\xff" * (end - offset)
        flash[offset : offset + len(content)] = content
        print(f"Writing at {offset:#010x} [====>     ]  {100 * share:.1f}% 1/2 bytes...")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _fatal(text: str) -> int:
    print(f"\nERROR: A fatal error occurred: {text}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
