# SPDX-License-Identifier: MIT
"""RUN/ctl: one order per line, one JSON object per answer, as many clients as like.

    status | kill [OFF_MS] | cut WHOLE TORN_SIZE [OFF_MS] | reset | advance SECONDS | quit

The answer is the board's status after the order; to `advance`, when the tag is there.
{"error": "..."} says in one line why an order was not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from boards.virtual import BoardError

if TYPE_CHECKING:
    from boards.virtual.supervisor import Supervisor


class ControlSocket:
    """Serves the orders of one board."""

    def __init__(self, board: Supervisor):
        self._board = board
        self._clients: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> None:
        self._server = await asyncio.start_unix_server(self._serve, path)

    async def close(self) -> None:
        self._server.close()
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while line := await reader.readline():
                answer = json.dumps(await self._answer(line.decode(errors="replace")))
                writer.write(answer.encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the client has gone, sends no lines, or the board is closing
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, line: str) -> dict[str, object]:
        try:
            word, *arguments = line.split() or [""]
            await self._follow(word, arguments)
        except BoardError as e:
            return {"error": str(e)}
        return self._board.status()

    async def _follow(self, word: str, arguments: list[str]) -> None:
        board = self._board
        try:
            if word == "advance":
                (seconds,) = arguments
                await board.advance(float(seconds))
            elif word == "kill":
                board.kill(*_integers(arguments, 0, 1))
            elif word == "cut":
                board.cut(*_integers(arguments, 2, 3))
            elif word == "reset":
                _integers(arguments, 0, 0)
                board.reset()
            elif word == "quit":
                board.quit()
            elif word != "status":
                raise BoardError(f"unknown order {word!r}")
        except ValueError as e:
            raise BoardError(f"order {word!r}: {e}") from e


def _integers(arguments: list[str], count_min: int, count_max: int) -> list[int]:
    if not count_min <= len(arguments) <= count_max:
        raise ValueError(f"takes {count_min} to {count_max} numbers")
    numbers = [int(argument) for argument in arguments]
    if any(number < 0 for number in numbers):
        raise ValueError("takes no negative number")
    return numbers
