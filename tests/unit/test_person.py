# SPDX-License-Identifier: MIT
"""Service keys and the persons they register, up to the name in a verified custody chain."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sealtrail.errors import AccessRefused, UsageError, VerifyError
from sealtrail.evidence.statements import PERSON, SERVICE
from sealtrail.evidence.trust import TrustStore
from sealtrail.evidence.verify import verify_evidence
from sealtrail.keys import person, rotation, service
from sealtrail.keys.public_key import own_key, read_public_key
from sealtrail.keys.shelf import Shelf
from sealtrail.model import CustodyStep
from tests.fakes.handovers import ANN, LAB, hand_over, tag_chain
from tests.fakes.owner import Killed, Owner, Writes, owner, owner_with_scrypt
from tests.vectors.chain import Chain, sha256

__all__ = ["owner", "owner_with_scrypt"]


def seen(owner: Owner, evidence: bytes, by: Owner | None = None) -> CustodyStep:
    """The first handover, as a verifier reads it who has fleet.pub and nothing else."""
    reader = by or Owner(owner.home.root.parent, "reader")
    trust = TrustStore(reader.home, owner.home.fleet_pub)
    return verify_evidence(evidence, trust).custody[0]


def with_known(owner: Owner, chain: Chain) -> bytes:
    """The file as `sync` writes it."""
    return chain.evidence() + b"".join(person.named_in(owner.home, chain.records))


def test_registered_names_and_roles_stand_in_the_custody_chain(owner: Owner) -> None:
    owner.with_service()
    owner.register("Cell lab", LAB.public, role="site")
    owner.register("Ann", ANN.public)
    step = seen(owner, with_known(owner, hand_over(tag_chain(owner))))
    assert (step.giver, step.giver_role) == ("Cell lab", "site")
    assert (step.receiver, step.receiver_role) == ("Ann", "courier")
    assert step.key_known and not step.key_note


def test_without_registration_the_key_is_unknown(owner: Owner) -> None:
    step = seen(owner, with_known(owner, hand_over(tag_chain(owner))))
    assert step.giver == "key " + sha256(LAB.public).hex()[:16]
    assert not step.key_known and not step.key_note


def test_only_who_signed_in_this_evidence_is_named_in_it(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    owner.register("Somebody else", bytes(range(32)))
    evidence = with_known(owner, hand_over(tag_chain(owner)))
    assert b"Ann" in evidence and b"Somebody" not in evidence


def test_this_computer_knows_its_persons_without_the_file(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    assert seen(owner, hand_over(tag_chain(owner)).evidence(), by=owner).receiver == "Ann"


@pytest.mark.parametrize(
    ("claimed_after_days", "note"),
    [(40, "the key of 'Ann' had expired on 2026-12-18"), (-3, "was not valid before 2026-11-18")],
)
def test_registration_out_of_its_term_is_named(
    owner: Owner, claimed_after_days: int, note: str
) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public, days=30)
    at_s = owner.clock.now_s + claimed_after_days * 86_400
    step = seen(owner, with_known(owner, hand_over(tag_chain(owner), at_s=at_s)))
    assert note in step.key_note and not step.key_known
    assert step.receiver and step.receiver.startswith("key ")


def test_unknown_service_key_is_refused_and_named(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    chain = hand_over(tag_chain(owner))
    (one,) = Shelf(owner.home).all(PERSON)
    with pytest.raises(VerifyError, match=r"service key unknown \(R18\): type 25"):
        seen(owner, chain.evidence() + one.raw)


def test_service_key_without_the_usage_registers_nobody(owner: Owner) -> None:
    service.certify(owner.home, owner.vault, owner.clock, usage=7)
    with pytest.raises(AccessRefused, match="does not allow: person"):
        owner.register("Ann", ANN.public)
    assert not Shelf(owner.home).all(PERSON)


def test_wrong_usage_in_evidence_is_refused_and_named(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    service.certify(owner.home, owner.vault, owner.clock, usage=7)
    (one,), second = Shelf(owner.home).all(PERSON), Shelf(owner.home).all(SERVICE)[1]
    chain = hand_over(tag_chain(owner))
    with pytest.raises(VerifyError, match=r"service key not entitled \(R18\): type 25"):
        seen(owner, chain.evidence() + second.raw + one.raw)
    # With the certificate it was signed under beside it, the registration stands.
    assert seen(owner, with_known(owner, chain)).receiver == "Ann"


def test_expired_service_certificate_registers_nobody_until_certified_again(owner: Owner) -> None:
    owner.with_service()
    owner.clock.pass_days(400)
    with pytest.raises(AccessRefused, match="not in force now"):
        owner.register("Ann", ANN.public)
    owner.with_service()
    owner.register("Ann", ANN.public)
    first, second = Shelf(owner.home).all(SERVICE)
    assert first.octets(1) == second.octets(1) and second.number(5) == 2


def test_persons_of_an_earlier_term_and_fleet_key_stay_believed(owner: Owner) -> None:
    owner.with_service()
    owner.register("Cell lab", LAB.public)
    chain = hand_over(tag_chain(owner))
    owner.clock.pass_days(200)
    rotation.rotate(owner.home, owner.vault, owner.clock, 10)
    owner.with_service()
    owner.register("Ann", ANN.public)
    step = seen(owner, with_known(owner, chain))
    assert step.giver == "Cell lab"
    assert "not valid before" in step.key_note  # Ann's: half a year too late


def test_plain_rotation_keeps_the_old_keys_persons(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    made = service.rotate(owner.home, owner.vault, owner.clock)
    assert (made.number(5), made.number(6)) == (2, 1)
    assert seen(owner, with_known(owner, hand_over(tag_chain(owner)))).receiver == "Ann"
    assert len(list((owner.home.root / "service").glob("*.key"))) == 1  # the old one is erased


def test_newest_service_certificate_goes_along_for_its_floor(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    newest = service.rotate(owner.home, owner.vault, owner.clock)
    assert newest.raw in person.named_in(owner.home, hand_over(tag_chain(owner)).records)


def test_person_that_would_have_the_file_refused_is_left_out(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    (owner.home.statements / "service-0001.cbor").unlink()  # a back-up put together by hand
    owner.with_service()
    step = seen(owner, with_known(owner, hand_over(tag_chain(owner))))
    assert not step.key_known


def test_withdrawn_service_key_names_nobody_and_its_persons_are_registered_again(
    owner: Owner,
) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    chain = hand_over(tag_chain(owner))
    stolen = with_known(owner, chain)
    owner.clock.pass_days(1)
    made = service.rotate(owner.home, owner.vault, owner.clock, withdraw=True)
    assert (made.number(5), made.number(6)) == (2, 2)
    step = seen(owner, stolen + made.raw)
    assert "withdrawn" in step.key_note and not step.key_known
    # A verifier that has the new certificate needs no new file.
    assert "withdrawn" in seen(owner, stolen, by=owner).key_note
    assert person.renew_all(owner.home, owner.vault, owner.clock) == 1
    assert seen(owner, with_known(owner, chain)).receiver == "Ann"  # for that time, too
    assert person.renew_all(owner.home, owner.vault, owner.clock) == 0


def test_service_rotation_killed_at_each_write_leaves_a_usable_key(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.with_service()
    writes = Writes(monkeypatch)
    for place, after in ((0, False), (0, True), (1, False), (1, True)):
        writes.restart(place, after)
        with pytest.raises(Killed):
            service.rotate(owner.home, owner.vault, owner.clock)
        writes.restart()
        opened = service.load(owner.home, owner.vault, owner.clock, "person")
        assert opened.key.public_key().public_bytes_raw() == opened.certificate.octets(1)
    assert writes.count == 0 and service.newest(owner.home)


def test_service_certificate_never_begins_before_the_fleet_key(owner: Owner) -> None:
    owner.clock.now_s -= owner.clock.now_s % 86_400
    other = Owner(owner.home.root.parent, "other")
    other.clock.now_s = owner.clock.now_s
    made = service.certify(other.init().home, other.vault, other.clock)
    assert made.number(2) == other.clock.now_s  # no margin into the day before


def test_service_key_needs_a_fleet_and_good_terms(owner: Owner, tmp_path: Path) -> None:
    nobody = Owner(tmp_path, "nobody")
    with pytest.raises(AccessRefused, match="no fleet key"):
        nobody.with_service()
    with pytest.raises(AccessRefused, match="no service key"):
        owner.register("Ann", ANN.public)
    with pytest.raises(UsageError, match="no service key"):
        service.rotate(owner.home, owner.vault, owner.clock)
    for wrong in ({"days": 0}, {"days": 4000}, {"usage": 0}, {"usage": 16}):
        with pytest.raises(UsageError):
            service.certify(owner.home, owner.vault, owner.clock, **wrong)
    with pytest.raises(UsageError, match="no usage 'king'"):
        service.usage_of("person,king")


def test_one_key_has_one_name(owner: Owner) -> None:
    owner.with_service()
    owner.register("Ann", ANN.public)
    owner.register("Ann", ANN.public, role="qa")
    with pytest.raises(AccessRefused, match="registered as 'Ann'"):
        owner.register("Bob", ANN.public)
    assert [one.number(6) for one in Shelf(owner.home).all(PERSON)] == [1, 2]
    step = seen(owner, with_known(owner, hand_over(tag_chain(owner))))
    assert step.receiver_role == "qa"  # the later statement counts


@pytest.mark.parametrize(
    "terms",
    [{"name": ""}, {"name": "a\nb"}, {"name": "ä" * 25}, {"role": "king"}, {"days": 0}],
)
def test_person_that_cannot_be_is_a_usage_error(owner: Owner, terms: dict[str, object]) -> None:
    owner.with_service()
    given: dict[str, object] = {"name": "Ann", **terms}
    with pytest.raises(UsageError):
        owner.register(str(given.pop("name")), ANN.public, **given)
    with pytest.raises(UsageError, match="before the term"):
        owner.register("Ann", ANN.public, since_s=1)


PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "content",
    [
        PUBLIC.hex().encode() + b"\n",
        b"ed25519 " + base64.b64encode(PUBLIC) + b"\n",
        base64.b64encode(PUBLIC),
        PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        PRIVATE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" ann@x\n",
    ],
)
def test_public_key_is_read_in_every_form_people_have(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k").write_bytes(content)
    assert read_public_key(tmp_path / "k") == PUBLIC


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"00" * 31, b"zz" * 32, b"ssh-rsa AAAA", b"-----BEGIN PUBLIC KEY-----"],
)
def test_other_content_is_no_public_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(UsageError, match="is no Ed25519 public key"):
        read_public_key(tmp_path / "k")


def test_private_key_in_the_place_of_the_public_one_is_named(tmp_path: Path) -> None:
    pem = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "k").write_bytes(pem)
    with pytest.raises(UsageError, match="is a private key"):
        read_public_key(tmp_path / "k")


def test_own_key_is_made_once_and_sealed(owner: Owner) -> None:
    first = own_key(owner.home, owner.vault).private_bytes_raw()
    assert own_key(owner.home, owner.vault).private_bytes_raw() == first
    assert first not in owner.home.own_key.read_bytes()
