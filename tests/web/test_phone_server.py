# SPDX-License-Identifier: MIT
"""`sealtrail phone` serves the page and passes on what the archive's documentation names."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import uvicorn

from sealtrail import cli
from sealtrail.archive.clients import PHONE
from sealtrail.errors import UsageError
from sealtrail.phone.enrolment import checked_page, enrolment_link, qr_lines
from sealtrail.phone.server import PhonePage
from tests.archive.parts import Shop
from tests.archive.serving import serving
from tests.fakes.owner import owner, owner_with_scrypt
from tests.web.node import STATIC

__all__ = ["owner", "owner_with_scrypt"]


@contextlib.contextmanager
def page(archive: str | None, fleet_pub: Path) -> Iterator[httpx2.Client]:
    app = PhonePage(archive, fleet_pub).app()
    config = uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def test_every_file_of_the_page_comes_with_its_type_and_a_strict_policy(tmp_path: Path):
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
    with page(None, tmp_path / "none") as client:
        for file in STATIC.iterdir():
            answer = client.get(f"/{file.name}")
            if file.suffix not in types:
                assert answer.status_code == (200 if file.suffix == ".svg" else 404)
                continue
            assert answer.content == file.read_bytes()
            assert answer.headers["content-type"] == f"{types[file.suffix]}; charset=utf-8"
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-cache"
            known = {"if-none-match": answer.headers["etag"]}
            assert client.get(f"/{file.name}", headers=known).status_code == 304
        assert client.get("/").content == (STATIC / "index.html").read_bytes()


@pytest.mark.parametrize("path", ["/../server.py", "/%2e%2e/server.py", "/static/x", "/a.js%00"])
def test_nothing_else_is_served(tmp_path: Path, path: str):
    with page(None, tmp_path / "none") as client:
        assert client.get(path).status_code == 404


def test_a_page_without_its_archive_says_so(tmp_path: Path):
    with page(None, tmp_path / "none") as client:
        assert client.get("/v1/me").json()["error"] == "no_archive"
        assert client.get("/fleet.pub").status_code == 404
    with page("http://127.0.0.1:9", tmp_path / "none") as client:
        answer = client.get("/v1/me")
        assert (answer.status_code, answer.json()["error"]) == (502, "no_archive")


def test_requests_reach_the_archive_and_answers_come_back(owner):
    shop = Shop(owner)
    tag = shop.provisioned()
    token = shop.archive.clients.add("ann", PHONE)
    headers = {"Authorization": f"Bearer {token}"}
    with serving(shop.archive) as archive, page(archive, shop.home.fleet_pub) as client:
        assert client.get("/fleet.pub").content == shop.home.fleet_pub.read_bytes()
        assert client.get("/v1/me").status_code == 401
        me = client.get("/v1/me", headers=headers)
        assert (me.status_code, me.json()["name"]) == (200, "ann")
        sent = {**headers, "Content-Type": "application/cbor-seq"}
        held = client.post("/v1/evidence", content=tag.certificate, headers=sent)
        assert (held.status_code, held.json()["head"]) == (200, -1)
        assert client.get("/v1/me?x=1", headers=headers).status_code == 404
        assert client.get("/v1/tags/../me", headers=headers).status_code in (200, 404)
        large = bytes((8 << 20) + 1)
        assert client.post("/v1/evidence", content=large, headers=sent).status_code == 413
    shop.archive.close()


def test_the_link_names_client_and_token_behind_the_fragment_only():
    link = enrolment_link(checked_page("https://dock.example:8080/", "phone"), "ann b", "st1_x")
    parts = urlsplit(link)
    assert (parts.query, parts.path) == ("", "/")
    assert parse_qs(parts.fragment) == {
        "enrol": ["st1_x"],
        "client": ["ann b"],
        "archive": ["/v1"],
    }
    assert "█" in qr_lines(link)


@pytest.mark.parametrize(
    "bad", ["http://dock.example", "ftp://x", "dock", "https://x/?a=1", "https://x:99999", ""]
)
def test_a_page_that_cannot_be_one_is_refused(bad: str):
    with pytest.raises(UsageError):
        checked_page(bad, "phone")


def test_only_a_phone_has_a_page():
    with pytest.raises(UsageError):
        checked_page("https://dock.example", "gateway")


def test_client_add_gives_out_a_link_that_its_token_opens(owner, capsys):
    shop = Shop(owner)
    shop.archive.close()
    command = ["--home", str(shop.home.root), "--json", "archive", "client", "add", "ann"]
    assert cli.main([*command, "--role", "phone", "--page", "http://dock.example"]) == 2
    assert "https only" in capsys.readouterr().err
    assert cli.main([*command, "--role", "phone", "--page", "https://dock.example"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["link"] == enrolment_link("https://dock.example", "ann", answer["token"])
