# SPDX-License-Identifier: MIT
"""The stand-in server answers as the standard says, in memory (no port)."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sealtrail.capture_server.app import CaptureApi
from sealtrail.capture_server.faults import Faults
from sealtrail.capture_server.store import CaptureStore
from sealtrail.capture_server.validation import validator
from sealtrail.errors import StorageError, UsageError
from tests.paths import shared_data

JSON = {"Content-Type": "application/json"}


def client(folder: Path, faults: str = "", token: str | None = None) -> httpx2.AsyncClient:
    api = CaptureApi(CaptureStore(folder), Faults.parse(faults), validator(None), token)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api.app()), base_url="http://test"
    )


def document(*identities: str) -> bytes:
    events = [
        {
            "type": "ObjectEvent",
            "eventID": identity,
            "eventTime": "2026-11-16T08:00:00Z",
            "eventTimeZoneOffset": "+00:00",
            "action": "OBSERVE",
        }
        for identity in identities
    ]
    return json.dumps(
        {"@context": [], "type": "EPCISDocument", "schemaVersion": "2.0",
         "epcisBody": {"eventList": events}}
    ).encode()  # fmt: skip


async def job_of(http: httpx2.AsyncClient, body: bytes, **headers: str) -> dict[str, Any]:
    answer = await http.post("/capture", content=body, headers={**JSON, **headers})
    assert answer.status_code == 202
    job: dict[str, Any] = (await http.get(answer.headers["Location"])).json()
    return job


async def test_a_capture_is_there_again_after_a_restart(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        assert (await job_of(http, document("urn:uuid:1")))["success"]
    async with client(tmp_path) as http:
        answer = await http.get("/events/urn%3Auuid%3A1")
        (event,) = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        assert event["eventID"] == "urn:uuid:1"
        assert (await http.get("/events/urn%3Auuid%3A2")).status_code == 404


async def test_one_known_event_rolls_the_whole_document_back(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        await job_of(http, document("a"))
        job = await job_of(http, document("a", "b"))
        assert (job["success"], job["errors"][0]["instance"]) == (False, "a")
        assert (await http.get("/events/b")).status_code == 404
        kept = await job_of(http, document("a", "c"), **{"GS1-Capture-Error-Behaviour": "proceed"})
        assert not kept["success"]
        assert (await http.get("/events/c")).status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (document("a"), {"Content-Type": "text/xml"}, 415),
        (document("a"), {**JSON, "GS1-Capture-Error-Behaviour": "maybe"}, 400),
        (b" " * ((1 << 20) + 1), JSON, 413),
        (document(*map(str, range(501))), JSON, 413),
        (document(), JSON, 400),
    ],
)
async def test_what_can_not_be_captured_is_refused_with_a_problem(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with client(tmp_path) as http:
        answer = await http.post("/capture", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].startswith("epcisException:")
    assert list((tmp_path / "captures").iterdir()) == []


async def test_evidence_is_kept_once_under_its_own_digest_only(tmp_path: Path) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"seal").digest()).rstrip(b"=").decode()
    path = f"/.well-known/ni/sha-256/{digest}"
    async with client(tmp_path) as http:
        once = {"If-None-Match": "*"}
        assert (await http.put(path, content=b"other", headers=once)).status_code == 400
        assert (await http.put(path, content=b"seal", headers=once)).status_code == 201
        assert (await http.put(path, content=b"seal", headers=once)).status_code == 412
        wrong = {"Content-Digest": "sha-256=:AAAA:"}
        assert (await http.put(path, content=b"seal", headers=wrong)).status_code == 400
        assert (await http.get(path)).content == b"seal"
        for odd in ("x", "..%2f..%2fetc%2fpasswd", digest[:-1] + "!"):
            assert (await http.get(f"/.well-known/ni/sha-256/{odd}")).status_code == 404


async def test_options_tell_versions_and_limits_and_a_token_is_demanded(tmp_path: Path) -> None:
    async with client(tmp_path, token="Bearer t") as http:
        assert (await http.options("/capture")).status_code == 401
        answer = await http.options("/capture", headers={"Authorization": "Bearer t"})
    assert answer.status_code == 204
    assert answer.headers["GS1-EPCIS-Capture-Limit"] == "500"


def test_wrong_options_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a fault"):
        Faults.parse("busi:1")
    with pytest.raises(UsageError, match="no JSON schema"):
        validator(tmp_path / "none.json")
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "x.json").write_text("{")
    with pytest.raises(StorageError, match="not a folder of this server"):
        CaptureStore(tmp_path)


def test_with_gs1s_schema_the_whole_schema_is_demanded() -> None:
    check = validator(shared_data("epcis/EPCIS-JSON-Schema.json"))
    assert check(json.loads(document("urn:uuid:1"))) != ""
    example = shared_data("epcis/ours/2_custody_transit.jsonld")
    assert check(json.loads(example.read_bytes())) == ""
