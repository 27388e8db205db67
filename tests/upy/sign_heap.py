# SPDX-License-Identifier: MIT
"""Heap of one signature and of field code; what a wiped key and engine still hold."""

import gc

from tag.ed25519 import programs, sign
from tag.signer import SoftwareSigner

key = sign.SigningKey(bytes(range(32)))
message = (bytes(10), bytes(140))
hedge = bytes(32)
engine = sign.engine()
key.sign(message, hedge)


def heap_of(call):
    """Bytes that *call* takes from the heap, with nothing collected meanwhile."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    call()
    used = gc.mem_alloc() - before
    gc.enable()
    return used


print("sign", heap_of(lambda: key.sign(message, hedge)))


def field_code():
    for _ in range(100):
        engine.point.run(programs.DOUBLE)


print("field", heap_of(field_code))
key.sign(message, hedge)

secrets = [engine.digits, engine.digest, engine.hash._block, engine.hash._scratch]
secrets += [engine.scalars._columns, engine.scalars._sum, key._nonce, key._challenge]
secrets += [engine.point.memory[:320], engine.point._scratch]
print("left", sum(1 for secret in secrets if any(secret)))
key.wipe()
print("key", any(key._secret) or any(key._prefix))


class Broken:
    def random(self, size):
        from tag.entropy import EntropyError

        raise EntropyError("repetition")


# Without randomness: the deterministic signature, not none.
plain = SoftwareSigner(bytes(32), None)
assert plain.algorithm == -8
print("fallback", SoftwareSigner(bytes(32), Broken()).sign(message) == plain.sign(message))
