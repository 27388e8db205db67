# SPDX-License-Identifier: MIT
"""Orders to a running radio: text lines on the unix socket SOCK.ctl, one JSON line each back.

    loss [MAC]          every link (of one tag) is lost, as out of range; the tag stays up
    pace MS PER_EVENT   connection interval and packets per event; 0 MS: unpaced
    supervision S       how long a dead tag's link lives on
    stats               nothing changes

The answer to each: {"tags": {MAC: {"connections": n, "notify": n, "write": n, "read": n}}},
or {"error": text}.
"""

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

from boards.virtual.radio.controller import Pace

if TYPE_CHECKING:
    from boards.virtual.radio.service import Radio


async def serve_control(
    radio: "Radio", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers orders of one client until it leaves."""
    try:
        while words := (await reader.readline()).decode().split():
            try:
                obey(radio, words)
                answer: dict[str, Any] = {"tags": _tag_rows(radio)}
            except (ValueError, IndexError) as reason:
                answer = {"error": f"cannot obey {' '.join(words)!r}: {reason}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def obey(radio: "Radio", words: list[str]) -> None:
    """Carries out one order. Raises ValueError or IndexError when it makes no sense."""
    order, arguments = words[0], words[1:]
    if order == "loss":
        radio.lose_links(arguments[0].upper() if arguments else "")
    elif order == "pace":
        radio.set_pace(Pace(float(arguments[0]), int(arguments[1])))
    elif order == "supervision":
        radio.supervision_s = float(arguments[0])
    elif order != "stats":
        raise ValueError("no such order")


def _tag_rows(radio: "Radio") -> dict[str, dict[str, int]]:
    return {
        mac: {"connections": len(tag.connections), **tag.counts} for mac, tag in radio.tags.items()
    }


def send_order(radio_socket: str, line: str, timeout_s: float = 5) -> dict[str, Any]:
    """Gives one order to the radio at *radio_socket* and returns its answer. Blocks.

    Raises OSError when the radio is not there, ValueError when it refuses the order.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout_s)
        client.connect(radio_socket + ".ctl")
        client.sendall(line.encode() + b"\n")
        with client.makefile() as lines:
            answer: dict[str, Any] = json.loads(lines.readline())
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer
