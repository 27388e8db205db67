# SPDX-License-Identifier: MIT
"""Rates of one process: the tag's viper Ed25519 and the best big-integer one, same messages.

Prints a JSON object: signatures and verifications per second of both (the best of their ways of
reducing), and the heap of one signature.
"""

import gc
import json
import time

from sign_bigint import REDUCTIONS, BigintKey, read_table

from tag.ed25519 import sign

ROUND_COUNT = 10
ROUND_S = 0.1


def per_second(call):
    """The rate of one round, by processor time."""
    count = 0
    start = now = time.clock()
    while now - start < ROUND_S:
        call()
        count += 1
        now = time.clock()
    return count / (now - start)


def best_rates(calls):
    """The best of some rounds each, by turns: other work on the machine only slows one down."""
    best = dict.fromkeys(calls, 0)
    for _ in range(ROUND_COUNT):
        for name, call in calls.items():
            gc.collect()
            best[name] = max(best[name], per_second(call))
    return best


seed = bytes(range(32))
message = bytes(150)
key = sign.SigningKey(seed)
table = read_table(sign._TABLE)
bigint_keys = [BigintKey(seed, table, reduction) for reduction in REDUCTIONS]
signature = bytes(key.sign((message,)))
assert sign.verify(key.public_key, signature, (message,))
calls = {
    "sign": lambda: key.sign((message,)),
    "verify": lambda: sign.verify(key.public_key, signature, (message,)),
}
for i, bigint in enumerate(bigint_keys):
    assert bigint.public_key == key.public_key
    assert bigint.sign(message) == signature
    assert bigint.verify(key.public_key, signature, message)
    assert not bigint.verify(key.public_key, signature, message + b"x")
    calls["bigint sign %d" % i] = lambda bigint=bigint: bigint.sign(message)
    calls["bigint verify %d" % i] = lambda bigint=bigint: bigint.verify(
        key.public_key, signature, message
    )
rates = best_rates(calls)
for what in ("sign", "verify"):
    ways = [rates["bigint %s %d" % (what, i)] for i in range(len(REDUCTIONS))]
    rates["bigint " + what] = max(ways)
gc.collect()
gc.disable()
before = gc.mem_alloc()
key.sign((message,), seed)
rates["heap"] = gc.mem_alloc() - before
print(json.dumps(rates))
