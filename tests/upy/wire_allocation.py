# SPDX-License-Identifier: MIT
"""Counts heap bytes left behind by 1000 calls of one hot path: wire_allocation.py NAME.

Uptimes and readings are small integers here, as they are on an ESP32 below 2**30 ms of
uptime (12.4 days); `sample_big` shows that larger ones are not free.
"""

import gc
import sys

from sealwire import alarm, cbor, profile, record

_COUNT = 1000


def _samples(values_of, first_ms=0):
    """add_sample, clearing where the builder is full, as the recorder does."""
    block = record.BlockBuilder()
    block.add_sample(first_ms, values_of[0])  # the one buffer per probe
    block.clear()
    lists = values_of

    def run():
        up_ms = first_ms
        for index in range(_COUNT):
            values = lists[index & 1]
            if index & 63 == 0 or not block.fits_sample(up_ms, values):
                block.clear()
            block.add_sample(up_ms, values)
            up_ms += 60_000 if index & 31 else 10_000

    return run


def _alarm(values_of, rules):
    engine = alarm.AlarmEngine(profile.build("x", 60, rules))
    for index in range(4):
        engine.sample(index, values_of[index & 1])  # whatever begins, begins here
    engine.sample(4, values_of[0])

    def run():
        for index in range(_COUNT):
            engine.sample(1000 + index * 60_000, values_of[index & 1])

    return run


def _writer():
    writer = cbor.Writer(bytearray(64))
    name = b"12345678"

    def run():
        for index in range(_COUNT):
            writer.size = 0
            writer.array(3)
            writer.uint(index * 1000)
            writer.int(-index * 70_000)
            writer.bstr_head(len(name))

    return run


_RULES = [
    [kind, 0, kind, 800 if kind & 1 == 0 else 200, 60 if kind > 1 else 0, 0] for kind in range(6)
]
_HOT = {
    "sample": lambda: _samples(((-15000,), (-15012,))),
    "sample_big": lambda: _samples(((-15000,), (-15012,)), 1 << 63),
    "two_probes": lambda: _samples(((-15000, 500), (-15300, 9000))),
    "lost_probe": lambda: _samples(((-15000,), (1_000_001,))),
    "alarm": lambda: _alarm(((500,), (510,)), _RULES),
    "alarm_held": lambda: _alarm(((900,), (1_000_001,)), [[1, 0, 2, 800, 86_400, 0]]),
    "writer": _writer,
}

if __name__ == "__main__":
    hot = _HOT[sys.argv[1]]()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    hot()
    after = gc.mem_alloc()
    print("%d calls, %d bytes" % (_COUNT, after - before))
