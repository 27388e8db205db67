# SPDX-License-Identifier: MIT
"""Fleet rotation: one step whatever kills it; tags and verifiers go on believing."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from sealtrail import atomic
from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.evidence.certificate import judge_certificate
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import FLEET, SERVICE, judge_fleet
from sealtrail.evidence.trust import TrustStore
from sealtrail.keys import certificate, fleet, redo, rotation
from sealtrail.keys.shelf import Shelf
from tests.fakes.owner import Killed, Owner, Writes, owner, owner_with_scrypt
from tests.paths import REPO

__all__ = ["owner", "owner_with_scrypt"]
TAG_KEY = bytes(range(32))


def rotate(owner: Owner, successor: Path | None = None) -> rotation.Rotated:
    return rotation.rotate(owner.home, owner.vault, owner.clock, 10, successor)


def opened(owner: Owner) -> fleet.Fleet:
    return fleet.load(owner.home, owner.vault)


def certify_tag(owner: Owner) -> bytes:
    return certificate.issue(
        opened(owner).key,
        "ST-0001",
        TAG_KEY,
        issued_at_s=owner.clock.now_s,
        hardware="virtual",
        firmware="0.1.0",
    )


def is_believed(owner: Owner, issued: bytes) -> bool:
    try:
        judge_certificate(issued, TrustStore(owner.home).fleet_keys())
    except Refusal:
        return False
    return True


def test_successor_becomes_the_fleet_key_and_the_old_one_gets_an_end(owner: Owner) -> None:
    before = opened(owner)
    owner.clock.pass_days(100)
    done = rotate(owner)
    after = opened(owner)
    assert hashlib.sha256(after.line.key).digest() == before.next_key_hash
    old, new = fleet.read_lines(owner.home.fleet_pub)
    assert (old.key, new.key) == (before.line.key, after.line.key)
    assert old.not_after == new.not_before == fleet.today(owner.clock)
    assert done.line == new and not done.is_resumed


def test_statement_is_signed_by_the_new_key_and_names_the_one_after_it(owner: Owner) -> None:
    told = opened(owner).next_key_hash
    statement = rotate(owner).statement
    assert statement.type == FLEET
    assert hashlib.sha256(statement.octets(1)).digest() == told
    assert VerifyingKey(statement.octets(1)).holds(statement.envelope)
    assert statement.octets(2) == opened(owner).next_key_hash


def test_rotations_form_a_chain_that_a_tag_can_follow(owner: Owner) -> None:
    told = opened(owner).next_key_hash
    for _ in range(3):
        rotate(owner)
    for one in Shelf(owner.home).all(FLEET):
        assert hashlib.sha256(one.octets(1)).digest() == told
        told = one.octets(2)
    assert told == opened(owner).next_key_hash


def test_old_certificates_stay_good_and_new_ones_by_the_old_key_do_not(owner: Owner) -> None:
    early, old = certify_tag(owner), opened(owner)
    owner.clock.pass_days(10)
    rotate(owner)
    assert is_believed(owner, early) and is_believed(owner, certify_tag(owner))
    late = certificate.issue(
        old.key,
        "ST-9",
        TAG_KEY,
        issued_at_s=owner.clock.now_s + 86_400,
        hardware="v",
        firmware="1",
    )
    assert not is_believed(owner, late)


def test_service_key_is_certified_again_by_the_new_key(owner: Owner) -> None:
    owner.with_service()
    owner.clock.pass_days(10)
    assert rotate(owner).service_number == 2
    first, second = Shelf(owner.home).all(SERVICE)
    assert first.octets(1) == second.octets(1) and first.number(6) == second.number(6)
    keys = TrustStore(owner.home).fleet_keys()
    judge_fleet(first, keys)  # the old statement stays good too
    judge_fleet(second, keys)
    assert VerifyingKey(opened(owner).line.key).holds(second.envelope)


def test_expired_service_certificate_is_not_prolonged(owner: Owner) -> None:
    owner.with_service()
    owner.clock.pass_days(400)
    rotate(owner)
    assert len(Shelf(owner.home).all(SERVICE)) == 1


def test_tag_is_told_only_of_rotations_after_its_certificate(owner: Owner) -> None:
    first = certify_tag(owner)
    rotate(owner)
    second = certify_tag(owner)
    rotate(owner)
    every = [one.raw for one in Shelf(owner.home).all(FLEET)]
    assert [one.raw for one in rotation.outstanding(owner.home, first)] == every
    assert [one.raw for one in rotation.outstanding(owner.home, second)] == every[1:]


def test_successor_may_lie_in_another_safe(owner: Owner, tmp_path: Path) -> None:
    safe = tmp_path / "safe.key"
    owner.home.next_fleet_key.rename(safe)
    assert len(opened(owner).next_key_hash) == 32  # provisioning needs the hash only
    with pytest.raises(AccessRefused, match="successor key is not here"):
        rotate(owner)
    rotate(owner, safe)
    assert len(fleet.read_lines(owner.home.fleet_pub)) == 2


def test_another_successor_than_tags_were_told_is_refused(owner: Owner, tmp_path: Path) -> None:
    other = Owner(tmp_path, "other").init()
    raw = other.vault.read(other.home.next_fleet_key, fleet.NEXT_LABEL)
    owner.vault.write(owner.home.next_fleet_key, raw, fleet.NEXT_LABEL)
    before = owner.files()
    with pytest.raises(AccessRefused, match="not the successor"):
        rotate(owner)
    assert owner.files() == before


def test_clock_before_the_keys_first_day_changes_nothing(owner: Owner) -> None:
    owner.clock.pass_days(-30)
    with pytest.raises(UsageError, match="before the fleet key's first day"):
        rotate(owner)


def test_comments_and_foreign_lines_of_fleet_pub_stay(owner: Owner) -> None:
    text = owner.home.fleet_pub.read_text()
    owner.home.fleet_pub.write_text("# ours\n" + text)
    rotate(owner)
    assert owner.home.fleet_pub.read_text().startswith("# ours\ned25519 ")


def state_of(owner: Owner) -> str:
    """ "old" or "new", with everything that belongs to it; else an assertion fails."""
    is_decided = redo.is_open(owner.home)
    fleet_now = opened(owner)
    lines = fleet.read_lines(owner.home.fleet_pub)
    rotations, certificates = Shelf(owner.home).all(FLEET), Shelf(owner.home).all(SERVICE)
    if len(lines) == 1:
        assert not is_decided and not rotations and len(certificates) == 1
        assert fleet_now.line == lines[0]
        return "old"
    assert fleet_now.line == lines[1] and len(lines) == 2
    assert rotations[-1].octets(1) == fleet_now.line.key
    assert rotations[-1].octets(2) == fleet_now.next_key_hash
    following = fleet.opened_key(owner.vault, owner.home.next_fleet_key, fleet.NEXT_LABEL)
    digest = hashlib.sha256(following.public_key().public_bytes_raw()).digest()
    assert digest == fleet_now.next_key_hash
    assert len(certificates) == 2 and not redo.is_open(owner.home)
    return "new"


WRITES_OF_A_ROTATION = 7  # the redo file, then six files


def test_count_of_writes_is_what_the_sweep_below_covers(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.with_service()
    writes = Writes(monkeypatch)
    rotate(owner)
    assert writes.count == WRITES_OF_A_ROTATION


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("place", range(WRITES_OF_A_ROTATION))
def test_death_at_every_write_leaves_the_old_fleet_or_the_new(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, place: int, after: bool
) -> None:
    owner.with_service()
    first = opened(owner).line
    writes = Writes(monkeypatch)
    writes.restart(place, after)
    with pytest.raises(Killed):
        rotate(owner)
    # Verifiers see fleet.pub alone, before anybody types a passphrase.
    assert fleet.read_lines(owner.home.fleet_pub)[0].key == first.key
    is_decided = redo.is_open(owner.home)
    assert is_decided == (place > 0 or after)
    writes.restart()
    done = rotate(owner)
    assert done.is_resumed == is_decided
    assert state_of(owner) == "new"


@pytest.mark.parametrize("place", range(1, WRITES_OF_A_ROTATION))
def test_any_command_that_opens_the_fleet_completes_a_cut_rotation(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    owner.with_service()
    writes = Writes(monkeypatch)
    writes.restart(place)
    with pytest.raises(Killed):
        rotate(owner)
    writes.restart(place)  # and is killed while it does
    with pytest.raises(Killed):
        opened(owner)
        raise Killed  # the redo file's own write is not done again: one write less
    writes.restart()
    assert state_of(owner) == "new"


def test_full_disk_at_every_write_is_a_storage_error_and_keeps_a_whole_fleet(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.with_service()
    real = atomic._write_durable
    room = {"left": 0}

    def full(path: Path, data: bytes, mode: int) -> None:
        if room["left"] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room["left"] -= 1
        real(path, data, mode)

    monkeypatch.setattr(atomic, "_write_durable", full)
    for count in range(3):
        room["left"] = count
        with pytest.raises(StorageError, match="No space left"):
            rotate(owner)
    monkeypatch.setattr(atomic, "_write_durable", real)
    assert state_of(owner) == "new"


_KILLING = """
import os, signal, sys
from pathlib import Path
from sealtrail import atomic, cli
real, left = atomic.os.replace, [int(sys.argv[1])]
def replace(a, b):
    if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    real(a, b)
