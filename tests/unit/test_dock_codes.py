# SPDX-License-Identifier: MIT
"""The dock's numbers: the document, the firmware and the host say the same."""

import re

from sealtrail.device import dock_link
from tag.dock import codes as dockcodes
from tests.paths import REPO

TEXT = (REPO / "docs" / "access-protocol.md").read_text().split("## 12. Serial dock", 1)[1]
OPS, CODES = TEXT.split("| code | name | meaning |", 1)


def numbers(table: str) -> dict[str, int]:
    return {
        name: int(number) for number, name in re.findall(r"^\| (\d+) \| (\w+) \|", table, re.M)
    }


def constants() -> dict[str, int]:
    return {name: value for name, value in vars(dockcodes).items() if name.isupper()}


def test_the_document_has_every_number_of_the_firmware_and_no_other():
    told = numbers(OPS) | numbers(CODES)
    assert told == constants()


def test_the_host_asks_with_the_firmwares_numbers():
    ops = numbers(OPS)
    asked = {name[1:]: value for name, value in vars(dock_link).items() if name[1:] in ops}
    assert asked == ops


def test_the_host_explains_every_refusal():
    assert set(dock_link._REFUSALS) == set(numbers(CODES).values()) - {0}
