# SPDX-License-Identifier: MIT
"""Enrolment of a tag whose key is in a chip: over a reset, with a silent chip, and looked at."""

import os

import pytest

from sealwire import cbor, labels, profile, record
from tests.fakes.chip_bench import ChipBench
from tests.fakes.nor import Nor

SERIAL = "ST-0001"
RULES = profile.encode(profile.build("test", 60, [(1, 0, 0, -15000, 0, 0)], 0, 0, 0))


class Board:
    name = "bench"
    unique_id = b"\x01\x02\x03"

    def __init__(self, chip: ChipBench) -> None:
        self.chip = chip

    def secure_element(self):
        return self.chip.driver

    def enable_entropy(self) -> None:
        pass


class Bench:
    """Flash and chip of one tag; `enrolment()` is what the dock has after a reset."""

    def __init__(self) -> None:
        self.keys, self.log, self.chip = Nor(10), Nor(24), ChipBench()

    def enrolment(self):
        from tag.dock.enrolment import Enrolment
        from tag.keys.entropy import Entropy
        from tag.store.storage import Storage

        storage = Storage(self.keys, self.log)
        storage.open()
        return Enrolment(Board(self.chip), storage, None, Entropy(os.urandom), None)

    def certificate(self, proof: bytes) -> bytes:
        """Names the key of *proof*; nobody signed it."""
        key = cbor.decode(record.parse_envelope(proof)[1])[1]
        claims = {2: SERIAL, 6: 1, 8: {1: {1: 2, -1: 1, -2: key[1:], -3: bytes((key[0],) * 32)}}}
        return record.envelope(cbor.encode(claims), bytes(64), labels.ALG_EDDSA)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    from tag.dock.enrolment import Enrolment

    # The fleet's Ed25519 signature is for tests/upy; here it is the key that matters.
    monkeypatch.setattr(Enrolment, "_fault_of", lambda self, certificate, fleet_key: "")
    return Bench()


def install(bench: Bench, proof: bytes) -> bytes:
    return bench.enrolment().install(bench.certificate(proof), bytes(32), bytes(32), RULES)


def test_a_reset_between_the_key_and_its_certificate_costs_nothing(bench):
    proof = bench.enrolment().create_key(os.urandom(32), SERIAL)
    assert len(install(bench, proof)) == 32
    assert bench.enrolment().key_state() == 1


def test_a_certificate_of_a_key_that_is_gone_is_refused(bench):
    from tag.dock.codes import DockError

    gone = bench.enrolment().create_key(os.urandom(32), SERIAL)
    kept = bench.enrolment().create_key(os.urandom(32), SERIAL)
    with pytest.raises(DockError):
        install(bench, gone)
    assert len(install(bench, kept)) == 32


def test_no_certificate_is_installed_for_a_chip_that_is_silent(bench):
    proof = bench.enrolment().create_key(os.urandom(32), SERIAL)
    bench.chip.chip.is_off = True
    with pytest.raises(OSError, match="silent"):
        install(bench, proof)
    bench.chip.chip.is_off = False
    assert bench.enrolment().certificate is None
    assert len(install(bench, proof)) == 32


def test_identify_writes_neither_chip_nor_flash(bench):
    proof = bench.enrolment().create_key(os.urandom(32), SERIAL)
    install(bench, proof)
    before = bytes(bench.chip.image), bytes(bench.keys.memory), bytes(bench.log.memory)
    looked = bench.enrolment()
    assert [looked.key_state() for _ in range(3)] == [1, 1, 1]
    after = bytes(bench.chip.image), bytes(bench.keys.memory), bytes(bench.log.memory)
    assert after == before
    other = ChipBench(seed=2)
    bench.chip.image[:] = other.image
    bench.chip.power_up()
    assert bench.enrolment().key_state() == 2