atomic.os.replace = replace
sys.exit(cli.main(["fleet", "rotate", "-q"]))
"""


@pytest.mark.parametrize("place", [0, 1, 3, 6, 99])
def test_real_kill_leaves_the_old_fleet_or_the_new(owner_with_scrypt: Owner, place: int) -> None:
    owner = owner_with_scrypt
    owner.clock.now_s -= owner.clock.now_s % 86_400
    owner.with_service()
    environment = {
        **os.environ,
        "SEALTRAIL_HOME": str(owner.home.root),
        "PYTHONPATH": os.pathsep.join(str(REPO / name) for name in ("host_tools", "firmware")),
    }
    environment["SEALTRAIL_CLOCK_OFFSET_S"] = str(_offset_s(owner))
    done = subprocess.run(
        [sys.executable, "-c", _KILLING, str(place)],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == (0 if place == 99 else -signal.SIGKILL), done.stderr
    assert state_of(owner) == ("old" if place == 0 else "new")


def _offset_s(owner: Owner) -> int:
    import time

    return owner.clock.now_s + 3600 - int(time.time())


def test_fleet_key_out_of_its_days_signs_nothing(owner: Owner) -> None:
    owner.clock.pass_days(366 * 11)
    with pytest.raises(AccessRefused, match="may sign from"):
        fleet.load_in_force(owner.home, owner.vault, owner.clock)
    rotate(owner)  # that is the cure
    old, _ = fleet.read_lines(owner.home.fleet_pub)
    assert old.not_after < fleet.today(owner.clock) and old.not_after > date(2026, 1, 1)
    fleet.load_in_force(owner.home, owner.vault, owner.clock)


def test_home_without_a_fleet_rotates_nothing(tmp_path: Path) -> None:
    nobody = Owner(tmp_path, "nobody")
    with pytest.raises(AccessRefused, match="no fleet key"):
        rotate(nobody)
    assert not nobody.home.root.exists()
