# SPDX-License-Identifier: MIT
"""The story of one shipment, step by step, told with the commands a person would type.

Nothing here knows a result beforehand: each step runs a command of `sealtrail`, or turns
the tag's clock, or cuts its power, and checks what came of it.
"""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from boards.virtual.demo import tamper
from boards.virtual.demo.stage import Stage
from boards.virtual.demo.tool import StoryError, Tool

SERIAL = "ST-0001"
TRIP = "1"
PROFILE = "ln2-dry-shipper"
CHAIN_OF_IDENTITY = "COI-DEMO-0001"
# Bytes of the torn write that still reach the flash: the cut falls inside one slot.
_TORN_SIZE = 7
_POWER_OFF_MS = 400
_BOOT_TIMEOUT_S = 20


@dataclass(frozen=True)
class Times:
    """When what happens, in seconds of simulated time from the start of the trip."""

    handover_s: int
    power_cut_s: int
    arrival_s: int


class Story:
    """Tells the story on *stage* with *tool*; leaves its files in *out*."""

    def __init__(self, console: Console, stage: Stage, tool: Tool, out: Path, times: Times):
        self._console = console
        self._stage = stage
        self._tool = tool
        self._out = out
        self._times = times
        self._elapsed_s = 0
        self.facts: dict[str, object] = {}

    def tell(self) -> None:
        """All chapters in order. Raises StoryError where one fails."""
        self._depot()
        self._departure()
        self._road()
        self._arrival()
        self._verdict()
        self._forgeries()
        self._papers()

    # ---- chapters

    def _depot(self) -> None:
        self._chapter("1  Depot: keys, firmware, enrolment")
        tty = str(self._stage.tty)
        self._tool.run("fleet", "init", "Demo fleet")
        # Whoever gets a ticket is registered under it: the handovers will name him.
        self._tool.run("service", "cert")
        self._tool.run("flash", "--board", "virtual", "--port", tty)
        self._sync_clocks()
        self._tool.run(
            *("provision", "--port", tty, "--serial", SERIAL, "--profile", PROFILE),
        )
        self._wait_for_tag()

    def _departure(self) -> None:
        self._chapter("2  Departure: the trip is armed, the courier takes the box")
        for role, name in (("site", "Cell lab"), ("courier", "Ann"), ("courier", "Bob")):
            trip = ("--trip", TRIP) if role == "courier" else ()
            self._tool.run(*_issue(role, name), *trip)
        self._tool.run(*_issue("qa", "Receiving QA"))
        arm = ("--trip", TRIP, "--profile", PROFILE)
        self._visit("cell-lab", "trip", "start", *arm, typed=CHAIN_OF_IDENTITY + "\n")
        self._hand_over("cell-lab", "ann", "Cell lab, dock 2")

    def _road(self) -> None:
        self._chapter("3  On the road: five days in seconds, a courier's sync, a power cut")
        self._advance_to(self._times.handover_s)
        self._visit("ann", "sync", "-o", str(self._out / "work" / "ann.seal"))
        self._hand_over("ann", "bob", "Depot Frankfurt")
        self._advance_to(self._times.power_cut_s)
        self._cut_power_during_a_write()
        self._advance_to(self._times.arrival_s)

    def _arrival(self) -> None:
        self._chapter("4  Arrival: QA takes the box and proves that nothing is missing")
        self._hand_over("bob", "receiving-qa", "Hospital, receiving dock")
        self._visit("receiving-qa", "trip", "end")
        self._visit("receiving-qa", "sync", "-o", str(self._out / "evidence.seal"))
        shutil.copy(self._tool.home / "fleet.pub", self._out / "fleet.pub")

    def _verdict(self) -> None:
        self._chapter("5  The verdict, offline, by the independent reader")
        self._tool.run("verify", str(self._out / "evidence.seal"))
        self._tool.run(
            *("coi", "check", str(self._out / "evidence.seal")), typed=CHAIN_OF_IDENTITY + "\n"
        )
        answer = self._tool.run("verify", str(self._out / "evidence.seal"), "--json", quiet=True)
        self.facts["verdict"] = json.loads(answer)

    def _forgeries(self) -> None:
        self._chapter("6  A forger flips one bit, then cuts off the tail")
        evidence = (self._out / "evidence.seal").read_bytes()
        work = self._out / "work"
        flipped, cut = work / "one-bit-flipped.seal", work / "tail-cut-off.seal"
        flipped.write_bytes(tamper.flip_one_bit(evidence))
        cut.write_bytes(tamper.cut_tail(evidence, 4))
        self._tool.run("verify", str(flipped), expect=1)
        self._tool.run("verify", str(cut), expect=3, quiet=True)

    def _papers(self) -> None:
        self._chapter("7  Report, custody document, upload")
        evidence = str(self._out / "evidence.seal")
        pdf, csv = str(self._out / "report.pdf"), str(self._out / "readings.csv")
        custody = str(self._out / "custody.jsonld")
        self._tool.run("report", evidence, "-o", pdf, "--csv", csv)
        self._tool.run("custody", evidence, "-o", custody)
        url = f"{self._stage.capture_url}/capture"
        self._tool.run("upload", custody, "--url", url, "--evidence", evidence)

    # ---- what happens in a chapter

    def _chapter(self, title: str) -> None:
        self._console.print()
        self._console.print(Rule(f"[bold]{title}[/]", align="left"))

    def _visit(self, ticket: str, *command: str, typed: str | None = None) -> None:
        self._sync_clocks()
        self._tool.run(*command, "--ticket", ticket, typed=typed)

    def _hand_over(self, giver: str, receiver: str, place: str) -> None:
        where = ("--place", place, "--seal", "S-1138")
        self._visit(giver, "handover", "offer", *where)
        self._visit(receiver, "handover", "accept", *where)

    def _sync_clocks(self) -> None:
        """The host lives in the tag's days: its clock is shifted by the simulated time."""
        self._tool.set_clock_offset_s(self._stage.board.status()["offset_s"])

    def _advance_to(self, second: int) -> None:
        step_s = second - self._elapsed_s
        if step_s <= 0:
            return
        begun = time.monotonic()
        self._stage.board.advance(step_s)
        self._elapsed_s = second
        took_s = time.monotonic() - begun
        self._console.print(
            f"[green]... {step_s / 86400:.2f} days of logging pass (in {took_s:.1f} s)[/]"
        )

    def _cut_power_during_a_write(self) -> None:
        """Arms the cut: the tag's next flash operation is torn, and the power is gone."""
        board = self._stage.board
        boots = board.status()["boots"]
        board.cut(0, _TORN_SIZE, _POWER_OFF_MS)
        interval_s = 300
        board.advance(2 * interval_s)
        self._elapsed_s += 2 * interval_s
        if board.status()["boots"] == boots:
            raise StoryError("the power cut did not happen")
        self._console.print(
            f"[red]... power cut: a flash write torn after {_TORN_SIZE} bytes; the tag reboots[/]"
        )
        self.facts["power_cut_at_s"] = self._elapsed_s

    def _wait_for_tag(self) -> None:
        """Waits until the provisioned tag has begun to log."""
        deadline = time.monotonic() + _BOOT_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._stage.board.status()["flash"]["log"]["programs"] > 0:
                return
            time.sleep(0.1)
        raise StoryError("the tag did not begin to log after provisioning")


def _issue(role: str, name: str) -> tuple[str, ...]:
    ticket = name.lower().replace(" ", "-")
    return ("ticket", "issue", "--tag", SERIAL, "--role", role, "--name", name, "--as", ticket)
