# SPDX-License-Identifier: MIT
"""Whole evidence: statements, revocation, freshness (R17 to R21)."""

from sealwire import labels
from tests.vectors.cases_evidence import case, three
from tests.vectors.chain import (
    FLEET,
    FLEET_OLD,
    NONCE,
    SERVICE,
    START_UTC_S,
    STRANGER,
    TAG,
    TAG_EPOCH_1,
    TAG_ES256,
    Chain,
    Ed25519Key,
    certificate,
    service_certificate,
    sha256,
    signed_statement,
)

_LID: list[tuple[int, object]] = [(labels.EVENT_LID_OPEN, None)]


def _receipt(chain: Chain, *, key: Ed25519Key = SERVICE, **changes: object) -> bytes:
    """A receipt for record 1; *changes*: k2=seq."""
    fields: dict[int, object] = {1: chain.tid, 2: 1, 3: sha256(chain.records[1])}
    fields[4] = (START_UTC_S + 200) * 1000
    fields.update({int(name[1:]): value for name, value in changes.items()})
    return signed_statement(key, labels.STATEMENT_RECEIPT, fields, SERVICE.kid)


def _revocation(chain: Chain, last_seq: int, *, key: Ed25519Key = FLEET) -> bytes:
    fields = {1: chain.tid, 2: last_seq, 3: sha256(chain.records[last_seq])}
    fields |= {4: START_UTC_S * 1000, 5: "tag stolen", 6: 1}
    return signed_statement(key, labels.STATEMENT_REVOCATION, fields)


# R17: form. All of it is in ../statement.


@case("R17", "unknown statement type", 4)
def r17_unknown_type() -> object:
    """Type 26 is not known to this version."""
    chain = three()
    chain.statements = [signed_statement(FLEET, 26, {})]
    return chain


@case("R17", "statement type not allowed here", 4)
def r17_offer_outside_a_record() -> object:
    """Custody statements stand inside OFFER and ACCEPT events."""
    chain = three()
    offer = {1: chain.tid, 2: 1, 3: chain.head_hash, 4: 7, 5: START_UTC_S, 6: 0, 7: "", 9: []}
    chain.statements = [signed_statement(FLEET, 20, {**offer, 10: bytes(32), 12: 0})]
    return chain


@case("R17", "unknown key", 4)
def r17_unknown_key() -> object:
    """Key 8 in an attestation."""
    chain = three()
    chain.attest()
    fields = {1: chain.tid, 2: 2, 3: chain.head_hash, 4: NONCE, 5: [1, 1], 6: [1], 7: 0}
    chain.statements = [signed_statement(TAG, labels.STATEMENT_ATTEST, {**fields, 8: 0})]
    return chain


# R18: signers.


@case("R18", "statement signature wrong", 4)
def r18_attestation_by_stranger() -> object:
    """Not the epoch key."""
    chain = three()
    chain.attest(key=STRANGER)
    return chain


@case("R18", "statement signature wrong", 2)
def r18_eddsa_attestation_for_p256() -> object:
    """An attestation with -8 for a tag whose key is P-256."""
    chain = Chain(key=TAG_ES256, certificate=certificate(TAG_ES256))
    chain.add(events=_LID)
    chain.attest(key=TAG)
    return chain


@case("R18", "statement signature wrong", 4)
def r18_attestation_by_old_key() -> object:
    """The head is a key epoch: only the new key may speak for it."""
    chain = three()
    del chain.records[2]
    chain.roll(TAG_EPOCH_1, after_ms=0)
    chain.attest(key=TAG)
    return chain


@case("R18", "service key unknown", 4)
def r18_no_service_certificate() -> object:
    """A receipt whose key nobody certified here."""
    chain = three()
    chain.statements = [_receipt(chain)]
    return chain


@case("R18", "service key not entitled", 5)
def r18_usage() -> object:
    """The key may sign time tokens (1) and orders (4), no receipts (2)."""
    chain = three()
    chain.statements = [service_certificate(usage=5), _receipt(chain)]
    return chain


