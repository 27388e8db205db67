# SPDX-License-Identifier: MIT
"""sealtrail.evidence.trust: a nonce is durable before it is asked for; heads only rise."""

from pathlib import Path

import pytest

from sealtrail.errors import StorageError, UsageError
from sealtrail.evidence.trust import KnownHead, TrustStore
from sealtrail.home import Home

TID = b"tag-id-8"


def store(tmp_path: Path) -> TrustStore:
    return TrustStore(Home(tmp_path / "home"))


def test_a_nonce_is_on_disk_when_it_is_returned(tmp_path: Path):
    nonce = store(tmp_path).new_nonce(TID, 1000)
    (asked,) = store(tmp_path).nonces(TID).items()
    assert (asked[0], asked[1].asked_ms, asked[1].answered_ms) == (nonce, 1000, None)


def test_the_first_answer_counts_and_a_replayed_one_does_not(tmp_path: Path):
    trust = store(tmp_path)
    nonce = trust.new_nonce(TID, 1000)
    trust.note_answer(TID, nonce, 2000)
    trust.note_answer(TID, nonce, 9000)
    assert trust.nonces(TID)[nonce].answered_ms == 2000


def test_nonces_of_one_tag_are_not_those_of_another(tmp_path: Path):
    trust = store(tmp_path)
    trust.new_nonce(TID, 1)
    assert trust.nonces(b"other--8") == {}


def test_a_head_only_rises(tmp_path: Path):
    trust = store(tmp_path)
    trust.note_head(TID, 7, b"\x07" * 32)
    trust.note_head(TID, 6, b"\x06" * 32)
    trust.note_head(TID, 7, b"\xff" * 32)
    assert trust.known_head(TID) == KnownHead(7, b"\x07" * 32)


def test_a_damaged_trust_store_stops_the_work_and_is_not_replaced(tmp_path: Path):
    trust = store(tmp_path)
    trust.new_nonce(TID, 1)
    path = tmp_path / "home" / "trust" / f"{TID.hex()}.json"
    path.write_text("{")
    with pytest.raises(StorageError):
        trust.new_nonce(TID, 2)
    assert path.read_text() == "{"


def test_no_fleet_pub_is_one_clear_line(tmp_path: Path):
    with pytest.raises(UsageError, match="no public fleet key"):
        store(tmp_path).fleet_keys()
