# SPDX-License-Identifier: MIT
"""The archive's story with the real commands on the tag without hardware, over the radio.

A sync without network, the upload later, a visit that brings the archive's word to the tag,
and the evidence back out of the archive, verified as anybody would.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console

from boards.virtual.demo.stage import Stage, open_stage
from boards.virtual.demo.story import PROFILE, SERIAL, Story, Times
from boards.virtual.demo.tool import Tool
from boards.virtual.radio.private_bus import why_no_bus
from tests.fakes.archive_process import ArchiveProcess
from tests.paths import REPO

# Most of it passes in the setup; the demo tells the same story without an archive.
pytestmark = [pytest.mark.timeout(600), pytest.mark.long]
SCENARIO = REPO / "boards/virtual/scenarios/ln2_five_days.csv"


@dataclass
class Told:
    """The story, told once; the tests look at what was kept on the way."""

    stage: Stage
    tool: Tool
    out: Path
    kept: dict[str, Any] = field(default_factory=dict)

    def run(self, *words: str, expect: int = 0) -> dict[str, Any]:
        said = self.tool.run(*words, "--json", expect=expect)
        return dict(json.loads(said)) if said.strip() else {}

    def offset_s(self) -> float:
        offset_s = float(self.stage.board.status()["offset_s"])
        self.tool.set_clock_offset_s(offset_s)
        return offset_s

    def tell(self) -> None:
        tty, kept = str(self.stage.tty), self.kept
        self.run("fleet", "init", "Archive fleet")
        self.run("service", "cert")
        self.run("archive", "init", "--clock-error-ms", "500")
        token = self.out / "dock.token"
        token.write_text(self.run("archive", "client", "add", "dock", "--role", "qa")["token"])
        token.chmod(0o600)
        self.run("flash", "--board", "virtual", "--port", tty)
        self.offset_s()
        self.run("provision", "--port", tty, "--serial", SERIAL, "--profile", PROFILE)
        Story(Console(quiet=True), self.stage, self.tool, self.out, Times(0, 0, 0))._wait_for_tag()
        self.run("ticket", "issue", "--tag", SERIAL, "--role", "qa", "--name", "QA", "--as", "qa")
        seal, there = str(self.out / "a.seal"), ("--archive-token", str(token))
        nowhere = ("--archive", "http://127.0.0.1:9", *there)
        kept["alone"] = self.run("sync", "--ticket", "qa", "-o", seal, *nowhere)
        kept["stuck"] = self.run("archive", "push", *nowhere, expect=4)
        variables = {"SEALTRAIL_CLOCK_OFFSET_S": f"{self.offset_s():.3f}"}
        process = ArchiveProcess(self.tool.home, passphrase=self.out / "p", **variables)
        with process:
            self.run("archive", "use", process.url, "--token-file", str(token))
            kept["first"] = self.run("sync", "--ticket", "qa", "-o", seal)
            kept["second"] = self.run("sync", "--ticket", "qa", "-o", seal)
            kept["shown"] = self.run("archive", "show")["tags"][0]
            header = {"Authorization": f"Bearer {token.read_text()}"}
            path = f"{process.url}/v1/tags/{kept['shown']['tid']}/evidence"
            stored = httpx2.get(path, headers=header, trust_env=False).content
        (self.out / "stored.seal").write_bytes(stored)
        kept["verified"] = self.run("verify", str(self.out / "stored.seal"))
        kept["own"] = self.run("verify", seal)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    if (reason := why_no_bus()) is not None:
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("archive")
    (out / "p").write_text("a passphrase of the story\n")
    tool = Tool(Console(width=118), out / "home", out / "p", REPO)
    # Unix sockets need short paths.
    with (
        tempfile.TemporaryDirectory(prefix="st-archive-") as run,
        open_stage(Path(run), SCENARIO) as stage,
    ):
        tool.use(**stage.radio.environment)
        told = Told(stage, tool, out)
        told.tell()
        yield told.kept


def test_without_network_the_sync_is_good_and_the_upload_waits(kept: dict[str, Any]):
    assert kept["alone"]["is_complete"] and not kept["alone"]["archive"]["is_delivered"]
    assert kept["stuck"]["left"][0]["state"] == "due"


def test_with_network_all_of_it_is_delivered_and_receipted(kept: dict[str, Any]):
    first = kept["first"]
    assert first["archive"]["is_delivered"]
    assert first["archive"]["receipt_seq"] == first["head_seq"]


def test_the_next_visit_goes_well_whatever_the_tag_says_to_its_receipt(kept: dict[str, Any]):
    assert kept["second"]["archive"]["alarms"] == []
    assert kept["shown"]["head"] == kept["second"]["head_seq"]
    assert (kept["shown"]["forks"], kept["shown"]["receipt_withheld"]) == ([], "")


def test_what_the_archive_gives_out_is_proved_to_who_asked_the_tag(kept: dict[str, Any]):
    assert kept["verified"]["verdict"] == kept["own"]["verdict"] == "proved"
    assert kept["verified"]["head_seq"] == kept["own"]["head_seq"]
