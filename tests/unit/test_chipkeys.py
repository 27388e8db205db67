# SPDX-License-Identifier: MIT
"""Keys in the secure element over their life, without cuts."""

import hashlib

import pytest

from sealtrail.evidence.cose import VerifyingKey, open_envelope
from sealwire import record
from tag.drivers.atecc608 import ChipError
from tag.keys.chipkeys import ChipKeys, config_fault, low_s
from tag.keys.keystore import KeyStoreError
from tests.fakes.chip_bench import ChipBench

PARTS = (b"Sig_structure up to the payload, ", b"payload")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sealed(signer) -> bytes:
    header = record.protected_header(signer.algorithm)
    signature = signer.sign(record.sig_structure_parts(header, b"\xa0"))
    return record.envelope(b"\xa0", signature, signer.algorithm)


def holds(public_key: bytes, item: bytes) -> bool:
    return VerifyingKey(public_key).holds(open_envelope(item))


def test_the_hosts_verifier_takes_what_a_created_key_signs():
    keys = ChipKeys(ChipBench().driver)
    public_key = keys.create(bytes(32))
    signer = keys.recover(public_key)
    assert (signer.algorithm, signer.public_key, len(public_key)) == (-7, public_key, 33)
    assert holds(public_key, sealed(signer))


def test_every_signature_has_its_s_in_the_lower_half():
    keys = ChipKeys(ChipBench().driver)
    signer = keys.recover(keys.create(b""))
    for _ in range(8):  # the chip gives the upper half every other time
        assert int.from_bytes(signer.sign(PARTS)[32:], "big") <= ORDER // 2


