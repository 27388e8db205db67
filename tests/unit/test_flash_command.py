# SPDX-License-Identifier: MIT
"""`sealtrail flash` from its command line to a chip in a file and a MicroPython behind it."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest

from boards import load_board
from sealtrail.cli import main
from sealtrail.device import chip_writer, firmware_build, raw_repl
from sealtrail.device.partition_table import decode, encode
from tests.fakes.esp_image import firmware, table
from tests.unit.repl_tag import DockTag, MicroPythonRepl, PtyTag, chained
from tests.unit.test_chip_writer import FAKE, MAP, RUNTIME_VFS, FakeChip
from tests.unit.test_flasher import checkout


class ChipRepl(MicroPythonRepl):
    """MicroPython that sees the partitions of the table in the fake chip's flash."""

    def __init__(self, fake: FakeChip) -> None:
        super().__init__()
        self.fake = fake

        self.answers: DockTag | None = None

    def raw(self, code: str) -> tuple[str, str]:
        if "serve_one" in code and self.answers:
            return self.answers.run(code), ""
        if "Partition.find" not in code:
            return super().raw(code)
        parts = decode(self.fake.flash[0x8000:0x9000])
        if not any(part.label == "vfs" for part in parts):
            parts = (*parts, RUNTIME_VFS)  # as MicroPython does it at every start
        rows = [(p.type, p.subtype, p.offset, p.size, p.label, p.is_encrypted) for p in parts]
        return "".join(f"PT {row}\r\n" for row in rows), ""


@dataclass
class Desk:
    """A tag with a stock table on a cable, a checkout with one board, an image."""

    fake: FakeChip
    repl: ChipRepl
    tag: PtyTag
    folder: Path
    capture: pytest.CaptureFixture[str]

    def flash(self, *options: str) -> tuple[int, str]:
        """(exit code, everything that was said)."""
        home = ["--home", str(self.folder / "home")]
        code = main([*home, "flash", "--board", "bench", "--port", self.tag.port, *options])
        said = self.capture.readouterr()
        return code, said.out + said.err

    def image(self, content: bytes | None = None) -> str:
        path = self.folder / "MICROPYTHON.bin"
        path.write_bytes(firmware() if content is None else content)
        return str(path)


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    root = checkout(tmp_path / "checkout")
    board = {**load_board("esp32_devkitc"), "name": "bench", "mpy_arch": "x64"}
    (root / "boards" / "bench").mkdir()
    (root / "boards" / "bench" / "board.json").write_text(json.dumps(board))
    (tmp_path / "chip").mkdir()
    fake = FakeChip(tmp_path / "chip")
    fake.put(0x8000, table())
    command = (sys.executable, str(FAKE), str(fake.folder))
    monkeypatch.setattr(chip_writer, "ESPTOOL", command)
    monkeypatch.setattr(firmware_build, "checkout", lambda: root)
    with ChipRepl(fake) as repl, PtyTag(repl) as tag:
        repl.raw("import os\nos.mkdir('/lib')\nos.mkdir('/lib/aioble')")
        yield Desk(fake, repl, tag, tmp_path, capsys)


def test_stock_tag_is_refused_without_an_image_and_takes_one(desk: Desk) -> None:
    code, said = desk.flash()
    assert code == 2 and said.count("\n") == 1
    assert said.startswith("sealtrail: this tag's flash is not laid out for a log: it has Micro")
    assert "sealtrail flash --board bench --port PORT --image FILE" in said
    assert desk.repl.files() == {} and desk.fake.calls == []

    code, said = desk.flash("--image", desk.image())
    assert code == 0, said
    assert "MICROPYTHON.bin written; erased: log, keys, vfs" in said
    assert decode(desk.fake.flash[0x8000:0x9000]) == MAP.partitions
    assert "/main.py" in desk.repl.files()

    code, said = desk.flash()
    assert code == 0 and "0 files written" in said


