# SPDX-License-Identifier: MIT
"""Evidence, documents and uploads that cannot be: named, with the code, nothing half-written."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from sealtrail import cli
from sealtrail.custody import document as custody_document
from sealtrail.home import Home
from tests.fakes.capture_process import capture_server
from tests.fakes.command_line import home, refused
from tests.paths import REPO

__all__ = ["home"]


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
