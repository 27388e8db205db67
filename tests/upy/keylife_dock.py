# SPDX-License-Identifier: MIT
"""The dock over a whole life: what it refuses, and what flash holds at each step."""

import os

from keylife_tag import NOW_S, RULES, SERIAL, TRIP, Bench, Fleet, refusal

from sealwire import cbor, labels, record
from tag.clock import SRC_SERIAL
from tag.dock import codes as d
from tag.keys.entropy import EntropyError
from tag.store import statestore


def public_key_of(proof):
    return cbor.decode(record.parse_envelope(proof)[1])[1]


def install_args(bench, certificate):
    return {1: certificate, 2: bench.fleet.key.public_key, 3: bytes(32), 4: RULES}


def test_enrolment_needs_host_and_healthy_source():
    bench = Bench()
    for host in (b"", bytes(31), bytes(33), bytes(32), b"\x07" * 32):
        code, _ = refusal(bench.dock().serve, d.ENROL, {1: host, 2: SERIAL})
        assert code == d.BAD_REQUEST, host
    for serial in ("", "x" * 33):
        args = {1: os.urandom(32), 2: serial}
        assert refusal(bench.dock().serve, d.ENROL, args)[0] == d.BAD_REQUEST
    bench.random_source = bytes
    try:
        bench.dock().serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})
        raise AssertionError("a key without randomness")
    except EntropyError:
        pass
    assert bench.board.is_entropy_on
    assert bench.dock().serve(d.IDENTIFY, {})[8] == 0
    # The key that was there is not given up for one that cannot be made.
    bench.random_source = os.urandom
    dock = bench.dock()
    dock.serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})
    active = dock._storage.key_slots.active()
    dock._entropy._source = bytes
    try:
        dock.serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})
        raise AssertionError("a key without randomness")
    except EntropyError:
        assert dock._storage.key_slots.active() == active


def test_a_source_that_was_off_before_the_radio_is_tested_anew():
    bench = Bench(random_source=bytes)
    dock = bench.dock()

    def radio_on():
        dock._entropy._source = os.urandom

    bench.board.enable_entropy = radio_on
    assert public_key_of(dock.serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})[1])


def test_certificates_that_are_not_this_tags_are_refused():
    bench = Bench()
    early = bench.fleet.certificate(bytes(32))
    assert refusal(bench.dock().serve, d.INSTALL, install_args(bench, early))[0] == (
        d.BAD_CERTIFICATE  # its serial: a tag that made no key was told none
    )
    bench.dock()._storage.state.put(statestore.SERIAL, SERIAL.encode())
    assert refusal(bench.dock().serve, d.INSTALL, install_args(bench, early))[0] == (
        d.NOT_ENROLLED
    )
    dock = bench.dock()
    key = public_key_of(dock.serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})[1])
    fleet = bench.fleet
    lacking = {2: SERIAL, 6: NOW_S, 8: {1: {1: 1, -1: 6, -2: key}}, -70001: "bench"}
    expected = (
        (fleet.certificate(bytes(32)), "certifies another key"),
        (fleet.certificate(key, serial="ST-0002"), "for another tag"),
        (fleet.certificate(key, board="other"), "for another board"),
        (Fleet(bytes(32)).certificate(key), "signature"),
        (fleet.signed(lacking), "not the claims of a tag certificate"),
    )
    for certificate, why in expected:
        got = refusal(dock.serve, d.INSTALL, install_args(bench, certificate))
        assert got == (d.BAD_CERTIFICATE, why), got
    # The clock decides only where it is sure.
    late = fleet.certificate(key, issued_s=NOW_S + 86_400)
    dock._clock.narrow(NOW_S * 1000, NOW_S * 1000 + 500, SRC_SERIAL)
    got = refusal(dock.serve, d.INSTALL, install_args(bench, late))
    assert got == (d.BAD_CERTIFICATE, "issued in the future"), got
    assert dock.serve(d.IDENTIFY, {})[4] == 0
    assert len(dock.serve(d.INSTALL, install_args(bench, fleet.certificate(key)))[1]) == 32


def test_an_access_key_needs_the_radio_also_after_a_reset():
    bench = Bench()
    key = public_key_of(bench.dock().serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})[1])
    args = install_args(bench, bench.fleet.certificate(key))
    bench.board.is_entropy_on = False
    dock = bench.dock()
    dock._entropy._source = bytes
    try:
        dock.serve(d.INSTALL, args)
        raise AssertionError("an access key without randomness")
    except EntropyError:
        assert dock.serve(d.IDENTIFY, {})[4] == 0
    assert bench.board.is_entropy_on
    assert len(bench.dock().serve(d.INSTALL, args)[1]) == 32


def test_a_faulty_signature_gives_no_proof():
    bench = Bench()
    dock = bench.dock()
    dock._enrolment._keys._verify = lambda public_key, signature, parts: False
    got = refusal(dock.serve, d.ENROL, {1: os.urandom(32), 2: SERIAL})
    assert got[0] == d.DEVICE_FAILED, got


def test_a_tag_with_a_key_keeps_it():
    bench = Bench()
    bench.enrol()
    before = bytes(bench.keys.memory)
    got = refusal(bench.dock().serve, d.ENROL, {1: os.urandom(32), 2: SERIAL})
    assert got[0] == d.ENROLLED and bytes(bench.keys.memory) == before
    # Without a certificate the key has signed nothing, and is made again.
    other = Bench()
    first = other.dock().serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})[1]
    second = other.dock().serve(d.ENROL, {1: os.urandom(32), 2: SERIAL})[1]
    assert public_key_of(first) != public_key_of(second)


