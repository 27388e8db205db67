# SPDX-License-Identifier: MIT
"""Checks of the whole tag before it is trusted with a shipment: known answers and ranges.

Each check is (name, passed, detail); none stops the others. Shown by `sealtrail provision`,
which refuses a tag with a failed check.
"""

from binascii import unhexlify

from sealwire import labels

from ..ed25519.sign import SigningKey, verify

# RFC 8032 section 7.1, TEST 2: seed, public key, message 0x72, signature.
_SEED = unhexlify("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
_PUBLIC = unhexlify("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
_SIGNATURE = unhexlify(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def run(board, storage, entropy) -> list:
    """Runs every check; takes under a second."""
    checks = [
        _check("signature", _check_signature),
        _check("entropy", lambda: _check_entropy(entropy)),
        _check("storage", lambda: _check_storage(storage)),
        _check("battery", lambda: _check_battery(board)),
        _check("accelerometer", lambda: _check_accelerometer(board)),
    ]
    chip = board.secure_element()
    if chip is not None:
        checks.append(_check("secure element", lambda: _check_chip(chip)))
    for index, probe in enumerate(board.probes()):
        checks.append(_check("probe %d" % index, lambda probe=probe: _check_probe(probe)))
    return checks


def _check(name, test):
    """Runs *test*, which returns its detail or raises ValueError or OSError."""
    try:
        return name, True, test()
    except (ValueError, OSError) as e:
        return name, False, str(e)


def _check_signature():
    key = SigningKey(_SEED)
    if key.public_key != _PUBLIC or bytes(key.sign((b"\x72",), None)) != _SIGNATURE:
        raise ValueError("wrong signature for RFC 8032 TEST 2")
    if not verify(_PUBLIC, _SIGNATURE, (b"\x72",)) or verify(_PUBLIC, _SIGNATURE, (b"\x73",)):
        raise ValueError("verification accepts what it must not")
    return "RFC 8032 TEST 2"


def _check_entropy(entropy):
    if entropy.fault:
        raise ValueError("random source failed: " + entropy.fault)
    return "health test passed"


def _check_storage(storage):
    return "head %d, fill %d permille" % (storage.records.head_seq, storage.fill_permille)


def _check_battery(board):
    battery_mv = board.battery_mv()
    if battery_mv < board.battery_low_mv:
        raise ValueError("%d mV is low" % battery_mv)
    return "%d mV" % battery_mv


def _check_accelerometer(board):
    return "none" if board.accelerometer() is None else "answers"


def _check_chip(chip):
    from ..keys import chipcheck

    return chipcheck.check(chip)


def _check_probe(probe):
    value, raw = probe.read()
    if value >= labels.FAULT_BASE:
        raise ValueError("fault %d, register 0x%04x" % (value - labels.FAULT_BASE, raw))
    return "%.2f C" % (value / 100)
