# SPDX-License-Identifier: MIT
"""Documents reach a real server process and are stored once, with every fault in between."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.custody import document as custody
from sealtrail.custody import upload
from sealtrail.custody.auth import Auth, AuthKind
from sealtrail.custody.outbox import Outbox, State
from sealtrail.errors import UploadError, UsageError
from tests.fakes.capture_process import capture_server, environment
from tests.fakes.evidence_samples import DAY_MS, START_MS, Story, shipment

EVIDENCE = shipment()
DOCUMENT = custody.build_document(
    EVIDENCE, analyse(EVIDENCE), custody.load_profile(None), START_MS + 6 * DAY_MS
)
QUICK = upload.Patience(
    total_s=20, tries=12, first_wait_s=0.02, wait_max_s=0.1, lag_s=0.15, answer_s=5
)


def stored_events(folder: Path) -> list[str]:
    """The identities in the server's files, with repeats if there were any."""
    found = []
    for path in sorted((folder / "captures").glob("*.json")):
        found += [event["eventID"] for event in json.loads(path.read_bytes())["events"]]
    return found


def assert_stored_once(folder: Path) -> None:
    assert sorted(stored_events(folder)) == sorted(upload.event_ids(DOCUMENT))
    digest = custody.evidence_path(EVIDENCE.sha256).rsplit("/", 1)[1]
    assert (folder / "evidence" / digest).read_bytes() == EVIDENCE.raw


def test_document_and_evidence_are_stored_and_the_result_says_so(tmp_path: Path) -> None:
    with capture_server(tmp_path / "server") as url:
        result = upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
    assert result.state is State.STORED
    assert result.event_count == len(upload.event_ids(DOCUMENT))
    assert result.evidence_url == url + custody.evidence_path(EVIDENCE.sha256)
    assert_stored_once(tmp_path / "server")


def test_uploading_again_stores_nothing_twice_even_from_another_machine(tmp_path: Path) -> None:
    with capture_server(tmp_path / "server") as url:
        for outbox in ("one.db", "one.db", "two.db"):
            result = upload.upload(tmp_path / outbox, url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
            assert result.state is State.STORED
    assert_stored_once(tmp_path / "server")


@pytest.mark.parametrize(
    "faults", ["busy:0.6", "lost:1", "running:3", "lag_ms:100,lost:1", "forget:1"]
)
def test_a_bad_day_of_the_server_still_ends_with_one_stored_copy(
    tmp_path: Path, faults: str
) -> None:
    with capture_server(tmp_path / "server", faults) as url:
        result = upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
    assert result.state is State.STORED
    assert_stored_once(tmp_path / "server")


def test_an_unreachable_server_leaves_the_document_queued_and_a_later_run_sends_it(
    tmp_path: Path,
) -> None:
    with capture_server(tmp_path / "server") as url:
        port = int(url.rsplit(":", 1)[1])
    hasty = upload.Patience(total_s=2, tries=2, first_wait_s=0.01)
    with pytest.raises(UploadError, match="stays in the outbox"):
        upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=hasty)
    with capture_server(tmp_path / "server", port=port):
        results = upload.resume(tmp_path / "outbox.db", lambda _: Auth(), QUICK)
    assert [(result.state, problem) for result, problem in results] == [(State.STORED, None)]
    assert_stored_once(tmp_path / "server")


CHILD = """
import sys
from pathlib import Path
from sealtrail.custody import upload
box, url, document, evidence = sys.argv[1:]
patience = upload.Patience(total_s=20, tries=12, first_wait_s=0.02, wait_max_s=0.1, lag_s=0.15)
upload.upload(box, url, Path(document).read_bytes(), Path(evidence).read_bytes(), None, patience)
"""


def start_upload(folder: Path, url: str) -> subprocess.Popen[bytes]:
    (folder / "document").write_bytes(DOCUMENT)
    (folder / "evidence").write_bytes(EVIDENCE.raw)
    arguments = [str(folder / name) for name in ("document", "evidence")]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder / "outbox.db"), url, *arguments],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )


