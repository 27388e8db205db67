# SPDX-License-Identifier: MIT
"""Plans for a chip, and esptool carrying them out: what is erased, written, kept, said."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boards import load_board
from sealtrail.device import chip_writer, flash_plan
from sealtrail.device.chip_image import ChipImage
from sealtrail.device.chip_writer import Chip
from sealtrail.device.flash_map import of_board
from sealtrail.device.partition_table import Partition, decode
from sealtrail.errors import DeviceError, LinkError, SealtrailError, UsageError
from tests.fakes.esp_image import STOCK, table
from tests.paths import REPO

FAKE = REPO / "tests" / "fakes" / "fake_esptool.py"
MAP = of_board(load_board("esp32_devkitc"))
IMAGE = ChipImage("image.bin", 0x1000, b"boot" * 256, b"app" * 4096)
STOCK_TABLE = decode(table())
RUNTIME_VFS = Partition("vfs", 1, 0x81, 0x200000, 0x200000)


def erased(plan: flash_plan.FlashPlan) -> list[str]:
    return [part.label for part in plan.erases]


class FakeChip:
    """A chip in a file, with the fake esptool in front of it."""

    def __init__(self, folder: Path, size: int = 4 << 20, fill: bytes = b"\xa5") -> None:
        self.folder = folder
        (folder / "flash").write_bytes(fill * size)
        self.chip = Chip(MAP, "/dev/ttyFAKE", (sys.executable, str(FAKE), str(folder)))

    def put(self, offset: int, content: bytes) -> None:
        flash = bytearray(self.flash)
        flash[offset : offset + len(content)] = content
        (self.folder / "flash").write_bytes(flash)

    @property
    def flash(self) -> bytes:
        return (self.folder / "flash").read_bytes()

    def region(self, label: str) -> bytes:
        part = MAP.partition(label)
        assert part
        return self.flash[part.offset : part.end]

    def fail(self, command: str, text: str) -> None:
        (self.folder / "fail").write_text(f"{command} {text}")

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "argv"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def commands(self) -> list[str]:
        return [call[10] for call in self.calls]


# ---- the plan


def test_new_chip_and_stock_tag_get_everything_of_ours_erased_log_first() -> None:
    assert erased(flash_plan.make(MAP, IMAGE, ()))[:2] == ["log", "keys"]
    plan = flash_plan.make(MAP, IMAGE, STOCK_TABLE)
    assert erased(plan) == ["log", "keys", "vfs"] and plan.is_forgetting


def test_tag_with_our_map_loses_nothing() -> None:
    plan = flash_plan.make(MAP, IMAGE, MAP.partitions)
    assert plan.erases == () and not plan.is_forgetting
    assert [(write.offset, write.name) for write in plan.writes] == [
        (0x1000, "bootloader"),
        (0x8000, "partition table"),
        (0x10000, "MicroPython"),
    ]


def test_map_of_another_size_takes_file_system_keys_and_log_with_it() -> None:
    larger = of_board(load_board("esp32_devkitc_8mb"))
    plan = flash_plan.make(larger, IMAGE, MAP.partitions)
    assert erased(plan) == ["log", "keys"] and plan.is_forgetting
    back = flash_plan.make(MAP, IMAGE, larger.partitions)
    # The old log reaches further than the new one: it goes as a whole.
    assert [(part.label, part.size >> 10) for part in back.erases] == [
        ("log", 1344),
        ("log", 2048),
        ("keys", 64),
    ]
    moved = (*(p for p in MAP.partitions if p.label != "vfs"), RUNTIME_VFS)
    assert erased(flash_plan.make(MAP, IMAGE, moved)) == ["vfs"]


def test_empty_log_is_planned_when_asked_for() -> None:
    plan = flash_plan.make(MAP, IMAGE, MAP.partitions, is_log_erased=True)
    assert erased(plan) == ["log", "keys"]


def test_moved_keys_take_the_log_with_them() -> None:
    moved = tuple(
        Partition("keys", 1, 6, 0x3F0000, 0x10000) if p.label == "keys" else p
        for p in MAP.partitions
    )
    plan = flash_plan.make(MAP, IMAGE, moved)
    assert erased(plan) == ["log", "keys"]
    # The seeds that lay elsewhere lie where the new log is erased.
    assert plan.erases[0].offset <= 0x3F0000 < plan.erases[0].end


def test_keys_that_lay_where_nothing_of_ours_will_be_are_erased_there() -> None:
    old = Partition("keys", 1, 6, 0x1F0000, 0x10000)
    parts = tuple(old if p.label == "keys" else p for p in MAP.partitions)
    assert old in flash_plan.make(MAP, IMAGE, parts).erases


# ---- carried out


def test_plan_is_carried_out_and_what_it_does_not_name_stays(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    before = fake.flash
    seen: list[tuple[int, int]] = []
    plan = flash_plan.make(MAP, IMAGE, MAP.partitions)
    fake.chip.carry_out(plan, lambda done, total: seen.append((done, total)))
    assert fake.flash[0x1000 : 0x1000 + 1024] == IMAGE.bootloader
    assert decode(fake.flash[0x8000:0x9000]) == MAP.partitions
    assert fake.flash[0x10000 : 0x10000 + len(IMAGE.app)] == IMAGE.app
    for label in ("nvs", "phy_init", "vfs", "keys", "log"):
        assert fake.region(label).count(0xA5) == len(fake.region(label))
    assert fake.flash[:0x1000] == before[:0x1000]
    assert seen == [(100, 100)] * 3
    assert fake.commands == ["write-flash"]


def test_moved_regions_are_erased_before_the_table_is_written(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.chip.carry_out(flash_plan.make(MAP, IMAGE, STOCK_TABLE))
    assert fake.commands == ["erase-region"] * 3 + ["write-flash"]
    for label in ("log", "keys", "vfs"):
        assert fake.region(label).count(0xFF) == len(fake.region(label))
    assert fake.region("nvs").count(0xA5) == len(fake.region("nvs"))
    # Only the last call lets the chip run: half a map must not be recorded on.
    assert [call[9] for call in fake.calls] == ["no-reset"] * 3 + ["hard-reset"]


def test_chip_with_too_little_flash_is_refused(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path, size=2 << 20)
    with pytest.raises(UsageError, match="has 2 MB of flash; board esp32_devkitc needs 4 MB"):
        fake.chip.check_size()
    FakeChip(tmp_path, size=8 << 20).chip.check_size()


def test_flash_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.put(0x8000, table())
    assert fake.chip.read(0x8000, 0x1000) == table()
    with pytest.raises(DeviceError, match="read 0 B of 4096"):
        fake.chip.read(0x400000, 0x1000)


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("flash-id", lambda chip: chip.check_size()),
        ("read-flash", lambda chip: chip.read(0, 16)),
        ("erase-region", lambda chip: chip.carry_out(flash_plan.make(MAP, IMAGE, ()))),
        ("write-flash", lambda chip: chip.carry_out(flash_plan.make(MAP, IMAGE, ()))),
    ],
)
def test_failure_of_esptool_is_its_own_line(command: str, run: object, tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.fail(command, "Failed to connect to ESP32: No serial data received.")
    with pytest.raises(LinkError) as caught:
        run(fake.chip)  # type: ignore[operator]
    assert caught.value.message == (
        "/dev/ttyFAKE: esptool: Failed to connect to ESP32: No serial data received"
    )
    assert "BOOT" in caught.value.hint and caught.value.exit_code == 4
    fake.chip.start()  # never fails


def test_another_chip_than_the_boards_is_a_usage_error(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    (tmp_path / "chip").write_text("esp32c3")
    with pytest.raises(UsageError, match="This chip is esp32c3, not esp32"):
        fake.chip.check_size()


def test_esptool_that_cannot_start_or_dies_silently_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="esptool cannot be started: No such file"):
        Chip(MAP, "/dev/ttyFAKE", (str(tmp_path / "none"),)).check_size()
    with pytest.raises(LinkError, match="esptool: no reason given"):
        Chip(MAP, "/dev/ttyFAKE", ("false",)).check_size()
    with pytest.raises(DeviceError, match="does not say how large"):
        Chip(MAP, "/dev/ttyFAKE", ("true",)).check_size()


def test_esptool_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeChip(tmp_path)
    (tmp_path / "hang").write_text("flash-id")
    monkeypatch.setattr(chip_writer, "_LOOK_TIMEOUT_S", 1.0)
    begun_s = time.monotonic()
    with pytest.raises(LinkError, match="did not end"):
        fake.chip.check_size()
    assert time.monotonic() - begun_s < 8


def test_ctrl_c_ends_esptool_too(tmp_path: Path) -> None:
    FakeChip(tmp_path)
    (tmp_path / "hang").write_text("flash-id")
    code = (
        "from tests.unit.test_chip_writer import *\n"
        f"Chip(MAP, '/dev/x', (sys.executable, {str(FAKE)!r}, {str(tmp_path)!r})).check_size()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPO,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{REPO}:{REPO}/host_tools:{REPO}/firmware"},
    )
    deadline_s = time.monotonic() + 20
    while not (tmp_path / "argv").exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)  # to us only, as if esptool had not had it
    process.wait(10)
    running = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(tmp_path).encode() in _read_quietly(path)
    ]
    assert running == []


def _read_quietly(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


# ---- the real esptool


def real_esptool(*arguments: str) -> str:
    done = subprocess.run(
        [*chip_writer.ESPTOOL, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1"},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("command", ["flash-id", "read-flash", "erase-region", "write-flash"])
def test_esptool_knows_every_command_and_option_that_is_used(command: str) -> None:
    said = real_esptool(command, "--help") + real_esptool("--help")
    options = ["--chip", "--port", "--baud", "--before", "--after"]
    if command == "write-flash":
        options += ["--flash-mode", "--flash-freq", "--flash-size"]
    for word in (command, *options):
        assert word in said


def test_esptool_takes_our_command_lines_as_far_as_the_missing_port(tmp_path: Path) -> None:
    """Click reads all arguments before the port is opened: a wrong one would be the error."""
    port = str(tmp_path / "ttyUSB9")
    chip = Chip(MAP, port)
    plan = flash_plan.make(MAP, IMAGE, ())
    writes_only = flash_plan.FlashPlan((), plan.writes)
    for run in (
        chip.check_size,
        lambda: chip.read(0x8000, 0x1000),
        lambda: chip.carry_out(plan),
        lambda: chip.carry_out(writes_only),
    ):
        with pytest.raises(SealtrailError) as caught:
            run()
        assert "Could not open" in caught.value.message and port in caught.value.message
        assert isinstance(caught.value, LinkError)


def test_stock_table_of_the_tests_is_the_documented_one() -> None:
    assert [(p.label, p.type, p.subtype, p.offset, p.size) for p in STOCK_TABLE] == list(STOCK)
