# SPDX-License-Identifier: MIT
"""Bad input is one line on stderr with its code, and nothing half-written."""

from pathlib import Path

import pytest

from sealtrail import cli
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealwire import access
from tests.fakes.command_line import home, refused

__all__ = ["home"]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ("nonsense", 2, "No such command"),
        ("verify", 2, "Missing argument"),
        ("verify a b", 2, "unexpected extra argument"),
        ("--nonsense", 2, "No such option"),
        ("fleet nonsense", 2, "No such command"),
        ("fleet init A --years many", 2, "valid integer"),
        ("fleet init A --years 0", 2, "1 to 30 years"),
        ("fleet show", 2, "cannot read"),
        ("--home", 2, "requires an argument"),
        ("verify missing.seal", 2, "missing.seal: cannot read: No such file"),
        ("verify empty.seal", 2, "is empty"),
        ("verify folder", 2, "cannot read: Is a directory"),
        ("report missing.seal", 2, "cannot read"),
        ("report empty.seal -o r.pdf", 2, "is empty"),
        ("custody empty.seal", 2, "is empty"),
        ("coi check missing.seal --coi X", 2, "cannot read"),
        ("upload missing.jsonld --evidence e --url http://x", 2, "cannot read"),
        ("upload empty.seal --evidence empty.seal --url http://x", 2, "is empty"),
        ("profile check nope", 2, "no profile 'nope'"),
        ("profile check nope.toml", 2, "cannot read"),
        ("flash --board nope --port /dev/null", 2, "no board 'nope'"),
        ("flash --board virtual --port x --image none.bin", 2, "no chip that takes an image"),
        ("flash --board virtual --port x --image empty.seal", 2, "no chip that takes an image"),
        ("clock --port nowhere", 4, "no such port"),
        ("clock --port empty.seal", 2, "is no serial port"),
        ("dump --port nowhere -o x.seal", 4, "no such port"),
        ("provision --port nowhere --serial st1", 2, "is not a tag serial"),
        ("provision --port nowhere --serial ST-1", 5, "no fleet key"),
        ("provision --port x --serial ST-1 --profile nope", 2, "no profile"),
        ("ticket issue --tag ST-1 --role king --name A", 2, "no role 'king'"),
        ("ticket issue --tag ST-1 --role courier --name A", 2, "names its trip"),
        ("ticket issue --tag ../x --role qa --name A", 2, "is not a tag serial"),
        ("ticket issue --tag ST-1 --role qa --name A", 5, "not provisioned by this home"),
        ("ticket show nope", 5, "no ticket 'nope'"),
        ("status", 5, "no ticket on this computer"),
        ("status --tag ST-0001", 5, "no ticket for tag ST-0001"),
        ("status --ticket nope", 5, "no ticket 'nope'"),
        ("status --wait 0", 2, "Invalid value for '--wait'"),
        ("trip start --trip 0 --coi X", 2, "Invalid value for '--trip'"),
        ("trip start --trip 1 --coi X", 5, "no ticket"),
        ("trip start --trip 1 --coi X --profile nope", 2, "no profile"),
        ("trip end", 5, "no ticket"),
        ("handover offer --place X", 5, "no ticket"),
        ("handover offer", 2, "Missing option '--place'"),
        ("handover accept --place X --ticket ../x", 2, "is not a name"),
        ("ticket show ../../etc/x", 2, "is not a name"),
    ],
)
def test_bad_input_is_one_line_with_its_code(
    words: str, code: int, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    found, line = refused(capsys, *words.split())
    assert found == code and part in line
    left = {p for p in tmp_path.rglob("*") if p.is_file()} - before
    assert all(p.suffix == ".lock" or p.name == "passphrase.check" for p in left)


def test_wrong_passphrase_is_five(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    assert cli.main(["fleet", "init", "A", "-q"]) == 0
    (tmp_path / "p").write_text("wrong horse\n")
    code, line = refused(capsys, "provision", "--port", "nowhere", "--serial", "ST-1")
    assert code == 5 and "wrong passphrase" in line and "horse" not in line


def test_no_passphrase_and_no_terminal_is_five(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEALTRAIL_PASSPHRASE_FILE")
    code, line = refused(capsys, "fleet", "init", "A")
    assert code == 5 and "nobody to ask" in line


def test_unusable_clock_offset_is_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALTRAIL_CLOCK_OFFSET_S", "tomorrow")
    assert refused(capsys, "fleet", "show")[0] == 2


@pytest.fixture
def ticket(home: Path) -> str:
    """A ticket for a tag that is not there; its name."""
    at = Home(home)
    folder = TagFolder.begin(at, "ST-0001", b"certificate", b"profile")
    folder.keep_access_key(Vault(at), bytes(32))
    folder.put_in_force()
    assert (
        cli.main(
            [
                "ticket",
                "issue",
                "--tag",
                "ST-0001",
                "--role",
                "qa",
                "--name",
                "Q",
                "--as",
                "q",
                "-q",
            ]
        )
        == 0
    )
    return "q"


@pytest.mark.parametrize("words", ["status", "trip end", "handover accept --place X", "scan"])
def test_computer_without_a_radio_is_four(
    words: str, ticket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    code, line = refused(capsys, *words.split(), "--wait", "1")
    assert code == 4 and "no Bluetooth service was found" in line and "Errno" not in line


@pytest.mark.parametrize("place", ["", "two\nlines"])
def test_place_that_is_no_line_is_two(
    place: str, ticket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "handover", "accept", "--place", place)[0] == 2


def test_receiver_that_is_no_key_is_two(ticket: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("handover", "offer", "--place", "X", "--receiver", "abc")
    assert refused(capsys, *words)[0] == 2


def test_failed_trip_start_keeps_the_salt(
    ticket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    words = ("trip", "start", "--trip", "1", "--coi", "X", "--salt-out", "t.salt", "--wait", "1")
    assert refused(capsys, *words)[0] == 4
    (sealed,) = (home / "coi").iterdir()
    salt = bytes.fromhex(Path("t.salt").read_text())
    assert access.coi_commitment(salt, b"X").hex() == sealed.stem


def test_home_that_is_a_file_is_six(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _ = refused(capsys, "fleet", "init", "A", "--home", str(tmp_path / "empty.seal"))
    assert code == 6