def wait_for_capture(folder: Path) -> None:
    for _ in range(400):
        if list((folder / "captures").glob("*.json")):
            return
        time.sleep(0.02)
    raise AssertionError("the server never stored anything")


def test_a_kill_after_the_server_stored_it_is_finished_by_the_next_run_without_a_second_copy(
    tmp_path: Path,
) -> None:
    with capture_server(tmp_path / "server", "hang_ms:3000") as url:
        with start_upload(tmp_path, url) as child:
            wait_for_capture(tmp_path / "server")
            child.send_signal(signal.SIGKILL)
        before = Outbox(tmp_path / "outbox.db")
        assert [entry.state for entry in before.entries()] == [State.MAYBE]
        before.close()
        results = upload.resume(tmp_path / "outbox.db", lambda _: Auth(), QUICK)
    assert [result.state for result, _ in results] == [State.STORED]
    assert results[0][0].attempt_count == 1
    assert_stored_once(tmp_path / "server")


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    with capture_server(tmp_path / "server", "hang_ms:60,running:2") as url:
        for delay_s in (0.25, 0.4, 0.55, 0.7):
            with start_upload(tmp_path, url) as child:
                time.sleep(delay_s)
                child.kill()
        result = upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
    assert result.state is State.STORED
    assert_stored_once(tmp_path / "server")


def test_a_refused_document_names_the_servers_reason_and_stores_nothing(tmp_path: Path) -> None:
    content = json.loads(DOCUMENT)
    content["epcisBody"]["eventList"][0]["type"] = "PartyEvent"
    broken = json.dumps(content).encode()
    with (
        capture_server(tmp_path / "server") as url,
        pytest.raises(UploadError, match=r"rejected.*event 1: unknown type"),
    ):
        upload.upload(tmp_path / "outbox.db", url, broken, EVIDENCE.raw, patience=QUICK)
    assert stored_events(tmp_path / "server") == []


def test_an_event_held_with_other_content_is_left_to_a_person(tmp_path: Path) -> None:
    content = json.loads(DOCUMENT)
    content["epcisBody"]["eventList"][2]["disposition"] = "in_progress"
    other = json.dumps(content).encode()
    with capture_server(tmp_path / "server") as url:
        upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
        with pytest.raises(UploadError, match=r"unknown.*other content"):
            upload.upload(tmp_path / "outbox.db", url, other, EVIDENCE.raw, patience=QUICK)
    assert_stored_once(tmp_path / "server")


def test_other_bytes_under_the_evidences_digest_stop_the_upload(tmp_path: Path) -> None:
    stored = tmp_path / "server" / "evidence"
    stored.mkdir(parents=True)
    digest = custody.evidence_path(EVIDENCE.sha256).rsplit("/", 1)[1]
    (stored / digest).write_bytes(b"something else")
    with (
        capture_server(tmp_path / "server") as url,
        pytest.raises(UploadError, match="other bytes under this digest"),
    ):
        upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
    assert stored_events(tmp_path / "server") == []


def test_a_proxy_does_not_stand_before_a_server_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with capture_server(tmp_path / "server") as url:
        result = upload.upload(tmp_path / "o.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
    assert result.state is State.STORED


def test_too_many_events_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    content = json.loads(DOCUMENT)
    event = next(e for e in content["epcisBody"]["eventList"] if "sensorElementList" in e)
    content["epcisBody"]["eventList"] = [{**event, "eventID": f"urn:x:{n}"} for n in range(501)]
    many = json.dumps(content).encode()
    with (
        capture_server(tmp_path / "server") as url,
        pytest.raises(UploadError, match="501 events"),
    ):
        upload.upload(tmp_path / "outbox.db", url, many, EVIDENCE.raw, patience=QUICK)
    assert list((tmp_path / "server" / "evidence").iterdir()) == []


def secret_file(tmp_path: Path, content: str, mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("wanted", "kind", "user"),
    [("bearer t0ken", AuthKind.BEARER, ""), ("basic ana:t0ken", AuthKind.BASIC, "ana")],
)
def test_the_right_secret_is_taken_and_without_it_the_document_stays_queued(
    tmp_path: Path, wanted: str, kind: AuthKind, user: str
) -> None:
    (tmp_path / "wanted").write_text(wanted)
    auth = Auth(kind, user, secret_file(tmp_path, "t0ken\n"))
    options = ("--auth-file", str(tmp_path / "wanted"))
    with capture_server(tmp_path / "server", "", 0, *options) as url:
        with pytest.raises(UploadError, match="access refused") as refusal:
            upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=QUICK)
        assert "t0ken" not in str(refusal.value)
        results = upload.resume(tmp_path / "outbox.db", lambda _: auth, QUICK)
    assert [result.state for result, _ in results] == [State.STORED]
    assert b"t0ken" not in (tmp_path / "outbox.db").read_bytes()


