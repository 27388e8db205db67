# SPDX-License-Identifier: MIT
"""What the host gets to see of MicroPython's output, however it is cut into chunks."""

import pytest

from boards.virtual.supervisor_repl import FRIENDLY, RAW, ReplFollower

UP, REPL = b"\0vtag-up\0", b"\0vtag-repl\0"
BANNER = b"MicroPython v1 on x; linux\n>>> "
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"


def _seen(mode: str, chunks: list[bytes]) -> tuple[bytes, ReplFollower]:
    repl = ReplFollower(mode)
    return b"".join(repl.feed(chunk) for chunk in chunks), repl


def _in_chunks(content: bytes, size: int) -> list[bytes]:
    return [content[i : i + size] for i in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_marks_never_reach_the_host(size):
    boot = UP + b"main up\n" + REPL + b"\n" + BANNER
    seen, repl = _seen(FRIENDLY, _in_chunks(boot, size))
    assert seen == b"main up\r\n\r\n" + BANNER.replace(b"\n", b"\r\n")
    assert repl.is_up
    assert repl.is_at_prompt
    assert repl.mode == FRIENDLY


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_raw_soft_reset_shows_only_the_raw_banner(size):
    boot = UP + b"boot.py says hello\n" + REPL + b"\n" + BANNER + b"\r\n" + RAW_BANNER + b"OK"
    seen, repl = _seen(RAW, _in_chunks(boot, size))
    assert seen == b"boot.py says hello\n" + RAW_BANNER + b"OK"
    assert repl.mode == RAW


def test_raw_output_is_left_as_it_is():
    _, repl = _seen(FRIENDLY, [UP + REPL + b"\n" + BANNER + b"\r\n" + RAW_BANNER])
    assert repl.mode == RAW
    assert repl.feed(b"a\nb\0c\0") == b"a\nb\0c\0"


def test_what_a_life_said_before_it_died_booting_is_kept():
    seen, repl = _seen(FRIENDLY, [b"Traceback", b": boom"])
    assert seen == b""
    assert repl.last_words() == b"Traceback: boom"
    assert not repl.is_up
