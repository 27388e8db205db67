# SPDX-License-Identifier: MIT
"""kill -9 of the sender at random moments: what was due stays due until the archive has it."""

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealtrail.archive_client.outbox import ArchiveOutbox
from sealtrail.archive_client.setting import ArchiveSetting
from sealtrail.home import Home
from sealtrail.radio.evidence_store import EvidenceStore
from tests.archive.test_archive_kills import Fleet
from tests.fakes.capture_process import environment


def test_a_killed_push_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    made = Fleet(tmp_path, 6, 300)
    dock = Home(tmp_path / "dock")
    dock.make(dock.evidence)
    dock.fleet_pub.write_bytes(made.owner.home.fleet_pub.read_bytes())
    with made.process() as process:
        ArchiveSetting(process.url, made.token_file).keep(dock)
        with contextlib.closing(ArchiveOutbox(dock)) as outbox:
            for tag in made.tags:
                path = dock.evidence / f"{tag.tid.hex()}.store"
                outbox.put(process.url, tag.tid, "ST-0001", path, made.clock.now_ms())
                with EvidenceStore(path, tag.certificate) as store:
                    store.append(tag.records)
        command = [sys.executable, "-m", "sealtrail", "--home", str(dock.root), "archive", "push"]
        source = random.Random(7)
        for _ in range(6):
            with subprocess.Popen(
                command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as push:
                time.sleep(source.uniform(0.4, 1.6))
                push.kill()
        done = subprocess.run(
            [*command, "--json"], env=environment(), capture_output=True, text=True, timeout=120,
            check=True,
        )  # fmt: skip
        assert json.loads(done.stdout)["left"] == []
        with made.client(process.url) as client:
            for tag in made.tags:
                held = client.held(tag.tid)
                assert (held["head"], held["receipt_seq"]) == (299, 299)
                assert (held["forks"], held["loose"]) == ([], [])
        for tag in made.tags:
            assert (dock.root / "carry" / f"{tag.tid.hex()}.cbor").exists()
