# SPDX-License-Identifier: MIT
"""Heap of one signature and of field code; what a wiped key and engine still hold."""

import gc

from tag.ed25519 import programs, sign
from tag.ed25519.inverse import invert
from tag.ed25519.limbs import bytes_from_limbs, limbs_from_bytes, make_canonical
from tag.keys.signer import SoftwareSigner

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
large = (bytes(4096),)
print("sign_4k", heap_of(lambda: key.sign(large, hedge)))

point, scalars, scalar = engine.point, engine.scalars, key._challenge
digits, out = engine.digits, bytearray(32)


def add_column():
    engine.comb.add_column(digits, 3)


field_code = {
    "add_column": add_column,
    "invert": lambda: invert(0, point._work, point._z),
    "canonical": lambda: make_canonical(point._z),
    "from_bytes": lambda: limbs_from_bytes(point._z, 20, out, 32),
    "to_bytes": lambda: bytes_from_limbs(out, 32, point._z, 20),
    "scalar_multiply": lambda: scalars.multiply_montgomery(scalar, scalar, scalar),
    "scalar_add": lambda: scalars.add(scalar, scalar, scalar),
    "scalar_recode": lambda: scalars.to_comb(digits, scalar),
    "hash_block": engine.hash._flush,
}
for name in dir(programs):
    program = getattr(programs, name)
    if isinstance(program, bytes):
        field_code[name] = lambda program=program: point.run(program)


def ten_times(call):
    for _ in range(10):
        call()


for name, call in sorted(field_code.items()):
    call()
    print("field_" + name, heap_of(lambda call=call: ten_times(call)))
key.sign(message, hedge)

secrets = [engine.digits, engine.digest, engine.hash._block, engine.hash._scratch]
secrets += [engine.scalars._columns, engine.scalars._sum, key._nonce, key._challenge]
secrets += [engine.point.memory[:320], engine.point._scratch]
print("left", sum(1 for secret in secrets if any(secret)))
key.wipe()
print("key", any(key._secret) or any(key._prefix))


class Broken:
    def random(self, size):
        from tag.keys.entropy import EntropyError

        raise EntropyError("repetition")


# Without randomness: the deterministic signature, not none.
plain = SoftwareSigner(bytes(32), None)
assert plain.algorithm == -8
print("fallback", SoftwareSigner(bytes(32), Broken()).sign(message) == plain.sign(message))
