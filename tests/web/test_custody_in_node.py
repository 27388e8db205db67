# SPDX-License-Identifier: MIT
"""Every verdict on a handover: the page's is Python's."""

from pathlib import Path
from typing import Any

from sealtrail.evidence.verify import verify_evidence
from sealwire import labels
from tests.vectors.chain import COURIER, START_UTC_S, STRANGER, Chain, Ed25519Key, Key, sha256
from tests.vectors.chain import signed_statement as signed
from tests.web.node import judged
from tests.web.test_mutations_in_node import _TRUST, NonceTrust

_CLINIC, _LAB = Ed25519Key("clinic"), Ed25519Key("lab")


def _offer(chain: Chain, key: Key, signer: Key | None = None, **changes: Any) -> bytes:
    return _hand(chain, labels.STATEMENT_OFFER, labels.EVENT_OFFER, key, signer, changes)


def _accept(chain: Chain, key: Key, offer: bytes | None, **changes: Any) -> bytes:
    if offer is not None:
        changes = {"k13": sha256(offer), **changes}
    return _hand(chain, labels.STATEMENT_ACCEPT, labels.EVENT_ACCEPT, key, None, changes)


def _hand(
    chain: Chain, kind: int, event: int, key: Key, signer: Key | None, changes: dict[str, Any]
) -> bytes:
    fields: dict[int, object] = {1: chain.tid, 2: len(chain.records) - 1, 3: chain.head_hash}
    fields |= {4: 0, 5: START_UTC_S, 6: 60, 7: "Dock 4", 9: ["S-1"], 10: key.public, 12: 0}
    fields |= {int(name[1:]): value for name, value in changes.items()}
    made = signed(signer or key, kind, fields)
    chain.add(events=[(event, [1, sha256(key.public)[:8], made])])
    return made


def _shipments() -> list[Chain]:
    chain = Chain()
    chain.add(events=[(labels.EVENT_LID_OPEN, None)])
    _accept(chain, _CLINIC, _offer(chain, COURIER))  # handed over
    _offer(chain, COURIER)  # by another than the holder
    _offer(chain, _CLINIC)  # not accepted: another offer comes
    offer = _offer(chain, _CLINIC, k11=_LAB.public)
    _accept(chain, COURIER, offer)  # another than named
    _accept(chain, _LAB, _offer(chain, COURIER, k11=_LAB.public))  # the one named
    _accept(chain, COURIER, _offer(chain, _LAB), k9=["S-2"])  # seals differ
    _accept(chain, _CLINIC, None)  # taken without giver
    _offer(chain, _CLINIC)
    _accept(chain, _LAB, sha256(b"no offer"))  # an offer waits, another is named
    _offer(chain, _LAB, signer=STRANGER)  # bad signature
    _offer(chain, _LAB, k3=bytes(32))  # a head that is none
    _offer(chain, _LAB, k1=bytes(8))  # of another tag
    _offer(chain, _LAB, k2=len(chain.records) + 7)  # a head to come
    _accept(chain, _LAB, None, k1=bytes(8))
    broken: list[tuple[int, object]] = [(labels.EVENT_OFFER, [1, bytes(8), b"none"])]
    chain.add(events=broken)
    _offer(chain, _LAB)  # stays open to the end
    alone = Chain()
    alone.add(events=[(labels.EVENT_LID_OPEN, None)])
    return [chain, alone]


def test_every_verdict_is_pythons(tmp_path: Path):
    files = [chain.evidence() for chain in _shipments()]
    answers = judged(
        ({"kind": "evidence", "evidence": f.hex(), **_TRUST} for f in files), tmp_path
    )
    verdicts = set()
    for file, answer in zip(files, answers, strict=True):
        steps = verify_evidence(file, NonceTrust()).custody
        verdicts |= {step.verdict for step in steps}
        expected = [[s.verdict, s.giver, s.receiver, s.key_known] for s in steps]
        assert answer["custody"] == expected
    assert len(verdicts) == 7
