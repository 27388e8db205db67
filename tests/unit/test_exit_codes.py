# SPDX-License-Identifier: MIT
"""Whatever is wrong: one line on stderr, the right code, nothing half-written."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealtrail import cli, errors
from sealtrail.custody import document as custody_document
from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealwire import access
from tests.fakes.capture_process import capture_server
from tests.paths import REPO

PATHS = os.pathsep.join(str(REPO / name) for name in ("host_tools", "firmware"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    monkeypatch.setenv("SEALTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEALTRAIL_CLOCK_OFFSET_S", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.seal").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    return tmp_path / "home"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """(code, the one line) of a command that must fail."""
    code = cli.main(words)
    said = capsys.readouterr()
    assert said.out == "", said.out
    lines = said.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("sealtrail: "), said.err
    assert "Traceback" not in said.err and "  " not in lines[0]
    return code, lines[0]


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
        ("flash --board virtual --port x --image none.bin", 2, "no such file"),
        ("flash --board virtual --port x --image empty.seal", 2, "partition table"),
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_full_disk_behind_stdout_is_six() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sealtrail", "profile", "show"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": PATHS, "PYTHONUNBUFFERED": ""},
            check=False,
        )
    assert done.returncode == 6 and done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_reader_that_went_away_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "sealtrail", "profile", "show"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PATHS, "PYTHONUNBUFFERED": ""},
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (6, "")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.VerifyError("R5", "bad signature", 3, 2, "x"), 1),
        (errors.UsageError("x"), 2),
        (errors.Incomplete("x"), 3),
        (errors.LinkError("x"), 4),
        (errors.DeviceError("x"), 4),
        (errors.UploadError("x"), 4),
        (errors.AccessRefused("x"), 5),
        (errors.StorageError("x"), 6),
        (OSError(errno.ENOSPC, "No space left on device"), 6),
        (OSError(errno.EROFS, "Read-only file system"), 6),
        (PermissionError(errno.EACCES, "Permission denied"), 6),
        (FileNotFoundError(errno.ENOENT, "No such file"), 2),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), 4),
        (TimeoutError(), 4),
        (OSError("no number"), 4),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("1/0\nsecond line"), 6),
        (RecursionError("deep"), 6),
        (MemoryError(), 6),
        (SystemExit(3), 6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_whatever_a_command_raises_has_its_code(
    problem: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(path: Path) -> list[fleet.FleetLine]:
        raise problem

    monkeypatch.setattr(fleet, "read_lines", failing)
    assert cli.main(["fleet", "show"]) == code
    said = capsys.readouterr()
    assert said.out == "" and "Traceback" not in said.err
    assert said.err.count("\n") == (0 if isinstance(problem, SystemExit) else 1)


def test_unexpected_failure_keeps_its_details_in_the_home(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    def failing(path: Path) -> list[fleet.FleetLine]:
        raise KeyError("nobody expected this")

    monkeypatch.setattr(fleet, "read_lines", failing)
    code, line = refused(capsys, "fleet", "show")
    (details,) = (home / "logs").iterdir()
    assert code == 6 and str(details) in line and "nobody expected" not in line
    assert "KeyError: 'nobody expected this'" in details.read_text()


def test_control_characters_in_an_error_do_not_reach_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(path: Path) -> list[fleet.FleetLine]:
        raise errors.UsageError("a\x1b[31m\nb")

    monkeypatch.setattr(fleet, "read_lines", failing)
    assert "\x1b" not in refused(capsys, "fleet", "show")[1]


def test_every_exit_code_of_the_error_tree_is_in_the_table() -> None:
    codes = {code for code, _ in cli.EXIT_CODES}

    def walk(kind: type[errors.SealtrailError]) -> None:
        assert kind.exit_code in codes
        for child in kind.__subclasses__():
            walk(child)

    walk(errors.SealtrailError)


def vector(name: str, home: Path) -> bytes:
    """A vector's evidence; the home then trusts the vector's fleet."""
    content = json.loads((REPO / f"tests/vectors/evidence/{name}.json").read_text())
    home.mkdir(exist_ok=True)
    (home / "fleet.pub").write_text(content["fleet_pub"])
    return bytes.fromhex(content["evidence"])


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"hello\n", b"\xd2", b"\xd2x"])
def test_file_of_another_kind_is_two_and_named(
    content: bytes, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vector("minimal", home)
    Path("a.png").write_bytes(content)
    for words in (("verify",), ("report",), ("custody",), ("coi", "check")):
        code, line = refused(capsys, *words, "a.png")
        part = "evidence cut" if content == b"\xd2" else "is no evidence file"
        assert code == 2 and f"a.png: {part}" in line


def test_refusal_names_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.seal").write_bytes(vector("r10_flipped_value", home))
    code, line = refused(capsys, "verify", "bad.seal")
    assert code == 1
    assert line.startswith("sealtrail: bad.seal: record 1: record signature wrong (R10): ")
    Path("cut.seal").write_bytes(vector("minimal", home)[:-9])
    code, line = refused(capsys, "verify", "cut.seal")
    assert code == 2 and line.startswith("sealtrail: cut.seal: evidence cut: it ends inside item")


def test_certificate_alone_holds_no_record(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.seal").write_bytes(vector("certificate_alone", home))
    for _ in range(2):
        assert cli.main(["verify", "c.seal"]) == 3
        said = capsys.readouterr()
        assert "holds no record" in said.err and "-1" not in said.out + said.err
        Path("m.seal").write_bytes(vector("minimal", home))
        assert cli.main(["verify", "m.seal", "-q"]) == 3  # seen: the next one is cut off
        capsys.readouterr()


@pytest.fixture
def pair(home: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, ...]:
    """`upload` with a document and its evidence, to a server that is not there."""
    Path("e.seal").write_bytes(vector("long_trip", home))
    assert cli.main(["custody", "e.seal", "-o", "d.jsonld", "-q"]) == 0
    capsys.readouterr()
    return ("upload", "d.jsonld", "--evidence", "e.seal", "--url", "http://127.0.0.1:9")


def test_upload_refuses_evidence_that_the_document_does_not_name(
    pair: tuple[str, ...], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("e.seal").write_bytes(vector("minimal", home))
    code, line = refused(capsys, *pair)
    assert code == 2 and "d.jsonld with e.seal: this is not the evidence" in line
    Path("e.seal").write_bytes(b"hello")
    code, line = refused(capsys, *pair)
    assert code == 2 and "is no evidence file" in line
    assert not Home(home).outbox.exists()


def test_upload_refuses_named_evidence_that_does_not_verify(
    pair: tuple[str, ...], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = custody_document.evidence_path(hashlib.sha256(Path("e.seal").read_bytes()).digest())
    bad = vector("r10_flipped_value", home)
    new = custody_document.evidence_path(hashlib.sha256(bad).digest())
    text = Path("d.jsonld").read_text()
    for name in (old, old.rsplit("/", 1)[1]):
        text = text.replace(name, new.rsplit("/", 1)[1] if "/" not in name else new)
    Path("d.jsonld").write_text(text)
    Path("e.seal").write_bytes(bad)
    code, line = refused(capsys, *pair)
    assert code == 1 and "e.seal: record 1" in line and "(R10)" in line
    assert not Home(home).outbox.exists()


def test_upload_of_evidence_not_proved_complete_is_noted_and_goes_on(
    pair: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("server")
    with capture_server(folder) as url:
        assert cli.main([*pair[:-1], url]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("sealtrail: e.seal: valid, but not proved complete: ")
    assert "events stored" in said.out


def test_outbox_shows_failed_tries_with_numbers(
    pair: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*pair, "-q"]) == 4
    capsys.readouterr()
    assert cli.main(["outbox", "show", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["pending"]
    assert (found["number"], found["state"]) == (1, "queued")
    assert found["tries"] == 4 and "no answer" in found["last answer"]
    assert cli.main(["outbox", "show"]) == 0
    assert "no answer" in capsys.readouterr().out


@pytest.mark.parametrize(("bad", "code"), [("none/r.csv", 6), ("folder", 2), ("e.seal/x", 6)])
def test_report_writes_all_its_files_or_none(
    bad: str, code: int, pair: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--csv", "--figures"):
        found, line = refused(capsys, "report", "e.seal", "-o", "a.pdf", option, bad)
        assert found == code and bad in line
        assert not Path("a.pdf").exists()


def test_custody_document_does_not_replace_a_pipe(
    pair: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("pipe")
    code, line = refused(capsys, "custody", "e.seal", "-o", "pipe")
    assert code == 2 and "pipe" in line and Path("pipe").is_fifo()


def test_picture_as_a_profile_is_named_in_one_clear_line(
    pair: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, line = refused(capsys, "custody", "e.seal", "--profile", "a.png")
    assert code == 2 and "a.png: is no custody profile" in line and "codec" not in line
    code, line = refused(capsys, "profile", "check", "a.png")
    assert code == 2 and "a.png: is no profile" in line
