# SPDX-License-Identifier: MIT
"""The command itself: help, options anywhere, JSON, and docs/cli.md."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from sealtrail import __version__, cli
from sealtrail.commands import reference as cli_reference
from tests.paths import REPO

PATHS = os.pathsep.join(str(REPO / name) for name in ("host_tools", "firmware"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    monkeypatch.setenv("SEALTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEALTRAIL_CLOCK_OFFSET_S", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def leaves() -> list[list[str]]:
    command = typer.main.get_command(cli.app)
    return [path.split()[1:] for path, _ in cli_reference._leaves(command, "sealtrail")]


def test_cli_document_is_what_the_commands_say() -> None:
    written = (REPO / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == cli_reference.reference(), "run: python -m sealtrail.commands.reference"


@pytest.mark.parametrize("command", leaves(), ids=" ".join)
def test_every_command_teaches_with_an_example(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, "--help"]) == 0
    said = capsys.readouterr()
    assert "Example" in said.out and f"sealtrail {' '.join(command)}" in said.out
    assert said.err == ""


def test_commands_of_this_version_are_all_there() -> None:
    expected = (
        "fleet init|fleet show|fleet rotate|fleet backup|fleet restore|service cert"
        "|service rotate|service show|person add|person show|revoke|decommission|flash"
        "|provision|clock|scan|status|trip start|trip end|sync|dump|handover offer"
        "|handover accept|verify|report|custody|upload|outbox show|ticket issue|ticket show"
        "|ticket revoke|profile check|profile show|coi check"
        "|archive init|archive serve|archive show|archive use|archive push|phone|gateway"
        "|archive client add|archive client revoke|archive client list"
    )
    assert {" ".join(one) for one in leaves()} == set(expected.split("|"))


def test_help_is_quick() -> None:
    def run_s() -> float:
        """Processor seconds: the clock on the wall also counts the other tests."""
        command = [sys.executable, "-m", "sealtrail", "--help"]
        before = os.times()
        subprocess.run(
            command, env={**os.environ, "PYTHONPATH": PATHS}, check=True, capture_output=True
        )
        after = os.times()
        return (after.children_user + after.children_system) - (
            before.children_user + before.children_system
        )

    assert min(run_s() for _ in range(3)) < 0.9  # 0.4 s on an idle machine


def test_help_loads_neither_radio_nor_crypto_nor_pdf() -> None:
    code = (
        "import sys\nfrom sealtrail import cli\n"
        "heavy = {'bleak', 'cryptography', 'nacl', 'fpdf', 'mpremote', 'httpx2', 'cbor2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": PATHS}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"sealtrail {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [["--json", "profile", "show"], ["profile", "--json", "show"], ["profile", "show", "--json"]],
)
def test_global_option_works_at_every_place(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)["profiles"]


def test_home_option_wins_at_every_place(tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other"
    assert cli.main(["fleet", "init", "A", "--home", str(other), "-q"]) == 0
    assert cli.main(["fleet", f"--home={tmp_path / 'third'}", "init", "A", "-q"]) == 0
    assert (other / "fleet.pub").exists() and (tmp_path / "third" / "fleet.pub").exists()
    assert not home.exists()


def test_word_after_two_dashes_is_no_option(home: Path) -> None:
    assert cli.main(["-q", "fleet", "init", "--", "--json"]) == 0
    assert (home / "fleet.pub").read_text().rstrip().endswith(" --json")


def test_json_is_one_object_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "init", "A", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["name"] == "A" and said.err == ""
    assert "simulated_clock" not in said.out


def test_turned_clock_is_marked_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEALTRAIL_CLOCK_OFFSET_S", "-86400")
    assert cli.main(["fleet", "init", "A", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["simulated_clock"] is True
    assert said.err == "sealtrail: simulated clock, -86400 s\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "init", "A", "--quiet"]) == 0
    assert cli.main(["fleet", "show", "-q"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and said.err == ""


def test_table_in_a_pipe_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "init", "A fleet [bold]", "-q"]) == 0
    assert cli.main(["fleet", "show"]) == 0
    said = capsys.readouterr().out
    assert "A fleet [bold]" in said
    assert not set(said) & set("│─┃━\x1b")


def test_fleet_ticket_and_profile_story(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "init", "A", "-q"]) == 0
    assert cli.main(["profile", "check", "ln2-dry-shipper"]) == 0
    assert "rule 1: probe 0 above -150 °C at once" in capsys.readouterr().out
    assert cli.main(["ticket", "show"]) == 0


def test_profile_check_tells_shock_and_tilt(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["profile", "check", "ln2-dry-shipper"]) == 0
    said = capsys.readouterr().out
    assert "shock above 8 g" in said and "tilt above 45° for 5 min" in said
    assert cli.main(["profile", "check", "ln2-dry-shipper", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    limits = [found[key] for key in ("shock_threshold_g", "tilt_deg", "tilt_hold_min")]
    assert limits == [8, 45, 5]
