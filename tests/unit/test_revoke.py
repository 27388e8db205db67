# SPDX-License-Identifier: MIT
"""Revocation of a tag by the command line: made, handed out, taken in, honoured."""

import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail import atomic, cli
from sealtrail.errors import StorageError
from sealtrail.evidence.statements import REVOCATION
from sealtrail.evidence.trust import TrustStore
from sealtrail.evidence.verify import verify_evidence
from sealtrail.keys import revocation
from sealtrail.keys.shelf import Shelf
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.radio.evidence_store import EvidenceStore
from tests.fakes.handovers import tag_chain
from tests.fakes.owner import Owner, owner, owner_with_scrypt
from tests.vectors.chain import Chain, sha256

__all__ = ["owner", "owner_with_scrypt"]


@pytest.fixture
def chain(owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """Three records of ST-0001, which this home provisioned; e.seal is what it synced."""
    monkeypatch.setenv("SEALTRAIL_HOME", str(owner.home.root))
    monkeypatch.chdir(tmp_path)
    import time

    offset_s = owner.clock.now_s - int(time.time())
    monkeypatch.setenv("SEALTRAIL_CLOCK_OFFSET_S", str(offset_s))
    made = tag_chain(owner)
    folder = TagFolder.begin(owner.home, "ST-0001", made.certificate, b"profile")
    folder.keep_access_key(owner.vault, bytes(32))
    folder.put_in_force()
    Path("e.seal").write_bytes(made.evidence())
    return made


def store(owner: Owner, chain: Chain) -> Path:
    folder = owner.home.make(owner.home.evidence)
    path = folder / f"ST-0001-{chain.tid.hex()}.store"
    with EvidenceStore(path, chain.certificate) as held:
        held.append(chain.records)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """(exit code, the JSON answer or {}, the last line on stderr)."""
    code = cli.main(["--json", *words])
    said = capsys.readouterr()
    lines = [one for one in said.err.splitlines() if "simulated clock" not in one]
    assert "Traceback" not in said.err
    return code, json.loads(said.out or "{}"), lines[-1] if lines else ""


def revoke(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    return run(capsys, "revoke", "ST-0001", "--reason", "stolen", "--yes", *words)


def test_last_synced_record_is_the_last_trusted_one(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    store(owner, chain)
    code, said, _ = revoke(capsys)
    assert code == 0 and said["last_seq"] == 2
    assert said["record_hash"] == sha256(chain.records[2]).hex() and said["tid"] == chain.tid.hex()
    assert Path("ST-0001.revocation").read_bytes().hex() == said["statement"]


def test_verify_here_refuses_what_the_thief_adds_whatever_time_it_claims(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    store(owner, chain)
    assert revoke(capsys)[0] == 0
    assert run(capsys, "verify", "e.seal")[0] == 3  # the trusted records stay good
    chain.add(samples=[[-15013]], after_ms=0)  # the same second as the record before
    Path("e.seal").write_bytes(chain.evidence())
    code, said, line = run(capsys, "verify", "e.seal")
    assert (code, said["rule"], said["record"]) == (1, "R20", 3)
    assert "the trust store revokes all after record 2" in line


def test_other_verifiers_take_the_file_in(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store(owner, chain)
    assert revoke(capsys, "--last-seq", "1")[0] == 0
    other = Owner(tmp_path, "other")
    other.home.make(other.home.root)
    (other.home.fleet_pub).write_bytes(owner.home.fleet_pub.read_bytes())
    words = ("--home", str(other.home.root))
    assert run(capsys, *words, "verify", "e.seal")[0] == 3
    code, said, _ = run(capsys, *words, "revoke", "--take", "ST-0001.revocation")
    assert code == 0 and said["last_seq"] == 1
    assert run(capsys, *words, "revoke", "--take", "ST-0001.revocation")[0] == 0  # once more
    assert run(capsys, *words, "verify", "e.seal")[0] == 1
    code, said, _ = run(capsys, *words, "revoke", "--show")
    assert [one["reason"] for one in said["revocations"]] == ["stolen"]


def test_no_ticket_is_issued_for_a_revoked_tag(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    store(owner, chain)
    assert revoke(capsys)[0] == 0
    code, _, line = run(
        capsys, "ticket", "issue", "--tag", "ST-0001", "--role", "qa", "--name", "Q"
    )
    assert code == 5 and "is revoked after record 2: stolen" in line
    assert not list(owner.home.tickets.glob("*"))


def test_sync_puts_the_revocation_into_the_evidence(owner: Owner, chain: Chain) -> None:
    from sealtrail.commands.known_statements import add_known_statements

    path = store(owner, chain)
    assert revocation.revoke(
        owner.home,
        owner.vault,
        owner.clock,
        tid=chain.tid,
        last_seq=1,
        record_hash=sha256(chain.records[1]),
        reason="opened",
    )
    with EvidenceStore(path) as held:
        found = add_known_statements(owner.home, held, chain.tid)
        assert found is not None and held.statements() == [found.raw]
        assert add_known_statements(owner.home, held, bytes(8)) is None


def test_revocation_is_never_taken_back_and_may_only_leave_less(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    store(owner, chain)
    assert revoke(capsys, "--last-seq", "1")[0] == 0
    code, _, line = revoke(capsys, "--last-seq", "2")
    assert code == 2 and "revoked after record 1 already" in line
    code, said, _ = revoke(capsys, "--last-seq", "0")
    assert code == 0 and said["number"] == 2
    assert revocation.find(owner.home, chain.tid).number(2) == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("source", ["dump", "file", "head"])
def test_record_is_found_where_it_was_verified(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    words: tuple[str, ...] = ()
    if source == "dump":
        dumps = owner.home.make(owner.home.evidence / "dumps")
        (dumps / f"{chain.tid.hex()}-3.seal").write_bytes(chain.evidence())
    elif source == "file":
        words = ("--evidence", "e.seal")
    else:
        assert run(capsys, "verify", "e.seal")[0] == 3  # notes the head
    code, said, line = revoke(capsys, *words)
    assert code == 0, line
    assert said["record_hash"] == sha256(chain.records[2]).hex()


def test_nothing_known_of_the_tag_is_two(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, line = revoke(capsys)
    assert code == 2 and "holds no record of ST-0001" in line
    store(owner, chain)
    code, _, line = revoke(capsys, "--last-seq", "9")
    assert code == 2 and "no record 9" in line
    code, _, line = revoke(capsys, "--evidence", "e.seal", "--last-seq", "9")
    assert code == 2 and "holds no record 9" in line
    code, _, line = run(capsys, "revoke", "ST-7", "--reason", "x", "--yes")
    assert code == 2 and "which enrolment of ST-7" in line
    words = ("revoke", "ST-7", "--reason", "x", "--yes", "--evidence", "e.seal")
    code, _, line = run(capsys, *words)
    assert code == 2 and "is evidence of ST-0001" in line
    assert not Shelf(owner.home).all(REVOCATION)


def test_forged_records_are_not_what_is_trusted_last(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = bytearray(chain.records[2])
    forged[-1] ^= 1
    chain.records[2] = bytes(forged)
    store(owner, chain)
    code, _, line = revoke(capsys)
    assert code == 1 and "are refused" in line and "R10" in line


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("revoke",), "revoke what"),
        (("revoke", "ST-0001", "--show"), "revoke what"),
        (("revoke", "st1", "--reason", "x"), "is not a tag serial"),
        (("revoke", "ST-0001"), "--reason"),
        (("revoke", "ST-0001", "--reason", "r" * 97), "--reason"),
        (("revoke", "ST-0001", "--reason", "a\nb"), "--reason"),
        (("revoke", "ST-0001", "--reason", "x", "--evidence", "e.seal"), "cannot be undone"),
        (("revoke", "--take", "missing"), "cannot read"),
        (("revoke", "--take", "e.seal"), "larger than"),
    ],
)
def test_wrong_use_is_two_and_revokes_nothing(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str], words: Any, part: str
) -> None:
    code, said, line = run(capsys, *words)
    assert (code, said) == (2, {}) and part in line
    assert not Shelf(owner.home).all(REVOCATION) and not Path("ST-0001.revocation").exists()


def test_revocation_by_a_stranger_or_of_another_kind_is_not_taken_in(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stranger = Owner(tmp_path, "stranger").init().with_service()
    revocation.revoke(
        stranger.home,
        stranger.vault,
        stranger.clock,
        tid=chain.tid,
        last_seq=0,
        record_hash=bytes(32),
        reason="sabotage",
    )
    (path,) = stranger.home.statements.glob("revocation-*")
    code, _, line = run(capsys, "revoke", "--take", str(path))
    assert code == 5 and "no key of fleet.pub signed it" in line
    (path,) = stranger.home.statements.glob("service-*")
    code, _, line = run(capsys, "revoke", "--take", str(path))
    assert code == 2 and "is no revocation" in line


def test_damaged_revocation_of_this_computer_stops_verify(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    store(owner, chain)
    assert revoke(capsys, "--last-seq", "1")[0] == 0
    (path,) = owner.home.statements.glob("revocation-*")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    code, _, line = run(capsys, "verify", "e.seal")
    assert code == 6 and "does not hold" in line
    path.write_bytes(raw[:40])
    assert run(capsys, "verify", "e.seal")[0] == 6


def test_revocation_that_names_another_record_is_named_as_r19(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    revocation.revoke(
        owner.home,
        owner.vault,
        owner.clock,
        tid=chain.tid,
        last_seq=1,
        record_hash=bytes(32),
        reason="x",
    )
    code, said, _ = run(capsys, "verify", "e.seal")
    assert (code, said["rule"], said["record"]) == (1, "R19", 1)


def test_persons_of_another_fleet_in_the_home_stop_nothing(owner: Owner, chain: Chain) -> None:
    from tests.fakes.handovers import ANN

    other = Owner(owner.home.root.parent, "stranger").init().with_service()
    other.register("Ann", ANN.public)
    for path in other.home.statements.iterdir():
        owner.home.make(owner.home.statements)
        (owner.home.statements / path.name).write_bytes(path.read_bytes())
    assert verify_evidence(chain.evidence(), TrustStore(owner.home)).records


def test_full_disk_revokes_and_says_that_the_file_is_missing(
    owner: Owner, chain: Chain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(owner, chain)
    write = atomic.write_bytes

    def full(path: Path, data: bytes, mode: int | None = None) -> None:
        if str(path).endswith(".revocation"):
            raise StorageError(f"{path}: not written: No space left on device")
        write(path, data, mode)

    monkeypatch.setattr(atomic, "write_bytes", full)
    code, _, line = revoke(capsys)
    assert code == 6 and "ST-0001.revocation" in line
    assert revocation.find(owner.home, chain.tid) is not None
    monkeypatch.setattr(atomic, "write_bytes", write)
    code, said, line = revoke(capsys)  # the same command writes the file again
    assert (code, said["number"]) == (0, 1) and "was revoked before" in line
    assert Path("ST-0001.revocation").exists()
