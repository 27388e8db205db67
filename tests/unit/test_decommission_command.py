# SPDX-License-Identifier: MIT
"""`sealtrail decommission`: read, verified, asked, farewell stored; only then erased."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sealtrail import cli
from sealtrail.device import raw_repl
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.radio.evidence_store import EvidenceStore
from sealwire import labels
from tests.fakes.handovers import tag_chain
from tests.fakes.owner import Owner, owner, owner_with_scrypt
from tests.unit.repl_tag import DockTag
from tests.vectors.chain import STRANGER, Chain, sha256

__all__ = ["owner", "owner_with_scrypt"]
_END, _PURGE = 10, 11


class EndingTag(DockTag):
    """A provisioned tag with real records, that can end. *farewell*: False: it signs none."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain
        self.certificate = chain.certificate
        self.first = 0  # older records were overwritten
        self.is_ended = self.is_purged = False
        self.signs_farewell = True

    def _serve(self, op: int, args: dict[int, Any]) -> dict[int, Any]:
        records = [] if self.is_purged else self.chain.records
        head = len(records) - 1
        if op == 1:
            found = super()._serve(1, args)[1]
            hashed = sha256(records[-1]) if records else b""
            ended = int(self.is_ended)
            return {0: 0, 1: {**found, 4: 1 - ended, 5: head, 8: 1 - ended, 9: ended, 10: hashed}}
        if op == 6:
            begin = max(args[1], self.first)
            return {0: 0, 1: {1: records[begin:][:2], 2: head, 3: self.certificate, 4: begin}}
        if op == _END:
            if not self.is_ended and args != {1: head, 2: sha256(records[-1])}:
                return {0: 9, 1: "the newest record is another one"}
            if not self.is_ended and self.signs_farewell:
                self.chain.add(labels.KIND_END)
            self.is_ended = True
            return {0: 0, 1: {1: len(records) - 1, 2: sha256(records[-1])}}
        if op == _PURGE:
            if not self.is_ended or args[1] != sha256(records[-1]):
                return {0: 11, 1: "end first"}
            self.is_purged = True
            return {0: 0}
        return super()._serve(op, args)


@pytest.fixture
def tag(owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EndingTag:
    monkeypatch.setenv("SEALTRAIL_HOME", str(owner.home.root))
    offset_s = owner.clock.now_s - int(time.time())
    monkeypatch.setenv("SEALTRAIL_CLOCK_OFFSET_S", str(offset_s))
    monkeypatch.chdir(tmp_path)
    made = EndingTag(tag_chain(owner))
    folder = TagFolder.begin(owner.home, "ST-0001", made.chain.certificate, b"profile")
    folder.keep_access_key(owner.vault, bytes(32))
    folder.put_in_force()

    @contextmanager
    def plugged(port: str) -> Iterator[EndingTag]:
        yield made

    monkeypatch.setattr(raw_repl, "RawRepl", plugged)
    return made


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    code = cli.main(["--json", "decommission", "--port", "x", *words])
    said = capsys.readouterr()
    lines = [one for one in said.err.splitlines() if "simulated clock" not in one]
    assert "Traceback" not in said.err
    return code, json.loads(said.out or "{}"), lines[-1] if lines else ""


def test_farewell_is_stored_before_the_log_is_erased(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, line = run(capsys, "--purge", "--yes")
    assert code == 0, line
    assert tag.is_ended and tag.is_purged and said["purged"]
    assert Path(said["file"]).read_bytes() == tag.chain.evidence()
    assert said["records"] == 4 and said["farewell_hash"] == sha256(tag.chain.records[-1]).hex()
    assert tag.asked.index(_END) < tag.asked.index(_PURGE)
    assert 6 in tag.asked[tag.asked.index(_END) : tag.asked.index(_PURGE)]
    Path("e.seal").write_bytes(Path(said["file"]).read_bytes())
    assert cli.main(["verify", "e.seal", "-q"]) == 3


def test_log_stays_without_purge(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "--yes")[0] == 0
    assert tag.is_ended and not tag.is_purged


def test_no_ticket_is_issued_for_a_decommissioned_tag(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "--yes")[0] == 0
    assert cli.main(["ticket", "issue", "--tag", "ST-0001", "--role", "qa", "--name", "Q"]) == 5
    assert "was decommissioned" in capsys.readouterr().err


def test_serial_must_be_typed(
    owner: Owner,
    tag: EndingTag,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, _, line = run(capsys)
    assert code == 2 and "Add --yes" in line and not tag.is_ended

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("ST-0002\n"))
    code, _, line = run(capsys)
    assert code == 2 and "was not typed" in line and not tag.is_ended
    monkeypatch.setattr("sys.stdin", Terminal("ST-0001\n"))
    assert run(capsys)[0] == 0 and tag.is_ended


def test_records_that_do_not_verify_end_nothing(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str]
) -> None:
    tag.chain.add(samples=[[-15013]], key=STRANGER)
    code, _, line = run(capsys, "--purge", "--yes")
    assert code == 1 and "R10" in line and "was not decommissioned" in line
    assert not tag.is_ended and _END not in tag.asked


@pytest.mark.parametrize("op", [1, 6, _END, _PURGE])
@pytest.mark.parametrize("after", [False, True])
def test_cut_line_erases_nothing_unread_and_the_command_can_be_repeated(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str], op: int, after: bool
) -> None:
    tag.fail_at, tag.fail_after = op, after
    code, _, _ = run(capsys, "--purge", "--yes")
    assert code == 4
    held = list((owner.home.evidence / "dumps").glob("*-4.seal"))
    assert not tag.is_purged or held
    tag.fail_at = None
    if not tag.is_purged:
        assert run(capsys, "--purge", "--yes")[0] == 0
        assert tag.is_purged


def test_tag_that_signs_no_farewell_keeps_its_log(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str]
) -> None:
    tag.signs_farewell = False
    code, _, line = run(capsys, "--purge", "--yes")
    assert code == 1 and "without a farewell" in line and not tag.is_purged


def test_oldest_records_may_be_in_this_home_only(
    owner: Owner, tag: EndingTag, capsys: pytest.CaptureFixture[str]
) -> None:
    tag.first, tag.acknowledged = 2, 1
    code, _, line = run(capsys, "--yes")
    assert code == 1 and "R8" in line and not tag.is_ended
    path = owner.home.make(owner.home.evidence) / f"ST-0001-{tag.chain.tid.hex()}.store"
    with EvidenceStore(path, tag.chain.certificate) as store:
        store.append(tag.chain.records)
    code, _, line = run(capsys, "--yes")
    assert code == 0, line
