# SPDX-License-Identifier: MIT
"""A tag whose session is the firmware's own, over standard input and output, with real keys.

One line of JSON in, one out: {"do": name, ...} -> {...}; byte strings in hex. Run by CPython.
"""

import json
import sys
from typing import Any

from sealwire import access, profile
from tests.fakes.access_parts import CERTIFICATE, NOW_S, make_ticket
from tests.fakes.rolling_tag import RollingTag, key_record
from tests.vectors.chain import STRANGER

ACCESS_KEY = bytes(range(32))
RULES = profile.encode(profile.build("LN2 dry shipper", 300, [[1, 0, 0, -15000, 0, 500]]))


class PipeTag:
    """Answers one request after the other."""

    def __init__(self) -> None:
        self.tag = RollingTag()
        self.session: Any = None

    def new(self, records: int) -> dict[str, Any]:
        """Another tag, with so many records."""
        self.tag = RollingTag()
        self.tag.log(records - 1)
        self.session = None
        return {"certificate": CERTIFICATE.hex(), "now_s": NOW_S, "rules": RULES.hex()}

    def ticket(self, key: str, floors: list[int], changes: dict[str, int]) -> dict[str, Any]:
        """A ticket for the holder of *key*."""
        holder = access.holder_of(bytes.fromhex(key))
        packed = access.pack_ticket(make_ticket(holder, **changes))
        return {
            "tid": access.tid_of(CERTIFICATE).hex(),
            "ticket": packed.hex(),
            "ticket_key": access.ticket_key(ACCESS_KEY, packed).hex(),
            "visit_keys": [access.visit_key(ACCESS_KEY, floor).hex() for floor in floors],
        }

    def connect(self) -> dict[str, Any]:
        """A new link."""
        self.session = self.tag.session()
        return {}

    def send(self, message: str) -> dict[str, Any]:
        """One control message; its answer or null."""
        answer = self.session.receive(bytes.fromhex(message))
        return {"answer": None if answer is None else bytes(answer).hex()}

    def bulk(self, size: int, count: int) -> dict[str, Any]:
        """At most *count* bulk frames of at most *size* bytes."""
        frames = []
        while len(frames) < count:
            frame = self.session.next_bulk(size)
            if frame is None:
                break
            frames.append(bytes(frame).hex())
        return {"frames": frames}

    def log(self, count: int) -> dict[str, Any]:
        """More records."""
        self.tag.log(count)
        return {}

    def roll(self, forged: bool = False) -> dict[str, Any]:
        """The next key; *forged*: its record is signed by a stranger."""
        if forged:
            seq, previous = self.tag.recorder.head()
            one = key_record(seq + 1, previous, STRANGER, STRANGER)
            self.tag.records.all.append(one)
            self.tag.key_roll.epoch_seq = seq + 1
            self.tag.recorder.sign = lambda parts: STRANGER.sign(b"".join(map(bytes, parts)))
        else:
            self.tag.roll()
        return {}

    def overwrite(self, first_seq: int) -> dict[str, Any]:
        """Forgets older records."""
        self.tag.overwrite(first_seq)
        return {}

    def fail(self, tno: int, count: int) -> dict[str, Any]:
        """So many wrong proofs of a ticket."""
        for _ in range(count):
            self.tag.admission.note_failure(tno)
        return {}

    def look(self) -> dict[str, Any]:
        """What the tag holds."""
        return {
            "records": [one.hex() for one in self.tag.records.all],
            "events": [code for code, _ in self.tag.recorder.events],
            "trip": self.tag.trip.number if self.tag.trip.is_open else 0,
        }


def main() -> None:
    """Answers until the input ends."""
    pipe = PipeTag()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(pipe, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


main()
