# SPDX-License-Identifier: MIT
"""The archive over real HTTP on loopback: every request, every role, every bad input."""

import contextlib
from collections.abc import Iterator

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.archive.api import UPLOAD_SIZE_MAX
from sealtrail.archive.server import Address, check
from sealtrail.errors import StorageError, UsageError
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.statements import read_statement, service_kid
from sealtrail.keys import service, ticket
from sealtrail.keys.shelf import Shelf
from sealwire import access
from tests.archive.parts import ACCESS_KEY, Shop, grown, part, shop
from tests.archive.serving import serving
from tests.fakes.owner import DAY_S, owner, owner_with_scrypt
from tests.vectors.chain import STRANGER, TAG_EPOCH_1

__all__ = ["owner", "owner_with_scrypt", "shop"]
SEQUENCE = {"Content-Type": "application/cbor-seq"}


class Web:
    """The archive's address, and a token of each role."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop = shop
        self.url = url
        self.http = httpx2.Client(timeout=20, trust_env=False)
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes_raw()
        clients = shop.archive.clients
        self.tokens = {
            "gateway": clients.add("dock-3", "gateway"),
            "phone": clients.add("ann", "phone", public),
            "qa": clients.add("lab", "qa"),
        }

    def ask(self, role: str, method: str, path: str, **more: object) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return self.http.request(method, self.url + path, headers=headers, **more)

    def put(self, body: bytes, role: str = "gateway") -> httpx2.Response:
        return self.ask(role, "POST", "/v1/evidence", content=body, headers=SEQUENCE)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def issue(self, **terms: object) -> object:
        values = {"role": "courier", "person": "Ann", "trip": 4, "holder": self.public, **terms}
        return ticket.issue(
            self.shop.home, self.shop.owner.vault, self.shop.owner.clock, "ST-0001", **values
        )


@pytest.fixture
def web(shop: Shop) -> Iterator[Web]:
    with serving(shop.archive, "https://phone.example") as url:
        made = Web(shop, url)
        with made.http:
            yield made


# ---- evidence


def test_evidence_goes_in_and_comes_out_with_a_receipt_that_holds(web: Web):
    tag = grown(web.shop.tag(), 4)
    tag.attest()
    answer = web.put(tag.evidence())
    assert answer.status_code == 200
    held = answer.json()
    assert (held["head"], held["new"], held["known"], held["receipt_seq"]) == (3, 4, 0, 3)
    receipt = read_statement(bytes.fromhex(held["receipt"]))
    certificate = service.newest(web.shop.home)
    assert VerifyingKey(certificate.octets(1)).holds(receipt.envelope)
    assert (receipt.octets(3), receipt.kid) == (tag.head_hash, service_kid(certificate))
    sealed = web.ask("qa", "GET", f"/v1/tags/{tag.tid.hex()}/evidence")
    assert sealed.headers["content-type"] == "application/cbor-seq"
    assert sealed.content.startswith(part(tag, 0))


def test_refused_evidence_is_named_and_what_came_before_it_kept(web: Web):
    tag = grown(web.shop.tag(), 2)
    tag.add(key=STRANGER, samples=[[1]])
    answer = web.put(tag.evidence())
    assert answer.status_code == 422
    refused = answer.json()["refused"]
    assert (refused["seq"], refused["rule"], answer.json()["head"]) == (2, "R10", 1)


@pytest.mark.parametrize("role", ["gateway", "phone", "qa"])
def test_everybody_may_bring_evidence_but_only_qa_takes_it(web: Web, role: str):
    tag = grown(web.shop.tag(), 1)
    assert web.put(tag.evidence(), role).status_code == 200
    answer = web.ask(role, "GET", f"/v1/tags/{tag.tid.hex()}/evidence")
    assert answer.status_code == (200 if role == "qa" else 403)


@pytest.mark.parametrize("role", ["gateway", "phone", "qa"])
def test_a_phone_sees_only_tags_it_has_a_ticket_for(web: Web, role: str):
    tag = grown(web.shop.provisioned(), 1)
    web.put(tag.evidence())
    paths = (f"/v1/tags/{tag.tid.hex()}", f"/v1/tags/{tag.tid.hex()}/carry")
    status = 404 if role == "phone" else 200
    assert [web.ask(role, "GET", path).status_code for path in paths] == [status] * 2
    assert len(web.ask(role, "GET", "/v1/tags").json()["tags"]) == (role != "phone")
    web.issue()
    assert [web.ask(role, "GET", path).status_code for path in paths] == [200] * 2
    assert len(web.ask(role, "GET", "/v1/tags").json()["tags"]) == 1


# ---- tokens


def test_without_a_known_token_nothing_is_answered(web: Web):
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer st1_no"},
                    {"Authorization": "Bearer " + "x" * 5000}):  # fmt: skip
        for path in ("/v1/me", "/v1/tags", "/v1/tickets", "/v1/tags/0011223344556677/evidence"):
            answer = web.http.get(web.url + path, headers=headers)
            assert answer.status_code in (401, 429), path
    alive = web.http.get(web.url + "/v1/alive")
    assert alive.json() == {"service": "sealtrail-archive", "version": 1}


def test_guessing_tokens_is_slowed_down(web: Web):
    headers = {"Authorization": "Bearer st1_guess"}
    codes = [web.http.get(web.url + "/v1/me", headers=headers).status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2


def test_a_revoked_client_is_out_at_once(web: Web):
    assert web.ask("gateway", "GET", "/v1/me").json()["name"] == "dock-3"
    web.shop.archive.clients.revoke("dock-3")
    assert web.ask("gateway", "GET", "/v1/me").status_code == 401


def test_the_archives_file_holds_no_token_and_no_ticket_key(web: Web):
    web.shop.provisioned()
    entry = web.issue()
    web.ask("phone", "GET", "/v1/tickets")
    files = [p for p in web.shop.home.root.rglob("*") if p.is_file() and p.suffix != ".lock"]
    for path in files:
        content = path.read_bytes()
        for secret in (*web.tokens.values(), entry.ticket_key, ACCESS_KEY):
            raw = secret.encode() if isinstance(secret, str) else secret
            assert raw not in content, path


def test_too_many_requests_are_told_when_to_come_again(web: Web):
    for _ in range(500):
        answer = web.ask("qa", "GET", "/v1/me")
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            return
    pytest.fail("never slowed down")


# ---- what is carried


def test_what_is_carried_comes_in_the_order_of_delivery(web: Web):
    tag = grown(web.shop.provisioned(), 2)
    web.put(tag.evidence())
    web.issue()
    carried = web.ask("phone", "GET", f"/v1/tags/{tag.tid.hex()}/carry").json()
    assert [(row["op"], row["type"]) for row in carried["statements"]] == [(10, 19), (9, 17)]
    for row in carried["statements"]:
        assert read_statement(bytes.fromhex(row["statement"])).type == row["type"]
    assert [one["serial"] for one in carried["tickets"]] == ["ST-0001"]


def test_a_time_token_answers_one_nonce_with_the_stated_error(web: Web):
    tag = web.shop.tag()
    fields = {"tid": tag.tid.hex(), "nonce": "ab" * 16}
    answer = web.ask("gateway", "POST", "/v1/time", json=fields)
    token = read_statement(bytes.fromhex(answer.json()["statement"]))
    now_ms = web.shop.owner.clock.now_ms()
    assert token.fields == {0: 16, 1: tag.tid, 2: b"\xab" * 16, 3: now_ms, 4: 500}
    web.shop.archive.database.write(lambda db: db.execute("delete from setting"))
    answer = web.ask("gateway", "POST", "/v1/time", json=fields)
    assert (answer.status_code, answer.json()["error"]) == (409, "clock_not_stated")


def test_without_its_key_the_archive_gives_no_time(web: Web):
    web.shop.owner.clock.pass_days(400)  # the service certificate has ended
    fields = {"tid": "ab" * 8, "nonce": "ab" * 16}
    answer = web.ask("gateway", "POST", "/v1/time", json=fields)
    assert (answer.status_code, answer.json()["error"]) == (409, "no_service_key")


# ---- tickets


def tickets_of(web: Web) -> list[dict]:
    return web.ask("phone", "GET", "/v1/tickets").json()["tickets"]


def test_a_holder_gets_his_tickets_with_the_keys_that_open_the_tag(web: Web):
    tag = web.shop.provisioned()
    entry = web.issue()
    assert web.ask("gateway", "GET", "/v1/tickets").json() == {"tickets": []}
    (found,) = tickets_of(web)
    assert bytes.fromhex(found["ticket"]) == entry.ticket
    assert bytes.fromhex(found["ticket_key"]) == entry.ticket_key
    assert found["visit_keys"] == [entry.visit_key.hex()]
    assert (found["tid"], found["trip"], found["role"]) == (tag.tid.hex(), 4, "courier")
    assert bytes.fromhex(found["certificate"]) == tag.certificate


def test_a_revocation_kills_one_holder_and_travels_in_all_others_tickets(web: Web):
    web.shop.provisioned()
    lost = web.issue(holder=STRANGER.public)
    mine = web.issue()
    state = ticket.revoke(web.shop.home, web.shop.owner.clock, "ST-0001", lost.terms.tno)
    (found,) = tickets_of(web)
    terms = access.parse_ticket(bytes.fromhex(found["ticket"]))
    assert (terms.rev, terms.revoked) == (state.rev, (lost.terms.tno,))
    assert terms.tno > mine.terms.tno and terms.exp == mine.terms.exp
    assert tickets_of(web) == [found]  # not another one at each request
    ticket.revoke(web.shop.home, web.shop.owner.clock, "ST-0001", terms.tno)
    assert tickets_of(web) == []


def test_a_raised_floor_kills_all_and_new_tickets_know_both_doors(web: Web):
    tag = web.shop.provisioned()
    web.issue()
    state = ticket.revoke(web.shop.home, web.shop.owner.clock, "ST-0001", None)
    assert tickets_of(web) == []
    web.issue()
    (found,) = tickets_of(web)
    keys = [access.visit_key(ACCESS_KEY, floor).hex() for floor in (state.floor, 0)]
    assert found["visit_keys"] == keys
    tag.add(events=[(46, [state.rev, state.floor, []])])
    web.put(tag.evidence())  # the tag's own chain says that it has heard
    assert tickets_of(web)[0]["visit_keys"] == keys[:1]


def test_expired_tickets_and_those_of_an_ended_enrolment_are_gone(web: Web):
    web.shop.provisioned()
    web.issue(days=1)
    web.shop.owner.clock.now_s += 2 * DAY_S
    assert tickets_of(web) == []
    web.issue(days=1)
    assert len(tickets_of(web)) == 1
    web.shop.provisioned(key=TAG_EPOCH_1)
    assert tickets_of(web) == []


# ---- a client's own key


def test_a_client_binds_itself_to_its_key_once_and_is_registered(web: Web):
    web.tokens["new"] = web.shop.archive.clients.add("ben-phone", "phone")
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    proof = key.sign(b"sealtrail/1 client key\x00ben-phone")
    wrong = web.ask("new", "POST", "/v1/me/key", json={"public_key": public, "proof": "00" * 64})
    assert wrong.status_code == 400
    fields = {"public_key": public, "proof": proof.hex()}
    done = web.ask("new", "POST", "/v1/me/key", json=fields)
    assert (done.status_code, done.json()["public_key"]) == (200, public)
    assert [one.fields[3] for one in Shelf(web.shop.home).all(25)] == ["ben-phone"]
    other = Ed25519PrivateKey.generate()
    public = other.public_key().public_bytes_raw().hex()
    proof = other.sign(b"sealtrail/1 client key\x00ben-phone")
    again = web.ask("new", "POST", "/v1/me/key", json={"public_key": public, "proof": proof.hex()})
    assert (again.status_code, again.json()["error"]) == (409, "key_is_set")


# ---- bad input


BAD_JSON = [
    b"", b"[]", b"{", b"null", b'{"tid": "ab"}', b'{"tid": 1, "nonce": 2}',
    b'{"tid": "' + b"AB" * 8 + b'", "nonce": "' + b"ab" * 16 + b'"}',
    b'{"tid": "' + b"ab" * 8 + b'", "nonce": "' + b"ab" * 16 + b'", "more": 1}',
    b"[" * 4000, b'{"tid": "\xff"}',
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_JSON)
def test_json_that_is_not_exactly_as_it_must_be_is_refused(web: Web, body: bytes):
    answer = web.ask(
        "qa", "POST", "/v1/time", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


def test_what_is_too_large_or_of_another_type_is_refused_unread(web: Web):
    json_type = {"Content-Type": "application/json"}
    large = web.ask("qa", "POST", "/v1/time", content=b" " * 5000, headers=json_type)
    assert (large.status_code, large.json()["error"]) == (413, "too_large")
    assert web.put(b"\xd2" * (UPLOAD_SIZE_MAX + 1)).status_code == 413
    chunks = (b"\xd2" * (1 << 20) for _ in range(9))
    with contextlib.suppress(httpx2.HTTPError):  # it may hang up while we still talk
        headers = {**SEQUENCE}
        assert (
            web.ask("qa", "POST", "/v1/evidence", content=chunks, headers=headers).status_code
            == 413
        )
    answer = web.ask("qa", "POST", "/v1/evidence", content=b"x", headers=json_type)
    assert (answer.status_code, answer.json()["error"]) == (415, "wrong_type")


def test_paths_that_are_none_are_answered_with_json(web: Web):
    paths = ("/", "/v1", "/v1/tags/xyz", "/v1/tags/" + "AB" * 8, "/v1/tags/" + "ab" * 9)
    for path in paths:
        answer = web.ask("qa", "GET", path)
        assert answer.status_code in (400, 404) and "error" in answer.json(), path
    assert web.ask("qa", "GET", "/v1/evidence").status_code == 405
    assert web.ask("qa", "GET", "/v1/tags/" + "ab" * 8).json()["error"] == "unknown_tag"


def test_rubbish_as_evidence_is_never_a_defect(web: Web):
    tag = grown(web.shop.tag(), 1)
    start = tag.certificate
    web.put(start)
    record = tag.records[0]
    bodies = [b"", b"\x00", b"\xff" * 64, start + b"\xff", start + b"\xa0" * 9, start[:-1]]
    for body in (*bodies, start * 2, start + record[:-1], record, b"\x9f" * 2000):
        answer = web.put(body)
        assert answer.status_code in (400, 422), body[:20]
        assert "Traceback" not in answer.text


def test_a_full_disk_is_507_and_nothing_is_acknowledged(web: Web):
    tag = grown(web.shop.tag(), 2)
    web.put(tag.evidence())
    pages = web.shop.archive.database.row("pragma page_count")[0]
    database = web.shop.archive.database
    database.write(lambda db: db.execute(f"pragma max_page_count={pages}"))
    grown(tag, 400)
    answer = web.put(part(tag, 2))
    assert (answer.status_code, answer.json()["error"]) == (507, "storage")
    assert web.ask("qa", "GET", f"/v1/tags/{tag.tid.hex()}").json()["head"] == 1
    database.write(lambda db: db.execute("pragma max_page_count=1000000"))
    answer = web.put(part(tag, 2))
    assert (answer.json()["new"], answer.json()["receipt_seq"]) == (400, 401)


def test_a_page_of_a_named_origin_may_ask_and_others_not(web: Web):
    asked = {"Access-Control-Request-Method": "GET", "Origin": "https://phone.example"}
    answer = web.http.options(web.url + "/v1/me", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://phone.example"
    asked["Origin"] = "https://evil.example"
    answer = web.http.options(web.url + "/v1/me", headers=asked)
    assert "access-control-allow-origin" not in answer.headers


def test_plain_http_over_a_network_is_refused_unless_insisted_on():
    for host in ("0.0.0.0", "192.0.2.1", "archive.example", "::"):
        with pytest.raises(UsageError, match="plain HTTP"):
            check(Address(host, 0))
        check(Address(host, 0, is_insecure=True))
    for host in ("127.0.0.1", "::1", "localhost"):
        check(Address(host, 0))


def test_a_damaged_archive_says_storage_and_shows_no_path(web: Web):
    def fail(*values: object) -> None:
        raise StorageError("/secret/path: broken")

    web.shop.archive.held = fail
    answer = web.ask("qa", "GET", "/v1/tags/" + "ab" * 8)
    assert answer.status_code == 507 and "/secret" not in answer.text
