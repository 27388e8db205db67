# SPDX-License-Identifier: MIT
"""One JSON object a line on stderr: {"at", "event", ...}. Names and numbers, never secrets."""

import json
import sys
from dataclasses import dataclass

from sealtrail.clock import iso
from sealtrail.commands.output import Session


@dataclass(frozen=True, slots=True)
class LoggedSession(Session):
    """A session whose lines go into the log, so that parts of `sync` serve here unchanged."""

    def event(self, name: str, **fields: object) -> None:
        """Writes one line."""
        row = {"at": iso(self.clock.now_ms()), "event": name, **fields}
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """What `sync` tells a person."""
        self.event("said", text=text)

    def warn(self, text: str) -> None:
        """What somebody should act on."""
        self.event("warning", text=text)

    def detail(self, text: str) -> None:
        """With -v only."""
        if self.is_verbose:
            self.event("detail", text=text)
