# SPDX-License-Identifier: MIT
"""Plain mpremote against the virtual board, as against a board on USB."""

import hashlib
import os
import time

import pytest
import serial

from tests.board.bench import bench

COUNTING_MAIN = """
import machine, time
print("main up", machine.reset_cause())
n = 0
while True:
    n += 1
    time.sleep_ms(20)
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    with bench(tmp_path_factory.mktemp("mpremote")) as b:
        yield b


@pytest.fixture
def counting(board):
    board.install(COUNTING_MAIN)
    yield board
    board.mpremote("fs", "rm", ":main.py")


def test_exec_prints_what_the_tag_prints(board):
    assert board.mpremote("exec", "print(6*7)").strip() == "42"


def test_eval_prints_the_value(board):
    assert board.mpremote("eval", "1+1").strip() == "2"


def test_an_exception_on_the_tag_reaches_the_user(board):
    out = board.mpremote("exec", "1/0", is_expected_to_fail=True)
    assert "ZeroDivisionError: divide by zero" in out


def test_run_executes_a_script_of_the_host(board, tmp_path):
    (tmp_path / "r.py").write_text("print([i * i for i in range(4)])")
    assert board.mpremote("run", str(tmp_path / "r.py")).strip() == "[0, 1, 4, 9]"


def test_a_hundred_kilobytes_of_output_come_whole(board):
    assert board.mpremote("exec", "print('x' * 100000)").strip() == "x" * 100_000


def test_a_tree_copied_to_the_tag_comes_back_byte_for_byte(board, tmp_path):
    content = os.urandom(6_000)
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "x.bin").write_bytes(content)
    board.mpremote("fs", "cp", "-r", str(tmp_path / "tree"), ":")
    assert hashlib.sha256(content).hexdigest() in board.mpremote(
        "fs", "sha256sum", ":tree/a/x.bin"
    )
    board.mpremote("fs", "cp", ":tree/a/x.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == content
    board.mpremote("fs", "rm", "-r", ":tree")
    assert "tree" not in board.mpremote("fs", "ls", ":")


def test_cat_shows_a_file_and_rm_removes_it(board, tmp_path):
    (tmp_path / "note").write_text("hello tag\n")
    board.mpremote("fs", "cp", str(tmp_path / "note"), ":note")
    assert "hello tag" in board.mpremote("fs", "cat", ":note")
    board.mpremote("fs", "rm", ":note")
    board.mpremote("fs", "cat", ":note", is_expected_to_fail=True)


def test_mount_serves_files_of_the_host_with_any_byte_in_them(board, tmp_path):
    content = bytes(range(256)) * 20
    (tmp_path / "all.bin").write_bytes(content)
    code = "b = open('/remote/all.bin', 'rb').read(); print(b == bytes(range(256)) * 20)"
    assert "True" in board.mpremote("mount", str(tmp_path), "exec", code)


def test_soft_reset_is_seen_as_one(board):
    out = board.mpremote("soft-reset", "exec", "import machine; print(machine.reset_cause())")
    assert out.strip() == "5"


def test_reset_runs_main_and_resume_looks_into_it(counting):
    boots = counting.control.status()["boots"]
    counting.mpremote("reset")
    counting.control.wait_for_boot(boots + 1)
    counting.wait_for("main up 2", count=2)
    out = counting.mpremote(
        "resume", "exec", "import machine; print(n > 0, machine.reset_cause())"
    )
    assert out.strip() == "True 2"


def test_without_resume_main_does_not_run_meanwhile(counting):
    assert counting.mpremote("exec", "print('n' in globals())").strip() == "False"


def test_ctrl_c_stops_main_and_ctrl_d_starts_it_again(counting):
    with serial.Serial(counting.control.tty, timeout=5) as port:
        port.write(b"\x03")
        assert b"KeyboardInterrupt" in port.read_until(b">>> ")
        port.write(b"print(n >= 0)\r")
        assert b"True\r\n>>> " in port.read_until(b"True\r\n>>> ")
        port.write(b"\x04")
        assert b"MPY: soft reboot\r\n" in port.read_until(b"main up 5\r\n")


def test_ctrl_c_during_boot_is_kept_until_it_can_be_taken(counting):
    with serial.Serial(counting.control.tty, timeout=5) as port:
        for _ in range(5):
            boots = counting.control.reset()["boots"]
            while counting.control.status()["boots"] == boots:
                pass
            port.reset_input_buffer()
            port.write(b"\x03")
            assert port.read_until(b">>> ").endswith(b">>> ")
            port.write(b"print('in')\r")
            assert b"in\r\n>>> " in port.read_until(b"in\r\n>>> ")


def test_a_loop_without_end_is_left_by_the_next_command(board):
    board.mpremote("exec", "--no-follow", "while True: pass")
    assert board.mpremote("exec", "print('alive')").strip() == "alive"


def test_interrupts_at_once_count_as_one_so_that_none_meets_another_unhandled(tmp_path):
    # Two that are not handled yet make MicroPython's unix port exit.
    with bench(tmp_path) as b:
        b.install(
            "import time\nn = 0\nprint('waiting')\nwhile True:\n"
            "    try:\n        time.sleep(1)\n"
            "    except KeyboardInterrupt:\n        n += 1\n        print('interrupt', n)\n"
        )
        b.wait_for("waiting")
        boots = b.control.status()["boots"]
        with serial.Serial(b.control.tty, timeout=5) as port:
            for _ in range(4):
                port.write(b"\x03")
                time.sleep(0.003)
            time.sleep(0.1)
            assert "interrupt 4" not in b.printed()
            port.write(b"\x03")
            b.wait_for("interrupt 2")
        assert b.control.status()["boots"] == boots


def test_what_was_typed_before_a_reset_is_gone_after_it(counting):
    boots = counting.control.status()["boots"]
    with serial.Serial(counting.control.tty, timeout=5) as port:
        port.write(b"print('typed' + ' before')\r")
        port.flush()
        counting.control.status()
        counting.control.reset()
        counting.control.wait_for_boot(boots + 1)
        port.write(b"\x03print('after')\r")
        seen = port.read_until(b"after\r\n")
    assert b"after\r\n" in seen
    assert b"typed before" not in seen