def test_a_secret_others_can_read_or_that_would_leave_in_clear_is_refused(tmp_path: Path) -> None:
    loose = Auth(AuthKind.BEARER, "", secret_file(tmp_path, "t0ken", 0o644))
    with pytest.raises(UsageError, match="others can read"):
        loose.headers("https://epcis.example.com")
    tight = Auth(AuthKind.BEARER, "", secret_file(tmp_path, "t0ken"))
    with pytest.raises(UsageError, match="https only"):
        tight.headers("http://epcis.example.com")


def test_bytes_that_are_no_document_are_not_queued(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an EPCIS document"):
        upload.upload(tmp_path / "outbox.db", "http://127.0.0.1:9", b"{}", b"", patience=QUICK)
    assert not (tmp_path / "outbox.db").exists()


def test_a_long_trip_with_many_events_stays_within_the_servers_limit() -> None:
    evidence = shipment(Story(days=12, interval_s=600))
    document = custody.build_document(
        evidence, analyse(evidence), custody.load_profile(None), START_MS + 20 * DAY_MS
    )
    assert len(upload.event_ids(document)) <= 500


def test_evidence_that_the_document_does_not_name_is_refused_and_not_queued(
    tmp_path: Path,
) -> None:
    box = tmp_path / "outbox.db"
    for other in (b"", b"anything", EVIDENCE.raw + b"x"):
        with pytest.raises(UsageError, match="not the evidence that the document names"):
            upload.upload(box, "http://127.0.0.1:9", DOCUMENT, other, patience=QUICK)
    assert not box.exists()


def test_every_place_that_names_evidence_must_name_the_same() -> None:
    upload.check_pair(DOCUMENT, EVIDENCE.raw)
    text = DOCUMENT.decode()
    path = custody.evidence_path(EVIDENCE.sha256)
    digest = path.rsplit("/", 1)[1]
    for name in (path, f"ni:///sha-256;{digest}"):
        assert name in text
        other = text.replace(name, name.replace(digest, digest[::-1]), 1).encode()
        with pytest.raises(UsageError, match="not the evidence"):
            upload.check_pair(other, EVIDENCE.raw)


def test_a_document_that_names_no_evidence_is_refused() -> None:
    none = json.dumps({"epcisBody": {"eventList": [{"eventID": "urn:x:1"}]}}).encode()
    with pytest.raises(UsageError, match="names no evidence"):
        upload.check_pair(none, EVIDENCE.raw)


def test_a_document_nested_too_deep_is_no_document() -> None:
    deep = b"[" * 200_000
    with pytest.raises(UsageError, match="not an EPCIS document"):
        upload.check_pair(deep, EVIDENCE.raw)


def test_failed_tries_are_counted_and_their_reason_kept(tmp_path: Path) -> None:
    with capture_server(tmp_path / "server") as url:
        pass  # nobody listens there now
    hasty = upload.Patience(total_s=2, tries=2, first_wait_s=0.01)
    for _ in range(2):
        with pytest.raises(UploadError, match="stays in the outbox"):
            upload.upload(tmp_path / "outbox.db", url, DOCUMENT, EVIDENCE.raw, patience=hasty)
    outbox = Outbox(tmp_path / "outbox.db")
    (entry,) = outbox.entries()
    outbox.close()
    assert (entry.state, entry.attempt_count) == (State.QUEUED, 4)
    assert "no answer" in entry.detail