@pytest.mark.parametrize("s", [1, ORDER // 2, ORDER // 2 + 1, ORDER - 1])
def test_the_two_equivalent_signatures_become_one(s):
    one = low_s(b"r" * 32 + s.to_bytes(32, "big"))
    other = low_s(b"r" * 32 + (ORDER - s).to_bytes(32, "big"))
    assert bytes(one) == bytes(other)
    assert int.from_bytes(one[32:], "big") in (s, ORDER - s)


def test_a_key_is_made_once_until_all_are_erased():
    keys = ChipKeys(ChipBench().driver)
    first = keys.create(b"")
    with pytest.raises(KeyStoreError, match="a key is there"):
        keys.create(b"")
    keys.erase_all()
    assert keys.recover(first) is None
    assert keys.create(b"") != first


def test_a_roll_takes_the_other_slot_and_destroys_the_old_key():
    bench = ChipBench()
    keys = ChipKeys(bench.driver)
    chain = [keys.create(b"")]
    signer = keys.recover(chain[0])
    for epoch in range(1, 5):
        chain.append(keys.begin(epoch))
        assert holds(chain[-2], sealed(signer)), "the old key signs until the roll is finished"
        old, signer = signer, keys.finish()
        assert signer.public_key == chain[-1] and holds(chain[-1], sealed(signer))
        with pytest.raises(ChipError):
            old.sign(PARTS)
    assert len(set(chain)) == 5
    for gone in chain[:-1]:
        assert ChipKeys(bench.driver).recover(gone) is None
    assert ChipKeys(bench.driver).recover(chain[-1]) is not None


def test_a_later_life_finds_the_key_by_what_the_log_names():
    bench = ChipBench()
    public_key = ChipKeys(bench.driver).create(b"")
    bench.power_up()
    assert holds(public_key, sealed(ChipKeys(bench.driver).recover(public_key)))
    assert ChipKeys(bench.driver).recover(None) is None


def test_begun_and_not_sealed_is_forgotten():
    bench = ChipBench()
    keys = ChipKeys(bench.driver)
    first = keys.create(b"")
    begun = keys.begin(1)
    bench.power_up()
    assert ChipKeys(bench.driver).recover(first).public_key == first
    assert ChipKeys(bench.driver).recover(begun) is None


def test_steps_out_of_order_are_refused():
    keys = ChipKeys(ChipBench().driver)
    with pytest.raises(KeyStoreError, match="no key"):
        keys.begin(1)
    keys.create(b"")
    with pytest.raises(KeyStoreError, match="nothing begun"):
        keys.finish()
    keys.begin(1)
    keys.finish()
    with pytest.raises(KeyStoreError, match="nothing begun"):
        keys.finish()


def test_a_key_of_another_chip_is_not_found_and_nothing_is_destroyed():
    bench = ChipBench()
    ours = ChipKeys(bench.driver).create(b"")
    theirs = ChipKeys(ChipBench(7).driver).create(b"")
    assert ChipKeys(bench.driver).recover(theirs) is None
    assert ChipKeys(bench.driver).recover(ours) is not None


def test_the_chip_checks_signatures_of_its_own_keys():
    keys = ChipKeys(ChipBench().driver)
    public_key = keys.create(b"")
    signature = keys.recover(public_key).sign(PARTS)
    assert keys.verify(public_key, signature, PARTS)
    assert not keys.verify(public_key, signature, (b"other",))
    s = ORDER - int.from_bytes(signature[32:], "big")
    assert not keys.verify(public_key, signature[:32] + s.to_bytes(32, "big"), PARTS)
    with pytest.raises(KeyStoreError):
        keys.verify(b"\x02" + bytes(32), signature, PARTS)


def test_looking_for_a_key_writes_nothing():
    bench = ChipBench()
    keys = ChipKeys(bench.driver)
    first = keys.create(b"")
    begun = keys.begin(1)
    before = bytes(bench.image)
    assert keys.holds(first) and keys.holds(begun) and not keys.holds(b"\x02" + bytes(32))
    assert bytes(bench.image) == before
    assert keys.recover(first) and bytes(bench.image) != before
    assert not keys.holds(begun)


# ---- a chip that fails


def test_a_silent_chip_may_hold_any_key():
    bench = ChipBench()
    bench.chip.is_off = True
    assert ChipKeys(bench.driver).holds(b"\x02" + bytes(32))


def test_a_chip_silent_at_the_boot_signs_when_it_is_back():
    bench = ChipBench()
    public_key = ChipKeys(bench.driver).create(b"")
    bench.chip.is_off = True
    keys = ChipKeys(bench.driver)
    signer = keys.recover(public_key)
    assert "silent" in keys.waste_fault
    with pytest.raises(OSError):
        signer.sign(PARTS)
    with pytest.raises(OSError):
        keys.begin(1)
    bench.chip.is_off = False
    assert holds(public_key, sealed(signer))
    assert keys.waste_fault == ""
    assert keys.begin(1) and keys.finish()


def test_a_chip_silent_at_the_boot_that_lacks_the_key_never_signs():
    bench = ChipBench()
    bench.chip.is_off = True
    signer = ChipKeys(bench.driver).recover(b"\x02" + bytes(32))
    bench.chip.is_off = False
    with pytest.raises(OSError, match="no slot"):
        signer.sign(PARTS)


def test_an_old_key_that_could_not_be_destroyed_is_said_and_goes_at_the_next_boot():
    bench = ChipBench()
    keys = ChipKeys(bench.driver)
    old = keys.create(b"")
    new = keys.begin(1)
    bench.chip.is_off = True
    signer = keys.finish()
    assert (signer.public_key, keys.waste_fault) == (new, "secure element silent, errno 19")
    bench.chip.is_off = False
    assert ChipKeys(bench.driver).recover(new) is not None
    assert ChipKeys(bench.driver).recover(old) is None


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (86, 0x55, "not locked"),
        (87, 0x55, "not locked"),
        (88, 0xFB, "slot 2"),  # locked for ever: no roll
        (24, 0x84, "slot 2"),  # does not sign digests
        (24, 0x87, "slot 2"),  # would sign messages of its own, of a form an attacker chooses
        (25, 0x60, "slot 2"),  # a key could be put in from outside
        (27, 0x00, "slot 3"),  # no new key
        (100, 0x72, "slot 2"),  # not private
        (102, 0xF3, "slot 3"),  # wants authorisation
        (102, 0x7F, "slot 3"),  # no P-256 key
    ],
)
def test_a_configuration_that_does_not_keep_the_key_inside_is_refused(at, value, said):
    bench = ChipBench()
    assert config_fault(bench.driver.config()) == ""
    bench.image[at] = value
    with pytest.raises(KeyStoreError, match=said):
        ChipKeys(bench.driver).create(b"")


def test_the_digest_is_over_the_parts_in_their_order():
    keys = ChipKeys(ChipBench().driver)
    public_key = keys.create(b"")
    signature = keys.recover(public_key).sign((b"ab", memoryview(b"c")))
    assert keys.verify(public_key, signature, (b"abc",))
    assert hashlib.sha256(b"abc").digest() != hashlib.sha256(b"bac").digest()


def test_what_each_step_costs_in_time():
    """Upper bounds in ms, from the published maxima at the fastest clock divider."""
    bench = ChipBench()
    keys = ChipKeys(bench.driver)
    spent_ms = {}

    def timed(name, act, *args):
        before_ms = bench.slept_ms
        result = act(*args)
        spent_ms[name] = bench.slept_ms - before_ms
        return result

    public_key = timed("create", keys.create, b"")
    signer = timed("recover", keys.recover, public_key)
    timed("sign", signer.sign, PARTS)
    timed("begin", keys.begin, 1)
    timed("finish", keys.finish)
    assert spent_ms["sign"] < 180
    assert spent_ms["recover"] < 260
    assert spent_ms["begin"] + spent_ms["finish"] < 260
