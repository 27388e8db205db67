# SPDX-License-Identifier: MIT
"""Single records, judged by form alone (rules R2 to R4). {name: (comment, bytes, expect)}."""

from sealwire import cbor
from tests.vectors.chain import TAG, Chain, changed, cose_sign1

_Case = tuple[str, bytes, str]


def _small() -> bytes:
    chain = Chain()
    return chain.add(samples=[[-15012], [-15010], [-15011]], events=[(2, None)])


def _payload(source: bytes) -> bytes:
    envelope = cbor.decode(b"\x84" + source[2:])
    assert isinstance(envelope, list)
    return bytes(envelope[2])


_PAYLOAD = _payload(_small())


def _with(changes: dict[int, object]) -> bytes:
    return cose_sign1(TAG, changed(_PAYLOAD, changes))


def _runs(*run: object) -> bytes:
    return _with({5: [list(run)]})


def _event(*event: object) -> bytes:
    return _with({6: [list(event)]})


def _kind(kind: int, **fields: bytes | int) -> bytes:
    return Chain().add(kind, events=[(2, None)], **fields)


def _big(signature: bytes) -> bytes:
    """A record of 1,025 bytes: the event's data fills it up."""
    size = 1025 - len(cose_sign1(TAG, changed(_PAYLOAD, {6: [[0, 44, bytes(300)]]})))
    return cose_sign1(TAG, changed(_PAYLOAD, {6: [[0, 44, bytes(300 + size)]]}), None, signature)


def valid() -> dict[str, _Case]:
    """What a reader must accept."""
    long_run = Chain().add(samples=[[-15000 + (7 * i) % 5] for i in range(64)], after_ms=64_000)
    faults = [[1_000_000 + code] for code in range(1, 8)]
    return {
        "block_small": ("Three readings and a lid event.", _small(), "ok"),
        "block_64": ("64 readings of one probe.", long_run, "ok"),
        "block_two_probes": ("Probes share instants.", Chain().add(samples=[[1, 2]] * 4), "ok"),
        "block_events_only": ("No readings.", Chain().add(events=[(12, [3100])]), "ok"),
        "block_faults": (
            "Every fault code stands for a reading.",
            Chain().add(samples=faults),
            "ok",
        ),
        "block_no_utc": ("Time unknown.", Chain().add(events=[(2, None)], utc=None), "ok"),
        "block_utc_no_width": (
            "Upper bound unknown.",
            Chain().add(events=[(2, None)], utc=(1_795_000_000, 0, None)),
            "ok",
        ),
        "checkpoint": ("Kind 2 with a nonce.", Chain().add(2, nonce=bytes(16)), "ok"),
        "key_epoch": ("Kind 3 with the next key.", Chain().add(3, next_key=bytes(32)), "ok"),
        "crash_block": ("Kind 4.", _kind(4, sealed_by_boot=2), "ok"),
        "end": ("Kind 5, empty.", Chain().add(5), "ok"),
        "unsigned": ("Kind 6, zeros for a signature.", _kind(6), "ok"),
        "alg_ed25519": (
            "-19, RFC 9864: legal for a reader.",
            cose_sign1(TAG, _PAYLOAD, b"\xa1\x01\x32"),
            "ok",
        ),
        "last_reading_1_s_ahead": (
            "Computed instants may be 1 s off.",
            _runs(0, -1000, 1000, 3, 5, b"\x00\x00"),
            "ok",
        ),
    }


