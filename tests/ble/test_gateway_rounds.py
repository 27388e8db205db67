# SPDX-License-Identifier: MIT
"""The gateway as its own process, many tags with the firmware's sessions on one radio."""

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from boards.virtual.radio.runner import RadioProcess
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault
from sealtrail.keys.wallet import Wallet, WalletEntry
from sealtrail.radio.evidence_store import EvidenceStore
from sealwire import access
from sealwire.access import sha256
from tests.ble.conftest import StartBareTag
from tests.fakes.access_parts import NOW_S, make_ticket
from tests.fakes.capture_process import environment
from tests.paths import REPO
from tests.upy.access_sync_pipe import make_record
from tests.vectors.chain import COURIER, certificate

SCRIPT = REPO / "tests" / "upy" / "gateway_tag.py"


class Yard:
    """A home with a ticket for each of *count* tags, the last of *absent* not on the air."""

    def __init__(self, folder: Path, count: int, records: int) -> None:
        self.folder, self.record_count = folder, records
        self.home = Home(folder / "home")
        (folder / "p").write_text("correct horse\n")
        vault = Vault(self.home, passphrase=b"correct horse")
        wallet = Wallet(self.home, vault)
        self.entries = [self._entry(number) for number in range(count)]
        for entry in self.entries:
            wallet.put(entry)

    def _entry(self, number: int) -> WalletEntry:
        key, serial = sha256(b"access %d" % number), f"ST-{number:04}"
        issued = certificate(sub=serial)
        (self.folder / f"{serial}.tag").write_bytes(key + issued)
        ticket = access.pack_ticket(
            make_ticket(access.holder_of(COURIER.public), exp=NOW_S + 90 * 86_400)
        )
        return WalletEntry(
            name=f"{serial}-g",
            serial=serial,
            person="gateway",
            tid=access.tid_of(issued),
            certificate=issued,
            ticket=ticket,
            ticket_key=access.ticket_key(key, ticket),
            visit_key=access.visit_key(key, 0),
            holder_seed=COURIER.seed,
        )

    def start(self, radio: RadioProcess, bare_tag: StartBareTag, patch: pytest.MonkeyPatch):
        patch.setenv("ST_RECORDS", str(self.record_count))
        tags = []
        for number, entry in enumerate(self.entries):
            patch.setenv("ST_ENROLMENT", str(self.folder / f"{entry.serial}.tag"))
            tags.append(bare_tag(radio, SCRIPT, mac=f"c0ffee0100{number:02x}"))
        return tags

    def gateway(self, radio: RadioProcess, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "sealtrail", "--home", str(self.home.root), "gateway"]
        passphrase = {"SEALTRAIL_PASSPHRASE_FILE": str(self.folder / "p")}
        return subprocess.Popen(
            [*command, *words],
            env={**environment(), **os.environ, **radio.environment, **passphrase,
                 "PYTHONPATH": environment()["PYTHONPATH"]},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def once(self, radio: RadioProcess, *words: str) -> dict:
        with self.gateway(radio, "--once", "--json", *words) as one:
            said, log = one.communicate(timeout=240)
        for line in log.splitlines():
            assert line.startswith(("{", "sealtrail: ")), line
        return {"code": one.returncode, "log": log, **json.loads(said)}

    def held(self, entry: WalletEntry) -> list[bytes]:
        path = self.home.evidence / f"{entry.serial}-{entry.tid.hex()}.store"
        if not path.exists():
            return []  # not visited yet
        with EvidenceStore(path, read_only=True) as store:
            return list(store.records())

    def stored_size(self) -> int:
        return sum(path.stat().st_size for path in self.home.evidence.glob("*.store"))

    def wait_for_size(self, size: int) -> None:
        deadline_s = time.monotonic() + 30
        while self.stored_size() < size:
            assert time.monotonic() < deadline_s, self.stored_size()
            time.sleep(0.005)

    def on_tag(self, entry: WalletEntry) -> list[bytes]:
        records, previous = [], sha256(entry.certificate)
        for seq in range(self.record_count):
            records.append(make_record(seq, previous, 213))
            previous = sha256(records[-1])
        return records

    def must_hold_all(self, entries: list[WalletEntry]) -> None:
        for entry in entries:
            assert self.held(entry) == self.on_tag(entry), entry.serial


def test_killed_in_mid_sync_again_and_again_it_loses_and_doubles_nothing(
    paced_radio: RadioProcess, bare_tag: StartBareTag, tmp_path: Path, monkeypatch
):
    yard = Yard(tmp_path, 4, 400)
    tags = yard.start(paced_radio, bare_tag, monkeypatch)
    tags.pop().kill()  # a tag that is not there
    time.sleep(3)  # the others make their records
    source = random.Random(5)
    for _ in range(2):
        stored = yard.stored_size()
        with yard.gateway(paced_radio) as one:
            yard.wait_for_size(stored + source.randrange(8_000, 40_000))
            one.kill()
            one.communicate()
        # Else the tags keep the dead gateway's links for a minute (IDLE_SESSION_MS).
        paced_radio.order("loss")
    held = [len(yard.held(entry)) for entry in yard.entries[:3]]
    assert 0 < sum(held) < 3 * yard.record_count, held  # killed in mid-sync
    done = yard.once(paced_radio, "--listen", "3")
    assert done["new_records"] == 3 * yard.record_count - sum(held)
    assert done["code"] == 0, done["log"]
    assert (done["synced"], done["failed"]) == (["ST-0000", "ST-0001", "ST-0002"], {})
    assert done["absent"] == ["ST-0003"]
    yard.must_hold_all(yard.entries[:3])
    _is_scraped_and_stops(yard, paced_radio)


def _is_scraped_and_stops(yard: Yard, radio: RadioProcess) -> None:
    with yard.gateway(radio, "--metrics-port", "0") as one:
        assert one.stderr is not None
        text = ""
        for line in one.stderr:
            row = json.loads(line)
            if row["event"] == "started":
                port = row["metrics_port"]
            if row["event"] == "round":
                break
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        started_s = time.monotonic()
        one.terminate()
        one.communicate(timeout=15)
        assert time.monotonic() - started_s < 10
    assert one.returncode == 0
    assert 'sealtrail_visits_total{result="good"} ' in text
    assert "sealtrail_tags_known 4.0" in text


@pytest.mark.long
def test_twenty_tags_are_synced_in_one_round(
    paced_radio: RadioProcess, bare_tag: StartBareTag, tmp_path: Path, monkeypatch
):
    yard = Yard(tmp_path, 20, 100)
    yard.start(paced_radio, bare_tag, monkeypatch)
    time.sleep(15)  # twenty interpreters make their records
    started_s = time.monotonic()
    done = yard.once(paced_radio, "--listen", "8")
    print(f"20 tags, {done['new_records']} records, {time.monotonic() - started_s:.1f} s")
    assert len(done["synced"]) == 20 and done["new_records"] == 2000, done["log"]
    yard.must_hold_all(yard.entries)