def test_second_image_on_the_same_map_keeps_log_and_keys(desk: Desk) -> None:
    desk.fake.put(0x8000, encode(MAP.partitions))
    code, said = desk.flash("--image", desk.image(), "--json")
    answer = json.loads(said)
    assert code == 0 and answer["erased"] == [] and answer["image"] == "MICROPYTHON.bin"
    for label in ("vfs", "keys", "log"):
        assert desk.fake.region(label).count(0xA5) == len(desk.fake.region(label))


@pytest.mark.parametrize(
    ("content", "says"),
    [(firmware(5), "is for ESP32-C3"), (b"no image", "is no image"), (firmware()[:-9], "cut off")],
)
def test_wrong_image_touches_nothing(desk: Desk, content: bytes, says: str) -> None:
    code, said = desk.flash("--image", desk.image(content))
    assert code == 2 and says in said and said.count("\n") == 1
    assert desk.fake.calls == [] and desk.tag.reset_count == 0


def test_chip_that_fails_is_one_line_and_the_same_command_completes_it(desk: Desk) -> None:
    desk.fake.fail("write-flash", "The chip stopped responding.")
    code, said = desk.flash("--image", desk.image())
    assert code == 4 and said.count("\n") == 1 and "The chip stopped responding" in said
    assert "run the same command again" in said
    (desk.fake.folder / "fail").unlink()
    assert desk.flash("--image", desk.image())[0] == 0
    assert decode(desk.fake.flash[0x8000:0x9000]) == MAP.partitions


def test_ctrl_c_says_what_it_leaves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(chip_writer.Chip, "_write", interrupted)
    code, said = desk.flash("--image", desk.image())
    assert code == 130
    assert "the chip may be half written: run the same command again" in said


def test_empty_log_is_only_for_who_writes_an_image(desk: Desk) -> None:
    code, said = desk.flash("--erase-log")
    assert code == 2 and "--erase-log goes with --image" in said
    desk.fake.put(0x8000, encode(MAP.partitions))
    code, said = desk.flash("--image", desk.image(), "--erase-log")
    assert code == 0 and "erased: log, keys" in said
    assert desk.fake.region("vfs").count(0xA5) == len(desk.fake.region("vfs"))


def test_tag_that_esptool_cannot_reach_goes_on_recording(desk: Desk) -> None:
    desk.fake.put(0x8000, encode(MAP.partitions))
    desk.repl.answers = DockTag()
    desk.repl.answers.certificate = b"certificate"
    desk.fake.fail("flash-id", "Failed to connect to ESP32.")
    code, said = desk.flash("--image", desk.image())
    assert code == 4 and "Failed to connect" in said
    assert desk.tag.reset_count == 1  # it had been stopped at its prompt for esptool


def test_port_without_micropython_says_what_a_new_chip_needs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_repl, "_ENTER_TIMEOUT_S", 0.2)
    with PtyTag(None, "silent") as silent:
        desk.tag = silent
        begun_s = time.monotonic()
        code, said = desk.flash()
        assert code == 4 and "A new chip needs --image FILE first" in said
        assert time.monotonic() - begun_s < 5


def test_records_that_no_archive_has_stop_flash_at_once(desk: Desk) -> None:
    desk.fake.put(0x8000, encode(MAP.partitions))
    dock = desk.repl.answers = DockTag()
    dock.certificate = cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b"tag", bytes(64)]))
    dock.records = chained(dock.certificate, 4)
    for options in ([], ["--image", desk.image()]):
        code, said = desk.flash(*options)
        assert code == 5 and said.count("\n") == 1
        assert "holds 4 records that no archive has. Sync and upload them, or add --dump" in said
    assert desk.fake.calls == [] and desk.repl.files() == {}
    code, said = desk.flash("--image", desk.image(), "--dump")
    assert code == 0 and "records kept in " in said and "log kept" in said