def envelopes() -> dict[str, _Case]:
    """R2."""
    good = _small()
    kid = cbor.encode({1: -8, 4: bytes(8)})
    return {
        "cose_mac0": ("Tag 17.", b"\xd1" + good[1:], "not a COSE_Sign1"),
        "cose_untagged": ("The tag is required.", good[1:], "not a COSE_Sign1"),
        "protected_not_bstr": (
            "A map.",
            good[:2] + b"\xa1\x01\x27" + good[6:],
            "not a COSE_Sign1",
        ),
        "protected_kid": ("No kid in a record.", cose_sign1(TAG, _PAYLOAD, kid), _PROTECTED),
        "protected_es512": ("-36.", cose_sign1(TAG, _PAYLOAD, b"\xa1\x01\x38\x23"), _PROTECTED),
        "protected_empty": ("No algorithm.", cose_sign1(TAG, _PAYLOAD, b""), _PROTECTED),
        "unprotected_alg": (
            "Unsigned header.",
            good[:6] + b"\xa1\x01\x27" + good[7:],
            "unprotected header not empty",
        ),
        "signature_63": (
            "One byte short.",
            cose_sign1(TAG, _PAYLOAD, None, bytes(63)),
            "signature not 64 bytes",
        ),
        "signature_65": (
            "One byte long.",
            cose_sign1(TAG, _PAYLOAD, None, bytes(65)),
            "signature not 64 bytes",
        ),
        "cut": ("The last byte is missing.", good[:-1], "truncated"),
        "bytes_behind": ("One byte more.", good + b"\x00", "trailing bytes"),
        "size_1025": ("One byte too long.", _big(bytes(64)), "item too long"),
    }


_PROTECTED = "protected header not allowed"


def payloads() -> dict[str, _Case]:
    """R3 and R4, the payload as a whole."""
    twice = _PAYLOAD[:1] + _PAYLOAD[1:3] + _PAYLOAD[1:]
    twice = bytes([twice[0] + 1]) + twice[1:]
    range_ = "value out of range"
    kind_ = "key does not fit the kind"
    return {
        "payload_key_twice": ("KIND twice.", cose_sign1(TAG, twice), "duplicate map key"),
        "payload_float": (
            "SEQ 0.0.",
            cose_sign1(TAG, _PAYLOAD.replace(b"\x01\x00", b"\x01\xf9\x00\x00", 1)),
            "float or simple value not allowed",
        ),
        "payload_array": ("Not a map.", cose_sign1(TAG, b"\x80"), "payload not a map"),
        "key_10": ("Unknown.", _with({10: 0}), "unknown key"),
        "key_text": ("Keys are numbers.", _with({"x": 0}), "unknown key"),  # type: ignore[dict-item]
        "prev_missing": ("Required.", _with({2: None}), "missing key"),
        "kind_1": ("Reserved.", _with({0: 1}), "unknown kind"),
        "kind_7": ("From the future.", _with({0: 7}), "unknown kind"),
        "kind_text": ("Not a number.", _with({0: "0"}), "unknown kind"),
        "checkpoint_without_nonce": ("Kind 2.", _with({0: 2}), kind_),
        "block_with_nonce": ("Kind 0.", _with({7: bytes(16)}), kind_),
        "block_with_next_key": ("Kind 0.", _with({8: bytes(32)}), kind_),
        "crash_block_without_boot": ("Kind 4.", _with({0: 4}), kind_),
        "block_empty": (
            "Neither runs nor events.",
            _with({5: None, 6: None}),
            "block without content",
        ),
        "seq_33_bits": ("2**32.", _with({1: 1 << 32}), range_),
        "seq_negative": ("-1.", _with({1: -1}), range_),
        "prev_31": ("Not SHA-256.", _with({2: bytes(31)}), range_),
        "uptime_one": ("[boot].", _with({3: [1]}), range_),
        "uptime_49_bits": ("2**48 ms.", _with({3: [1, 1 << 48]}), range_),
        "utc_one": ("[lo].", _with({4: [1_795_000_000]}), range_),
        "utc_source_5": ("Unknown source.", _with({4: [1_795_000_000, 5]}), range_),
        "utc_negative": ("Before 1970.", _with({4: [-1, 1]}), range_),
        "nonce_7": ("Too short.", _with({0: 2, 7: bytes(7)}), range_),
        "nonce_33": ("Too long.", _with({0: 2, 7: bytes(33)}), range_),
        "next_key_31": ("No such key.", _with({0: 3, 8: bytes(31)}), range_),
    }


