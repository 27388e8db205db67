# SPDX-License-Identifier: MIT
"""Keys over their whole life, with the real commands on the tag without hardware.

Persons named in custody, the fleet rotated and the tag told by radio, the home lost and
restored, the tag revoked, decommissioned and given a new life.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from boards.virtual.demo.stage import Stage, open_stage
from boards.virtual.demo.story import PROFILE, SERIAL, Story, Times
from boards.virtual.demo.tool import Tool
from boards.virtual.radio.private_bus import why_no_bus
from tests.paths import REPO

pytestmark = pytest.mark.timeout(600)  # most of it passes in the setup
SCENARIO = REPO / "boards/virtual/scenarios/ln2_five_days.csv"


@dataclass
class Life:
    """One tag's life, told once; the tests below look at what was kept on the way."""

    stage: Stage
    tool: Tool
    out: Path
    kept: dict[str, Any] = field(default_factory=dict)

    def run(self, *words: str, expect: int = 0) -> dict[str, Any]:
        said = self.tool.run(*words, "--json", expect=expect)
        return dict(json.loads(said)) if said.strip() else {}

    def in_its_days(self) -> None:
        self.tool.set_clock_offset_s(self.stage.board.status()["offset_s"])

    def tell(self) -> None:
        tty, kept = str(self.stage.tty), self.kept
        self.run("fleet", "init", "Keys fleet")
        self.run("service", "cert")
        self.run("flash", "--board", "virtual", "--port", tty)
        self.in_its_days()
        enrol = ("provision", "--port", tty, "--serial", SERIAL, "--profile", PROFILE)
        self.run(*enrol)
        Story(Console(quiet=True), self.stage, self.tool, self.out, Times(0, 0, 0))._wait_for_tag()
        for role, name in (("site", "Cell lab"), ("courier", "Ann"), ("qa", "QA")):
            trip = ("--trip", "7") if role == "courier" else ()
            words = ("--role", role, "--name", name, "--as", name.lower().replace(" ", "-"))
            self.run("ticket", "issue", "--tag", SERIAL, *words, *trip)
        self.in_its_days()
        start = ("trip", "start", "--trip", "7", "--profile", PROFILE, "--ticket", "cell-lab")
        self.tool.run(*start, "--coi", "-", typed="COI-1\n")
        for ticket, what in (("cell-lab", "offer"), ("ann", "accept")):
            self.run("handover", what, "--place", "Dock 2", "--seal", "S-1", "--ticket", ticket)
        kept["synced"] = self.run("sync", "--ticket", "qa", "-o", self._file("before.seal"))
        kept["named"] = self.run("verify", self._file("before.seal"))
        self._rotate_and_lose_the_home()
        self._revoke_and_end(tty, enrol)

    def _rotate_and_lose_the_home(self) -> None:
        kept, home = self.kept, self.tool.home
        kept["rotated"] = self.run("fleet", "rotate")
        self.run("fleet", "backup", self._file("fleet.backup"), "--evidence")
        shutil.rmtree(home)
        self.run("fleet", "restore", self._file("fleet.backup"))
        self.in_its_days()
        kept["told"] = self.run("sync", "--ticket", "qa", "-o", self._file("after.seal"))
        kept["told_again"] = self.run("sync", "--ticket", "qa", "-o", self._file("after.seal"))
        kept["after"] = self.run("verify", self._file("after.seal"))
        self.run("trip", "end", "--ticket", "qa")

    def _revoke_and_end(self, tty: str, enrol: tuple[str, ...]) -> None:
        kept = self.kept
        last = kept["after"]["head_seq"]
        words = ("revoke", SERIAL, "--reason", "opened", "--yes", "-o", self._file("r"))
        kept["revoked"] = self.run(*words, "--last-seq", str(last))
        self.run("verify", self._file("after.seal"))  # the trusted records stay good
        beyond = self.run("sync", "--ticket", "qa", "-o", self._file("beyond.seal"))
        assert beyond["revoked_after"] == last
        kept["beyond"] = self.run("verify", self._file("beyond.seal"), expect=1)
        self.run("ticket", "issue", "--tag", SERIAL, "--role", "qa", "--name", "X", expect=5)
        # A revoked tag's later records do not verify: it is not decommissioned, but erased.
        self.run("decommission", "--port", tty, "--purge", "--yes", expect=1)
        kept["second"] = self.run(*enrol, "--erase")
        Story(Console(quiet=True), self.stage, self.tool, self.out, Times(0, 0, 0))._wait_for_tag()
        self.in_its_days()
        kept["ended"] = self.run("decommission", "--port", tty, "--purge", "--yes")
        self.run("ticket", "issue", "--tag", SERIAL, "--role", "qa", "--name", "X", expect=5)
        kept["third"] = self.run(*enrol)

    def _file(self, name: str) -> str:
        return str(self.out / name)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    if (reason := why_no_bus()) is not None:
        pytest.skip(reason)
    import tempfile

    out = tmp_path_factory.mktemp("keys")
    (out / "p").write_text("a passphrase of the story\n")
    tool = Tool(Console(width=118), out / "home", out / "p", REPO)
    # Unix sockets need short paths.
    with (
        tempfile.TemporaryDirectory(prefix="st-keys-") as run,
        open_stage(Path(run), SCENARIO) as stage,
    ):
        tool.use(**stage.radio.environment)
        told = Life(stage, tool, out)
        told.tell()
        yield told.kept


def test_custody_names_who_signed(life: dict[str, Any]) -> None:
    (step,) = life["named"]["custody"]
    assert step[1:3] == ["handed over", "Cell lab (site) to Ann (courier)"]
    assert life["named"]["verdict"] == "proved" and not life["named"]["custody_notes"]


def test_rotated_fleet_is_told_once_by_radio_and_old_certificates_stay(
    life: dict[str, Any],
) -> None:
    assert life["told"]["rotations_told"] == 1 and life["told_again"]["rotations_told"] == 0
    assert life["after"]["verdict"] == "proved"
    fleet_key_event = 34
    assert fleet_key_event in [event["code"] for event in life["after"]["events"]]
    assert life["after"]["custody"][0][2] == "Cell lab (site) to Ann (courier)"


def test_records_beyond_the_revocation_are_refused(life: dict[str, Any]) -> None:
    assert life["beyond"]["rule"] == "R20"
    assert life["beyond"]["record"] == life["revoked"]["last_seq"] + 1


def test_new_life_has_another_id_and_an_end(life: dict[str, Any]) -> None:
    assert len({life["revoked"]["tid"], life["second"]["tid"], life["third"]["tid"]}) == 3
    assert life["ended"]["tid"] == life["second"]["tid"] and life["ended"]["purged"]
