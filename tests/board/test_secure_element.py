# SPDX-License-Identifier: MIT
"""A tag that signs with its secure element: flash, provision, log, roll, dump, verify."""

import json
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from boards import BOARDS, board_path
from sealtrail.evidence.certificate import key_in
from tests.board.bench import Bench, bench
from tests.board.test_spared_records import SCENARIO, STANDIN, Tool, live, records_in

ES256_HEADER = bytes.fromhex("a10126")
KIND, BOOT_AND_UPTIME, NEXT_KEY = 0, 3, 8
KEY_EPOCH, CRASH_BLOCK, UNSIGNED = 3, 4, 6
# What a trip's start and a handover do over the air (rule K1), at the tag's prompt.
ROLL = """
from tag import app
tag = app.App(*app.open_parts())
tag.begin()
print("rolled", tag.key_roll.roll())
"""


@pytest.fixture(scope="module")
def tag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Tool]]:
    folder = tmp_path_factory.mktemp("chip")
    world = ["--aioble", str(STANDIN), "--scenario", str(SCENARIO)]
    board_json = ["--board", str(board_path("virtual_se"))]
    with bench(folder / "run", *world, *board_json) as board:
        tool = Tool(folder, board.control.tty)
        tool.run("fleet", "init", "Example")
        tool.run("flash", "--board", "virtual_se", "--port", tool.port)
        tool.provision()
        yield board, tool


def dumped(tool: Tool, name: str) -> Path:
    path = tool.folder / name
    tool.run("dump", "--port", tool.port, "-o", str(path))
    return path


def verdict(tool: Tool, path: Path) -> dict:
    """Valid, and incomplete only because no attestation was asked for."""
    return json.loads(tool.run("verify", str(path), "--json", code=3).splitlines()[0])


def items_of(path: Path) -> list:
    with path.open("rb") as file:
        items = []
        while file.tell() < path.stat().st_size:
            items.append(cbor2.load(file).value)
    return items


def test_the_certificate_holds_the_chips_key(tag: tuple[Bench, Tool]):
    _, tool = tag
    (certificate,) = (tool.folder / "home").rglob("certificate.cbor")
    raw = certificate.read_bytes()
    assert len(raw) <= 250 and not key_in(raw).is_ed25519


def test_what_the_tag_logs_verifies(tag: tuple[Bench, Tool]):
    board, tool = tag
    live(board, tool, 2)
    path = dumped(tool, "first.seal")
    assert verdict(tool, path)["verdict"] == "valid"
    _, *records = items_of(path)
    assert {record[0] for record in records} == {ES256_HEADER}


def test_a_rolled_key_verifies_over_a_loss_of_power(tag: tuple[Bench, Tool]):
    board, tool = tag
    for _ in range(2):
        assert "rolled True" in board.mpremote("exec", ROLL)
        board.lose_power(off_ms=5_000)
        live(board, tool, 1)
    path = dumped(tool, "rolled.seal")
    verdict(tool, path)
    rolls = [record for record in records_in(path) if record[KIND] == KEY_EPOCH]
    keys = {record[NEXT_KEY] for record in rolls}
    assert len(rolls) == len(keys) == 2 and {len(key) for key in keys} == {33}


def test_records_of_another_algorithm_are_refused(tag: tuple[Bench, Tool]):
    _, tool = tag
    good = (tool.folder / "first.seal").read_bytes()
    for header, rule in (
        (b"\xa1\x01\x27", "R7"),
        (b"\xa1\x01\x32", "R7"),
        (b"\xa1\x01\x28", "R10"),
    ):
        bad = tool.folder / "confused.seal"
        at = good.index(ES256_HEADER)
        bad.write_bytes(good[:at] + header + good[at + 3 :])
        assert rule in tool.run("verify", str(bad), code=1)


def test_a_silent_chip_costs_no_reading_and_no_signature(tag: tuple[Bench, Tool]):
    """The chip is unplugged for a boot: the journal keeps what it would have signed."""
    board, tool = tag
    before = {record[BOOT_AND_UPTIME][0] for record in records_in(tool.folder / "rolled.seal")}
    unplug = "import virtual_wiring as w\nfor _, c in w._chips_of['i2c0']:\n"
    unplug += " if hasattr(c, 'is_off'): c.is_off = True\n"
    board.install(unplug + (BOARDS.parent / "firmware/main.py").read_text())
    live(board, tool, 2)
    board.install((BOARDS.parent / "firmware/main.py").read_text())
    live(board, tool, 1)
    path = dumped(tool, "plugged.seal")
    verdict(tool, path)
    records = records_in(path)
    assert UNSIGNED not in {record[KIND] for record in records}
    kept = [r for r in records if r[KIND] == CRASH_BLOCK and r[BOOT_AND_UPTIME][0] not in before]
    span_ms = max(record[BOOT_AND_UPTIME][1] for record in kept)
    assert span_ms > 3_600_000, "an hour of the boot without the chip"


def test_another_chip_is_a_lost_key(tag: tuple[Bench, Tool]):
    board, tool = tag
    (board.run_dir / "secure_element").write_bytes(b"")
    board.lose_power()
    live(board, tool, 2)
    path = dumped(tool, "lost.seal")
    assert UNSIGNED in [record[KIND] for record in records_in(path)]