def contents() -> dict[str, _Case]:
    """R4, runs and events."""
    runs_ = "runs malformed"
    deltas_ = "deltas malformed"
    reading_ = "reading out of range"
    events_ = "events malformed"
    data_ = "event data malformed"
    return {
        "runs_empty": ("Leave the key out instead.", _with({5: []}), runs_),
        "run_five": ("One member missing.", _runs(0, 0, 0, 1, 5), runs_),
        "run_probe_4": ("No fifth probe.", _runs(4, 0, 0, 1, 5, b""), runs_),
        "run_t0_positive": ("After the seal.", _runs(0, 1, 0, 1, 5, b""), runs_),
        "run_t0_before_boot": ("Uptime below 0.", _runs(0, -60_001, 0, 1, 5, b""), runs_),
        "run_no_readings": ("n = 0.", _runs(0, 0, 0, 0, 5, b""), runs_),
        "run_one_with_dt": ("One reading, no distance.", _runs(0, -9, 9, 1, 5, b""), runs_),
        "run_two_without_dt": ("Two at once.", _runs(0, -9, 0, 2, 5, b"\x00"), runs_),
        "run_ahead": ("1,001 ms after UPTIME.", _runs(0, -1000, 2001, 2, 5, b"\x00"), runs_),
        "deltas_short": ("One missing.", _runs(0, -9000, 1000, 3, 5, b"\x00"), deltas_),
        "deltas_long": ("One more.", _runs(0, -9000, 1000, 2, 5, b"\x00\x00"), deltas_),
        "deltas_cut": ("Ends inside one.", _runs(0, -9000, 1000, 2, 5, b"\x80"), deltas_),
        "deltas_not_minimal": ("80 00 is 0.", _runs(0, -9000, 1000, 2, 5, b"\x80\x00"), deltas_),
        "deltas_four_bytes": (
            "No difference is that large.",
            _runs(0, -9000, 1000, 2, 5, b"\x80\x80\x80\x01"),
            deltas_,
        ),
        "reading_below_0_kelvin": ("-273.16 C.", _runs(0, 0, 0, 1, -27316, b""), reading_),
        "reading_1000_c": ("Above 1000 C.", _runs(0, 0, 0, 1, 100_001, b""), reading_),
        "reading_fault_0": ("No such fault.", _runs(0, 0, 0, 1, 1_000_000, b""), reading_),
        "reading_fault_8": ("No such fault.", _runs(0, 0, 0, 1, 1_000_008, b""), reading_),
        "events_empty": ("Leave the key out instead.", _with({6: []}), events_),
        "event_one": ("No code.", _event(0), events_),
        "event_future": ("After the seal.", _event(1, 2), events_),
        "event_before_boot": ("Uptime below 0.", _event(-60_001, 2), events_),
        "event_code_text": ("Not a number.", _event(0, "lid"), events_),
        "event_code_99": ("Unknown.", _event(0, 99), "unknown event code"),
        "event_data_missing": ("LID_CLOSED has [open_ms].", _event(0, 3), data_),
        "event_data_not_wanted": ("LID_OPEN has none.", _event(0, 2, []), data_),
        "event_shock_axis_3": ("Axes are 0 to 2.", _event(0, 4, [2500, 3, 1]), data_),
        "event_boot_text_33": ("Version too long.", _event(0, 1, [0, "v" * 33]), data_),
        "event_data_one_more": ("LID_CLOSED has [open_ms].", _event(0, 3, [1, 2]), data_),
        "event_data_one_less": ("SHOCK has three.", _event(0, 4, [2500, 2]), data_),
        "event_trip_key_4": (
            "TRIP has keys 1 to 3.",
            _event(0, 30, {1: 7, 2: bytes(32), 3: b"p", 4: 0}),
            data_,
        ),
        "event_trip_array": ("TRIP has a map.", _event(0, 30, [1]), data_),
        "event_session_holder": ("8 bytes.", _event(0, 40, [1, bytes(7), 2, 1]), data_),
    }


def cases() -> dict[str, _Case]:
    """All of them."""
    return {**valid(), **envelopes(), **payloads(), **contents()}
