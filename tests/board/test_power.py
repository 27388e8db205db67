# SPDX-License-Identifier: MIT
"""Losing power: what stays, what is torn, what is forgotten, and that nothing runs on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards import BOARDS
from boards.virtual import BoardError
from boards.virtual.control import BoardControl
from tests.board.bench import REGIONS, Bench, bench

LOG = "import esp32; p = esp32.Partition.find(esp32.Partition.TYPE_DATA, label='log')[0]; "
KEEPING_MAIN = """
import machine
rtc = machine.RTC()
print("cause", machine.reset_cause(), "memory", rtc.memory(), "year", rtc.datetime()[0])
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    with bench(tmp_path_factory.mktemp("power")) as b:
        yield b


@pytest.fixture
def blank_log(board):
    board.mpremote("exec", LOG + "[p.ioctl(6, s) for s in range(2)]")
    return board


def test_what_was_written_before_a_kill_is_there_after_it(blank_log):
    code = "p.writeblocks(0, b'sealed', 16); f = open('kept', 'w'); f.write('yes'); f.close()"
    blank_log.mpremote("exec", LOG + code)
    blank_log.lose_power()
    out = blank_log.mpremote(
        "exec", LOG + "b = bytearray(6); p.readblocks(0, b, 16); print(b, open('kept').read())"
    )
    assert out.strip() == "bytearray(b'sealed') yes"


def test_a_cut_leaves_exactly_the_torn_bytes_of_the_operation_it_hits(blank_log):
    boots = blank_log.control.cut(2, 5)["boots"]
    blank_log.mpremote(
        "exec",
        "--no-follow",
        LOG + "[p.writeblocks(0, bytes([i]) * 16, 16 * i) for i in range(1, 9)]",
    )
    status = blank_log.control.wait_for_boot(boots + 2)  # mpremote's soft reset, then the cut
    assert status["cause"] == 1
    assert status["lives"][-1]["why"].startswith("cut program")
    third = b"\x03" * 5 + b"\xff" * 11
    assert blank_log.flash("log", 80) == b"\xff" * 16 + b"\x01" * 16 + b"\x02" * 16 + third + (
        b"\xff" * 16
    )


def test_a_cut_erase_has_erased_its_first_bytes(blank_log):
    blank_log.mpremote("exec", LOG + "p.writeblocks(1, bytes(4096), 0)")
    boots = blank_log.control.cut(0, 100)["boots"]
    blank_log.mpremote("exec", "--no-follow", LOG + "p.ioctl(6, 1)")
    blank_log.control.wait_for_boot(boots + 2)
    assert blank_log.flash("log", 4096, offset=4096) == b"\xff" * 100 + bytes(3996)


def test_an_order_to_cut_ends_with_the_next_loss_of_power(blank_log):
    blank_log.control.cut(0, 0)
    blank_log.lose_power()
    blank_log.mpremote("exec", LOG + "p.writeblocks(0, b'x', 0)")
    assert blank_log.flash("log", 1) == b"x"


def test_programming_only_clears_bits_and_each_violation_is_counted(blank_log):
    before = blank_log.control.status()["flash"]["log"]
    blank_log.mpremote(
        "exec", LOG + "p.writeblocks(0, b'\\x0f' * 4, 0); p.writeblocks(0, b'\\xf3' * 4, 0)"
    )
    after = blank_log.control.status()["flash"]["log"]
    assert blank_log.flash("log", 4) == b"\x03" * 4
    assert after["violations"] - before["violations"] == 4
    assert after["programs"] - before["programs"] == 2
    assert after["program_bytes"] - before["program_bytes"] == 8


def test_regions_are_counted_apart_and_counts_outlive_a_loss_of_power(blank_log):
    code = "b = bytearray(32); p.readblocks(0, b, 0); p.readblocks(3, b, 8); p.ioctl(6, 3)"
    before = blank_log.control.status()["flash"]
    blank_log.mpremote("exec", LOG + code)
    blank_log.lose_power()
    after = blank_log.control.status()["flash"]
    difference = {k: after["log"][k] - before["log"][k] for k in after["log"]}
    assert difference == {
        "reads": 2,
        "read_bytes": 64,
        "programs": 0,
        "program_bytes": 0,
        "erases": 1,
        "violations": 0,
    }
    assert after["keys"] == before["keys"]


def test_a_partition_refuses_what_lies_outside_it(board):
    out = board.mpremote("exec", LOG + "p.writeblocks(336, b'x', 0)", is_expected_to_fail=True)
    assert "EINVAL" in out
    assert board.mpremote("exec", LOG + "print(p.ioctl(4, 0), p.ioctl(5, 0))").split() == [
        "336",
        "4096",
    ]


def test_rtc_survives_resets_and_is_lost_with_power(board):
    board.install(KEEPING_MAIN)
    code = "r = machine.RTC(); r.memory(b'kept'); r.datetime((2031, 5, 6, 0, 7, 8, 9, 0))"
    board.mpremote("resume", "exec", "import machine; " + code)
    board.restart()
    board.wait_for("cause 2 memory b'kept' year 2031")
    board.mpremote("soft-reset")
    assert "b'kept'" in board.mpremote("exec", "import machine; print(machine.RTC().memory())")
    board.lose_power()
    board.wait_for("cause 1 memory b'' year 2000", count=1)
    board.mpremote("fs", "rm", ":main.py")


