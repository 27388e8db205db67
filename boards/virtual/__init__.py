# SPDX-License-Identifier: MIT
"""The tag without hardware: MicroPython's unix port behind a pty, as a board behind its UART.

`python -m boards.virtual --run DIR` powers one up; `supervisor.Supervisor` is the same as
a library, `launch.running_board` starts it as a subprocess, `control.BoardControl` gives
orders to a running one. Linux only. board.md says what is real here and what is not.
"""


class BoardError(OSError):
    """The virtual board cannot do what it was asked; one line, with what to do next."""
