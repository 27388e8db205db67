# SPDX-License-Identifier: MIT
"""Building and flashing: on real MicroPython, over mpremote's transport, and cut off."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealtrail.device import firmware_build, flasher, raw_repl
from sealtrail.device.firmware_build import Image, TagFile
from sealtrail.device.raw_repl import RawRepl
from sealtrail.errors import DeviceError, LinkError, UsageError
from tests.unit.repl_tag import MicroPythonRepl, PtyTag

BOARD = {"name": "virtual", "mpy_arch": "x64"}


def image(**changes: bytes) -> Image:
    content = {
        "board.json": b"{}",
        "sealwire/a.mpy": b"a" * 5000,
        "tag/b/c.mpy": bytes(range(256)),
    }
    content |= {"main.py": b"print('main')"}
    content |= {name.replace("__", "/").replace("_", "."): made for name, made in changes.items()}
    files = [TagFile(f"/{name}", made) for name, made in content.items() if made]
    files.sort(key=lambda file: (file.path == "/main.py", file.path))
    return Image(BOARD, tuple(files))


def no_progress(done: int, total: int) -> None:
    assert 0 <= done <= total


def on_tag(repl: MicroPythonRepl) -> dict[str, bytes]:
    return repl.files()


def wanted(made: Image) -> dict[str, bytes]:
    return {file.path: file.content for file in made.files}


def test_every_file_arrives_and_second_flash_writes_nothing() -> None:
    with MicroPythonRepl() as repl:
        first = flasher.flash(repl, image(), no_progress)
        assert on_tag(repl) == wanted(image())
        second = flasher.flash(repl, image(), no_progress)
    assert (first.written_count, second.written_count, second.kept_count) == (4, 0, 4)


def test_only_what_changed_is_written_again_and_main_with_it() -> None:
    with MicroPythonRepl() as repl:
        flasher.flash(repl, image(), no_progress)
        changed = image(sealwire__a_mpy=b"new")
        result = flasher.flash(repl, changed, no_progress)
        assert on_tag(repl) == wanted(changed)
    assert (result.written_count, result.kept_count) == (2, 2)


def test_file_of_an_older_firmware_goes_and_foreign_files_stay() -> None:
    with MicroPythonRepl() as repl:
        flasher.flash(repl, image(tag__old_mpy=b"old"), no_progress)
        repl.write_file("/notes.txt", b"mine")
        result = flasher.flash(repl, image(), no_progress)
        assert on_tag(repl) == {**wanted(image()), "/notes.txt": b"mine"}
    assert result.removed_count == 1


def test_cut_anywhere_leaves_no_mixture_that_starts() -> None:
    old = image(sealwire__a_mpy=b"old a", tag__b__c_mpy=b"old c", tag__gone_mpy=b"x")
    new = image(main_py=b"print('new main')")
    cut = 0
    for cut in range(1, 60):
        with MicroPythonRepl() as repl:
            flasher.flash(repl, old, no_progress)
            repl.run_count, repl.die_at_run = 0, cut
            try:
                flasher.flash(repl, new, no_progress)
                break
            except DeviceError:
                pass
            files = on_tag(repl)
            files.pop("/flash.tmp", None)
            assert "/main.py" not in files or files in (wanted(old), wanted(new))
            repl.die_at_run = -1
            flasher.flash(repl, new, no_progress)
            assert on_tag(repl) == wanted(new)
    assert cut > 10  # the last run was not cut: every place was


def test_full_file_system_is_one_clear_error() -> None:
    with MicroPythonRepl(kibibytes=32) as repl, pytest.raises(DeviceError, match="is full"):
        flasher.flash(repl, image(tag__big_mpy=b"x" * 60_000), no_progress)


def test_damaged_arrival_is_noticed_and_never_renamed() -> None:
    class Flipping(MicroPythonRepl):
        def write_file(
            self, path: str, content: bytes, wrote: Callable[[int], None] = lambda size: None
        ) -> None:
            super().write_file(path, content[:-1] + b"?", wrote)

    with Flipping() as repl:
        with pytest.raises(DeviceError, match="arrived damaged"):
            flasher.flash(repl, image(), no_progress)
        assert set(on_tag(repl)) == {"/flash.tmp"}


def test_code_for_another_processor_is_refused_before_anything_is_touched() -> None:
    with MicroPythonRepl() as repl:
        esp = Image({**BOARD, "mpy_arch": "xtensawin"}, image().files)
        with pytest.raises(UsageError, match="'x64'; the board needs 'xtensawin'"):
            flasher.flash(repl, esp, no_progress)
        assert on_tag(repl) == {}


def test_flash_through_mpremote_over_a_pseudo_terminal() -> None:
    with MicroPythonRepl() as inner, PtyTag(inner) as tag, RawRepl(tag.port) as repl:
        result = flasher.flash(repl, image(), no_progress)
        assert result.written_count == 4
        assert on_tag(inner) == wanted(image())
        assert tag.reset_count == 0
    assert tag.reset_count == 1


def test_error_on_the_tag_is_its_last_line() -> None:
    with (
        MicroPythonRepl() as inner,
        PtyTag(inner) as tag,
        RawRepl(tag.port) as repl,
        pytest.raises(DeviceError, match="the tag reports: ZeroDivisionError"),
    ):
        repl.run("1/0")


def test_tag_starts_again_after_an_error_of_its_own() -> None:
    with MicroPythonRepl() as inner, PtyTag(inner) as tag:
        with contextlib.suppress(DeviceError), RawRepl(tag.port) as repl:
            repl.run("1/0")
        assert tag.reset_count == 1


def test_port_that_does_not_answer_is_told_within_ten_seconds() -> None:
    with PtyTag(None, "silent") as tag:
        begun_s = time.monotonic()
        with pytest.raises(LinkError, match="nothing answers"):
            RawRepl(tag.port)
        assert time.monotonic() - begun_s < 10


def test_port_that_talks_without_end_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_repl, "_ENTER_TIMEOUT_S", 0.4)
    with PtyTag(None, "babble") as tag, pytest.raises(LinkError, match="nothing answers"):
        RawRepl(tag.port)


def test_missing_port_and_ordinary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no such port"):
        RawRepl(str(tmp_path / "ttyUSB0"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no serial port"):
        RawRepl(str(tmp_path / "file"))
    with pytest.raises(UsageError):
        RawRepl("/" + "x" * 5000)


def checkout(tmp_path: Path, **sources: str) -> Path:
    content = {"firmware/main.py": "import tag", "firmware/tag/__init__.py": ""}
    content |= {"boards/virtual/board.json": '{"name": "virtual", "mpy_arch": "x64"}'}
    content |= {"firmware/sealwire/__init__.py": "x = 1"}
    content |= {f"firmware/tag/{name}.py": source for name, source in sources.items()}
    for name, source in content.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    (tmp_path / "firmware/tag/comb.bin").write_bytes(b"\x00table")
    return tmp_path


def test_build_compiles_modules_and_keeps_main_and_tables(tmp_path: Path) -> None:
    made = firmware_build.build(checkout(tmp_path), "virtual")
    files = {file.path: file.content for file in made.files}
    assert set(files) == {
        "/board.json",
        "/sealwire/__init__.mpy",
        "/tag/__init__.mpy",
        "/tag/comb.bin",
        "/main.py",
    }
    assert files["/tag/__init__.mpy"][:1] == b"M" and files["/tag/comb.bin"] == b"\x00table"
    assert made.files[-1].path == "/main.py"


def test_built_module_runs_on_the_tag(tmp_path: Path) -> None:
    source = "@micropython.viper\ndef double(n: int) -> int:\n return n * 2\n"
    made = firmware_build.build(checkout(tmp_path, fast=source), "virtual")
    with MicroPythonRepl() as repl:
        flasher.flash(repl, made, no_progress)
        assert repl.run("from tag import fast\nprint(fast.double(21))").strip() == "42"


def test_source_that_does_not_compile_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tag/bad\.py: does not compile"):
        firmware_build.build(checkout(tmp_path, bad="def"), "virtual")


@pytest.mark.parametrize("name", ["", "nope", "../boards/virtual", "virtual/"])
def test_unknown_board_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no board"):
        firmware_build.build(checkout(tmp_path), name)