def test_rtc_memory_has_the_size_of_the_chips(board):
    code = "import machine; machine.RTC().memory(bytes(2049))"
    assert "ValueError" in board.mpremote("exec", code, is_expected_to_fail=True)


def test_time_goes_on_while_the_power_is_off(board):
    before_ms = board.control.virtual_now_ms()
    boots = board.control.kill(7_200_000)["boots"]
    # Off for two hours: the board sleeps through a first hour, and wakes in the third.
    assert board.control.advance(3600)["boots"] == boots
    assert board.control.status()["pid"] is None
    board.control.advance(7200)
    board.control.wait_for_boot(boots + 1)
    passed_s = (board.control.virtual_now_ms() - before_ms) / 1000
    assert 10_800 <= passed_s < 10_815


def test_deep_sleep_ends_after_its_time_with_its_own_cause(board):
    boots = board.control.status()["boots"]
    board.mpremote("exec", "--no-follow", "import machine; machine.deepsleep(3600000)")
    deadline_s = time.monotonic() + 5
    while board.control.status()["pid"] is not None:
        assert time.monotonic() < deadline_s
    board.control.advance(3600)
    assert board.control.wait_for_boot(boots + 2)["cause"] == 4


def test_a_starved_watchdog_resets_the_board(board):
    board.install(
        "import machine, time\n"
        "if machine.reset_cause() == 2:\n"
        "    dog = machine.WDT(timeout=5000)\n"
        "    for _ in range(4): time.sleep(4); dog.feed()\n"
        "    print('well fed'); time.sleep(3600)\n"
        "print('bitten', machine.reset_cause())\n"
    )
    board.control.advance(60)
    assert "well fed" in board.wait_for("bitten 3")
    board.mpremote("fs", "rm", ":main.py")


def test_a_second_board_in_the_same_directory_is_refused_in_one_line(board):
    with pytest.raises(BoardError) as refused, bench(board.run_dir):
        pass
    assert "already runs a board here" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert board.control.status()["is_up"]


def test_an_unknown_order_is_refused_and_the_next_one_served(board):
    with pytest.raises(BoardError, match="unknown order 'dance'"):
        board.control._order("dance")
    with pytest.raises(BoardError, match="takes 2 to 3 numbers"):
        board.control._order("cut 1")
    with pytest.raises(BoardError, match="forward"):
        board.control.advance(-1)
    assert board.control.status()["is_up"]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _started(run_dir: Path) -> Iterator[tuple[subprocess.Popen[str], BoardControl]]:
    command = [sys.executable, "-m", "boards.virtual", "--end-with-parent"]
    command += ["--run", str(run_dir)]
    with (
        subprocess.Popen(command, cwd=BOARDS.parent, stdout=subprocess.PIPE, text=True) as process,
        BoardControl(run_dir) as control,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == f"virtual board ready: {run_dir}/tty\n"
        try:
            control.wait_for_boot(1)
            yield process, control
        except BaseException:
            # Leaving the block waits for its end, which a failed test has not brought about.
            process.kill()
            raise


def test_a_killed_supervisor_leaves_no_process_and_its_directory_serves_the_next(tmp_path):
    with _started(tmp_path) as (process, control):
        control.advance(86_400)
        # At its prompt a tag would also end by itself, at the end of its input.
        Bench(tmp_path, control).mpremote("exec", "--no-follow", "while True: pass")
        pid = control.status()["pid"]
        assert not control.status()["is_idle"]
        process.kill()
    deadline_s = time.monotonic() + 5
    while _is_running(pid):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    with _started(tmp_path) as (process, control):
        assert control.status()["offset_s"] == 86_400
        control.quit()
    assert process.returncode == 0


def test_ending_the_supervisor_ends_the_tag_and_removes_its_doors(tmp_path):
    with _started(tmp_path) as (process, control):
        pid = control.status()["pid"]
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert not _is_running(pid)
    assert not os.path.lexists(tmp_path / "tty")
    assert not (tmp_path / "ctl").exists()
    assert (tmp_path / "flash").stat().st_size == 4 << 20
    with pytest.raises(BoardError, match="no answer from a board"):
        control.status()


def test_a_broken_file_system_is_named_and_never_formatted_over(tmp_path):
    with bench(tmp_path) as b:
        b.mpremote("exec", "f = open('kept', 'w'); f.write('x' * 5000); f.close()")
    image = bytearray((tmp_path / "flash").read_bytes())
    start = REGIONS["vfs"]["offset"]
    for sector in (0, 4096):
        # Both superblocks lose a byte of what their checksum covers; their names stay.
        at = start + sector + image[start + sector :].index(b"littlefs") + 9
        image[at] ^= 0xFF
    (tmp_path / "flash").write_bytes(image)
    with bench(tmp_path) as b:
        b.wait_for("The filesystem appears to be corrupted")
        assert b.mpremote("resume", "exec", "print('alive')").strip() == "alive"
    assert (tmp_path / "flash").read_bytes() == image
