# SPDX-License-Identifier: MIT
"""docs/hardening.md: each command line is carried out, in its order, on espefuse's own chips.

What an emulated chip burns says that a line parses and that names, values and order hold. It
says nothing of a real chip.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from boards import BOARDS
from sealtrail.device import flash_map
from tests.paths import FIRMWARE, REPO

TEXT = (REPO / "docs/hardening.md").read_text()
CHIPS = ("esp32", "esp32c3")
# One process for all lines of a chip: each `main` is a command of its own. An emulated chip
# asks nothing; the word that a person has to type stays out of the document's lines.
RUNNER = """
import sys, espefuse, espsecure
for line in sys.stdin.read().splitlines():
    tool, *words = line.split()
    print("##", line, flush=True)
    try:
        {"espefuse": espefuse, "espsecure": espsecure}[tool].main(words)
    except SystemExit as end:
        if end.code:
            raise
"""


def lines_of(*groups: str) -> list[str]:
    """The commands of the fenced blocks named *groups*, in the document's order."""
    found = []
    for group, block in re.findall(r"^```sh ?(\S*)\n(.*?)^```", TEXT, re.M | re.S):
        if group in groups:
            found += block.splitlines()
    return found


def emulated(line: str) -> str:
    words = shlex.split(line)
    if words[0] == "espsecure":
        return line
    at = words.index("--port")
    assert words[at + 1] == "PORT"
    words[at : at + 2] = ["--virt", "--path-efuse-file", "efuses", "--do-not-confirm"]
    return shlex.join(words)


def burned(folder: Path, chip: str, lines: list[str]) -> dict[str, object]:
    """Carries *lines* out on a new chip; what its eFuses are then."""
    summary = f"espefuse --chip {chip} --port PORT summary --format json"
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=folder,
        input="\n".join(emulated(line) for line in [*lines, summary]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-1500:]
    said = done.stdout.rpartition("\n## ")[2]
    return {name: one["value"] for name, one in json.loads(said[said.index("{") :]).items()}


def steps(chip: str) -> list[str]:
    """All of one chip, download mode last, as the document orders it."""
    looks = [line for line in lines_of("") if f"--chip {chip} " in line]
    files = [line for line in lines_of("") if line.startswith("espsecure")]
    return [*files, *looks, *lines_of(f"{chip}-build"), *lines_of(f"{chip}-ports")]


BURNED = {
    "esp32": {
        "FLASH_CRYPT_CNT": 127,
        "FLASH_CRYPT_CONFIG": 15,
        "DISABLE_DL_DECRYPT": True,
        "JTAG_DISABLE": True,
        "ABS_DONE_1": True,
        "UART_DOWNLOAD_DIS": True,
    },
    "esp32c3": {
        "SPI_BOOT_CRYPT_CNT": "Enable",
        "KEY_PURPOSE_0": "XTS_AES_128_KEY",
        "KEY_PURPOSE_1": "SECURE_BOOT_DIGEST0",
        "SECURE_BOOT_EN": True,
        "DIS_PAD_JTAG": True,
        "DIS_USB_JTAG": True,
        "ENABLE_SECURITY_DOWNLOAD": True,
    },
}


@pytest.mark.parametrize("chip", CHIPS)
def test_every_line_burns_what_it_says_on_an_emulated_chip(chip: str, tmp_path: Path) -> None:
    found = burned(tmp_path, chip, steps(chip))
    assert {name: found[name] for name in BURNED[chip]} == BURNED[chip]


def test_jtag_and_download_mode_can_be_closed_alone(tmp_path: Path) -> None:
    found = burned(tmp_path, "esp32", lines_of("esp32-ports"))
    assert found["JTAG_DISABLE"] and found["UART_DOWNLOAD_DIS"]
    assert not found["FLASH_CRYPT_CNT"] and not found["ABS_DONE_1"]


def test_no_line_of_the_document_is_left_out() -> None:
    tried = {line for chip in CHIPS for line in steps(chip)}
    written = re.findall(r"^(?:espefuse|espsecure) .*$", TEXT, re.M)
    assert len(written) > 20 and set(written) == tried


@pytest.mark.parametrize("chip", CHIPS)
def test_keys_are_burned_before_read_protection_is_closed(chip: str) -> None:
    order = [line.split(" PORT ")[-1] for line in lines_of(f"{chip}-build")]
    encryption = next(i for i, line in enumerate(order) if "flash.key" in line)
    digest = next(i for i, line in enumerate(order) if "boot.digest" in line)
    assert encryption < digest < order.index("write-protect-efuse RD_DIS")


def test_rings_stay_out_of_flash_encryption() -> None:
    refusal = "the partition is encrypted"
    assert refusal in TEXT
    assert refusal in (FIRMWARE / "tag/store/flashregion.py").read_text()
    boards = [json.loads(path.read_text()) for path in BOARDS.glob("*/board.json")]
    maps = [flash_map.of_board(board) for board in boards if "chip" in board]
    assert {made.chip for made in maps} == set(CHIPS)
    for made in maps:
        assert not any(partition.is_encrypted for partition in made.partitions)