def logged(bench):
    """An enrolled tag with a trip, and an access key; returns the dock of a later session."""
    bench.enrol()
    tag = bench.app()
    tag.sampler.sample_once()
    tag.trip.start(TRIP)
    tag.uptime.advance(60_000)
    tag.sampler.sample_once()
    return bench.dock()


def records_of(dock):
    found = []
    while True:
        answer = dock.serve(d.READ, {1: len(found), 2: 3000})
        found += answer[1]
        if len(found) > answer[2]:
            return found


def test_the_end_needs_a_host_that_holds_everything():
    bench = Bench()
    assert refusal(bench.dock().serve, d.END, {})[0] == d.NOT_ENROLLED
    dock = logged(bench)
    assert refusal(dock.serve, d.END, {})[0] == d.UNRECEIPTED
    for held in ({1: 0, 2: bytes(32)}, {1: 7, 2: bytes(32)}, {1: 0}):
        assert refusal(dock.serve, d.END, held)[0] == d.HEAD_DIFFERS
    assert refusal(dock.serve, d.PURGE, {1: bytes(32)})[0] == d.NOT_ENDED
    assert dock.serve(d.IDENTIFY, {})[4] == 1


def test_an_ended_tag_holds_no_secret_and_gives_its_log_until_the_purge():
    bench = Bench()
    dock = logged(bench)
    told = dock.serve(d.IDENTIFY, {})
    assert told[8] == 1 and told[9] == 0
    end = dock.serve(d.END, {1: told[5], 2: told[10]})
    assert dock.serve(d.END, {}) == end
    dock = bench.dock()
    told = dock.serve(d.IDENTIFY, {})
    assert (told[4], told[8], told[9], told[5], told[10]) == (0, 0, 1, end[1], end[2])
    assert bench.access_key not in bytes(bench.keys.memory)
    assert bytes(bench.keys.memory[:8192]) == b"\xff" * 8192
    records = records_of(dock)
    kinds = [record.head_of(one)[1] for one in records]
    assert kinds[-1] == labels.KIND_END and kinds.count(labels.KIND_END) == 1
    samples = [v for one in records for run in record.parse_record(one).runs for v in run[3]]
    assert len(samples) == 2
    # It neither runs nor seals nor takes another identity before its log may go.
    assert refusal(dock.serve, d.ENROL, {1: os.urandom(32), 2: SERIAL})[0] == d.UNRECEIPTED
    assert refusal(dock._open_tag)[0] == d.NOT_ENROLLED
    assert refusal(dock.serve, d.PURGE, {1: bytes(32)})[0] == d.HEAD_DIFFERS
    dock.serve(d.PURGE, {1: end[2]})
    told = dock.serve(d.IDENTIFY, {})
    assert (told[4], told[5], told[9]) == (0, -1, 0) and 7 not in told
    first = bench.access_key
    bench.enrol()
    assert bench.access_key != first and bench.app().recorder.records.head_seq == -1


def test_erase_leaves_no_secret_either():
    bench = Bench()
    dock = logged(bench)
    seeds = dock._storage.key_slots.active()[1]
    assert refusal(dock.serve, d.ERASE, {})[0] == d.UNRECEIPTED
    dock.serve(d.ERASE, {1: 1})
    memory = bytes(bench.keys.memory)
    assert seeds not in memory and bench.access_key not in memory
    assert dock.serve(d.IDENTIFY, {})[4] == 0


def test_policy_is_in_force_from_the_next_boot_until_the_enrolment_ends():
    bench = Bench()
    assert refusal(bench.dock().serve, d.POLICY, {1: 1})[0] == d.NOT_ENROLLED
    dock = logged(bench)
    for policy in (2, -1, None, b"\x01"):
        assert refusal(dock.serve, d.POLICY, {1: policy})[0] == d.BAD_REQUEST, policy
    assert not bench.app().storage.records.overwrites
    for policy in (1, 0, 1):
        bench.dock().serve(d.POLICY, {1: policy})
        assert bench.app().storage.records.overwrites == bool(policy)
    bench.dock().serve(d.ERASE, {1: 1})
    logged(bench)
    assert not bench.app().storage.records.overwrites


def test_a_tag_without_its_key_says_so_and_cannot_end():
    bench = Bench()
    logged(bench)
    bench.keys.memory[:8192] = b"\xff" * 8192
    dock = bench.dock()
    told = dock.serve(d.IDENTIFY, {})
    assert told[4] == 1 and told[8] == 2
    got = refusal(dock.serve, d.END, {1: told[5], 2: told[10]})
    assert got[0] == d.KEY_LOST, got
    tag = bench.app()
    assert tag.key_roll.is_lost and tag.has_problem
    tag.sampler.sample_once()
    tag.recorder.seal_open_block()
    last = record.parse_record(tag.recorder.records.read(tag.recorder.records.head_seq))
    assert last.kind == labels.KIND_UNSIGNED
    texts = [e[2] for e in last.events if e[1] == labels.EVENT_DEVICE_FAULT]
    assert texts and texts[0][0] == 4 and texts[0][1].startswith("key lost: no key of the chain")


def main():
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
            print(name)


main()