@case("R18", "service certificate not in force", 5)
def r18_expired() -> object:
    """The receipt is younger than the certificate's last second."""
    chain = three()
    chain.statements = [service_certificate(not_after_s=START_UTC_S), _receipt(chain)]
    return chain


@case("R18", "statement signature wrong", 5)
def r18_receipt_by_stranger() -> object:
    """The right kid, another key."""
    chain = three()
    chain.statements = [service_certificate(), _receipt(chain, key=STRANGER)]
    return chain


@case("R18", "statement signature wrong", 4)
def r18_service_certificate_by_stranger() -> object:
    """Service keys are certified by the fleet alone."""
    chain = three()
    fields = {1: SERVICE.public, 2: 1, 3: 2, 4: 15, 5: 1, 6: 1}
    chain.statements = [signed_statement(STRANGER, labels.STATEMENT_SERVICE, fields)]
    return chain


@case("R18", "fleet key not in force", 4)
def r18_revocation_by_retired_key() -> object:
    """The time in the revocation lies behind the fleet key's last day."""
    chain = three()
    chain.statements = [_revocation(chain, 2, key=FLEET_OLD)]
    return chain


# R19: statements against the records.


@case("R19", "statement for another tag", 5)
def r19_other_tag() -> object:
    """A receipt for another tag id."""
    chain = three()
    chain.statements = [service_certificate(), _receipt(chain, k1=bytes(8))]
    return chain


@case("R19", "receipt contradicts the records", 5)
def r19_receipt_fork() -> object:
    """The archive stored another record 1."""
    chain = three()
    chain.statements = [service_certificate(), _receipt(chain, k3=bytes(32))]
    return chain


@case("R19", "attestation contradicts the records", 4)
def r19_attestation_fork() -> object:
    """The tag signed another head with this number."""
    chain = three()
    chain.attest(head_hash=bytes(32))
    return chain


@case("R19", "revocation contradicts the records", 4)
def r19_revocation_fork() -> object:
    """The revocation names another record 1."""
    chain = three()
    other = three()
    other.records[1] = other.records[0]
    chain.statements = [_revocation(other, 1)]
    return chain


# R20: revocation.


@case("R20", "record beyond the revocation", 3)
def r20_beyond() -> object:
    """Records up to 1 are trusted, record 2 is not, whatever time it claims."""
    chain = three()
    chain.statements = [_revocation(chain, 1)]
    return chain


@case("", "ok", completeness="unproved")
def r20_up_to_the_revocation() -> object:
    """Nothing beyond."""
    chain = three()
    chain.statements = [_revocation(chain, 2)]
    return chain


# R21: freshness. Not refused, but not complete.


@case("", "ok", completeness="unproved")
def r21_no_attestation() -> object:
    """Valid; whether it is all there is, nobody knows."""
    return three()


@case("", "ok", completeness="unproved")
def r21_tail_cut_off() -> object:
    """The last record was dropped; the attestation says so."""
    chain = three()
    chain.attest()
    chain.records.pop()
    return chain


@case("", "ok", completeness="unproved")
def r21_attested_before_the_head() -> object:
    """A true attestation, but of an earlier head."""
    chain = three()
    chain.attest()
    chain.add(events=_LID)
    return chain


@case("", "ok", completeness="foreign nonce")
def r21_foreign_nonce() -> object:
    """Somebody else asked."""
    return _attested_with(bytes(16))


@case("", "ok", completeness="stale")
def r21_older_than_known() -> object:
    """This verifier saw record 5 once: the tag, or the file, was set back."""
    return _attested_with(NONCE), {"known_head": {"seq": 5, "sha256": bytes(32).hex()}}


@case("R21", "fork of a known head", 2)
def r21_fork_of_known_head() -> object:
    """This verifier saw another record 1."""
    return _attested_with(NONCE), {"known_head": {"seq": 1, "sha256": bytes(32).hex()}}


@case("", "ok")
def r21_grown_from_known_head() -> object:
    """This verifier saw this very record 1."""
    chain = _attested_with(NONCE)
    return chain, {"known_head": {"seq": 1, "sha256": sha256(chain.records[1]).hex()}}


def _attested_with(nonce: bytes) -> Chain:
    chain = three()
    chain.attest(nonce)
    return chain
