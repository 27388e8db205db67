# SPDX-License-Identifier: MIT
"""Evidence of a tag of one owner's fleet, with handovers between people who have keys."""

from sealtrail.keys import certificate, fleet
from sealwire import labels
from tests.fakes.owner import Owner
from tests.vectors.chain import START_UTC_S, TAG, Chain, Ed25519Key, sha256, signed_statement

LAB, ANN = Ed25519Key("lab"), Ed25519Key("ann")


def tag_chain(owner: Owner, serial: str = "ST-0001") -> Chain:
    """Three records of a tag that *owner* certified now."""
    issued = certificate.issue(
        fleet.load(owner.home, owner.vault).key,
        serial,
        TAG.public,
        issued_at_s=owner.clock.now_s,
        hardware="virtual",
        firmware="0.1.0",
    )
    chain = Chain(certificate=issued)
    chain.add(events=[(labels.EVENT_BOOT, [1, "0.1.0"])], utc=None, after_ms=900)
    chain.add(samples=[[-15012], [-15010], [-15011]])
    chain.add(events=[(labels.EVENT_LID_OPEN, None)])
    return chain


def hand_over(
    chain: Chain, giver: Ed25519Key = LAB, receiver: Ed25519Key = ANN, at_s: int = START_UTC_S
) -> Chain:
    """Adds an offer and its acceptance, said to be at *at_s*."""
    offer = _custody(chain, labels.STATEMENT_OFFER, giver, at_s)
    chain.add(events=[(labels.EVENT_OFFER, [1, bytes(8), offer])])
    accept = _custody(chain, labels.STATEMENT_ACCEPT, receiver, at_s, {13: sha256(offer)})
    chain.add(events=[(labels.EVENT_ACCEPT, [2, bytes(8), accept])])
    return chain


def _custody(
    chain: Chain,
    kind: int,
    key: Ed25519Key,
    at_s: int,
    more: dict[int, object] | None = None,
) -> bytes:
    fields: dict[int, object] = {1: chain.tid, 2: len(chain.records) - 1, 3: chain.head_hash}
    fields |= {4: 7, 5: at_s, 6: 0, 7: "Dock 2", 9: [], 10: key.public, 12: 0}
    return signed_statement(key, kind, {**fields, **(more or {})})
