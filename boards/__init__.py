# SPDX-License-Identifier: MIT
"""Boards a tag can be built on: one folder each, `board.json` (data only) and `board.md`.

`board.json` is read by the tag (pins, buses, sensors) and by the host (flash regions,
architecture); schema.json says what may stand in it.
"""

import json
from pathlib import Path
from typing import Any

BOARDS = Path(__file__).resolve().parent


def board_names() -> list[str]:
    """The names of all boards, sorted."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.json"))


def board_path(name: str) -> Path:
    """Where the description of board *name* lies. Raises KeyError for an unknown name."""
    if name not in board_names():
        raise KeyError(f"no board {name!r}; there are {', '.join(board_names())}")
    return BOARDS / name / "board.json"


def load_board(name: str) -> dict[str, Any]:
    """Returns the description of board *name*. Raises KeyError for an unknown name."""
    board: dict[str, Any] = json.loads(board_path(name).read_text(encoding="utf-8"))
    return board
