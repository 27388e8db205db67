# SPDX-License-Identifier: MIT
"""A tag on the virtual radio: the firmware's GATT service and sessions over records in memory.

Environment: ST_RECORDS (how many records), ST_SIZE (bytes of one), ST_ROLLS (how often the
key rolls, each time behind one more record). The chain is the same
in every life, so a test can take the power away in mid-sync and compare at the end.
"""

import asyncio
import gc
import os
import sys
import time

# Started as .../tests/upy/access_ble_tag.py on a path that knows nothing of the firmware.
_REPO = sys.argv[1].rsplit("/", 3)[0]
sys.path.append(_REPO + "/firmware")

from access_sync_pipe import make_record
from access_tag_parts import CERTIFICATE, FakeRecorder, TagParts

from sealwire import labels, record
from sealwire.access import sha256
from tag.ed25519.sign import SigningKey
from tag.uptime import Uptime
from tag.visit.adverts import AdvertIds, Live
from tag.visit.gatt import GattService


class Condition:
    is_private = True
    fill_permille = 100
    is_refusing = False

    def live(self):
        return Live(-19_000, 80, False, False, False)


def _quiet(self, code, content=None, seal=False):
    """A visit leaves no trace, so that every life has the same records."""
    return True


def make_parts():
    parts = TagParts()
    FakeRecorder.note_event = _quiet
    parts.recorder.unsealed = []
    parts.set_clock()
    previous = sha256(CERTIFICATE)
    size = int(os.getenv("ST_SIZE") or 213)
    parts.records.all = records = [b""] * int(os.getenv("ST_RECORDS") or 400)
    for seq in range(len(records)):
        records[seq] = make_record(seq, previous, size)
        previous = sha256(records[seq])
        gc.collect()  # else garbage and records alternate, and 2 MB are full of small holes
    # The certificate's key (tests/vectors/chain.py): visitors look at attestations.
    parts.recorder.sign = epoch_key(0).sign
    for number in range(int(os.getenv("ST_ROLLS") or 0)):
        roll(parts, epoch_key(number), epoch_key(number + 1))
    return parts


def epoch_key(number):
    return SigningKey(sha256(b"sealtrail test key tag epoch %d" % number))


def roll(parts, key, following):
    """One key-epoch record, and an ordinary one behind it."""
    records = parts.records.all
    seq = len(records)
    payload = record.BlockBuilder().payload(
        labels.KIND_KEY_EPOCH,
        seq,
        sha256(records[-1]),
        1,
        60_000,
        None,
        next_key=following.public_key,
    )
    signed = key.sign(
        record.sig_structure_parts(record.protected_header(labels.ALG_EDDSA), payload)
    )
    records.append(record.envelope(payload, signed))
    records.append(make_record(seq + 1, sha256(records[-1]), 200))
    parts.key_roll.epoch_seq = seq
    parts.recorder.sign = following.sign


def main():
    parts = make_parts()
    parts.uptime = Uptime(time.ticks_ms, time.ticks_diff)
    service = GattService(
        parts.session,
        AdvertIds(parts.admission, parts.entropy.random, parts.uptime),
        Condition(),
        parts.uptime,
        lambda code, text: print("fault", code, text),
        "virtual",
        "0.1.0",
    )
    asyncio.run(service.run())


main()
