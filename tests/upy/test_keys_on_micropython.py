# SPDX-License-Identifier: MIT
"""The host follows, answer by answer, the keys of a tag that runs on its own interpreter."""

from sealtrail.radio.key_chain import KeyChain, KeysAnswer
from sealwire import protocol, statement
from tests.micropython import run_upy
from tests.paths import REPO


def test_the_host_follows_every_key_that_the_tag_lists():
    printed = run_upy(REPO / "tests/upy/keys_answers.py", timeout_s=240).split("\n")
    certificate, attestation = map(bytes.fromhex, printed[:2])
    answers = [line.split() for line in printed[2:] if line]
    chain = KeyChain(certificate)
    head_seq = statement.parse_statement(attestation)[1][2]
    assert not chain.holds(attestation, head_seq)
    for from_seq, content in answers:
        answer = KeysAnswer.parse(bytes.fromhex(content), int(from_seq))
        assert len(content) // 2 + 13 <= protocol.MESSAGE_SIZE_MAX
        for one in answer.records:
            chain.take(one)
    assert answer.next_seq is None
    assert len(chain.known) >= 5
    assert len(answers) > 1
    assert chain.holds(attestation, head_seq)
