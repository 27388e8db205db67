# SPDX-License-Identifier: MIT
"""The tag's end of a sync over standard input and output. Runs on both interpreters.

One line in, one line out; byte strings in hex, "-" for none.
    chain COUNT SIZE      makes records (SIZE 0: of many sizes); answers SHA-256 of them all
    link CHUNK_SIZE       a new connection; answers "ok"
    step COMMAND,...      takes the command frames, answers REPLY,...|BULK: one bulk frame at most
"""

import hashlib
import sys
from binascii import hexlify, unhexlify

from access_sync_pipe import FakeTag, make_chain


def _mixed_size(seq: int) -> int:
    return 140 + seq * 37 % 700


def _text(frames: list) -> str:
    return ",".join([hexlify(frame).decode() for frame in frames]) or "-"


class PipeTag:
    """Answers one line after the other."""

    def __init__(self) -> None:
        self.records = []
        self.tag = None

    def answer(self, line: str) -> str:
        """The answer to *line*."""
        name, *args = line.split()
        if name == "chain":
            count, size = int(args[0]), int(args[1])
            self.records = make_chain(count, _mixed_size if size == 0 else lambda seq: size)
            return hexlify(hashlib.sha256(b"".join(self.records)).digest()).decode()
        if name == "link":
            self.tag = FakeTag(self.records, int(args[0]))
            return "ok"
        commands = [] if args[0] == "-" else args[0].split(",")
        replies = [self.tag.command(unhexlify(frame)) for frame in commands]
        bulk = self.tag.bulk()
        frames = [] if bulk is None else [bytes(bulk)]
        return _text([one for one in replies if one]) + "|" + _text(frames)


def main() -> None:
    """Answers until the input ends."""
    pipe = PipeTag()
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        print(pipe.answer(line.strip()))
        # CPython keeps what goes into a pipe until a buffer is full; MicroPython does not.
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()


main()
