# SPDX-License-Identifier: MIT
"""Seeds: each contribution changes them, a failed source gives none."""

from tag.keys.entropy import Entropy, EntropyError


def counting(start):
    """A source that passes the health test and can be repeated."""
    state = [start]

    def source(size):
        out = bytearray(size)
        for i in range(size):
            state[0] = (state[0] * 1103515245 + 12345) & 0x7FFFFFFF
            out[i] = state[0] >> 16 & 255
        return bytes(out)

    return source


def seed(start, host, unique_id):
    return Entropy(counting(start), unique_id).seed(host)


base = seed(1, b"host", b"id")
assert len(base) == 32
assert base == seed(1, b"host", b"id")
others = [seed(2, b"host", b"id"), seed(1, b"hosu", b"id"), seed(1, b"host", b"ie")]
others += [seed(1, b"ost", b"idh"), seed(1, b"", b"idhost"), Entropy().seed(b"host")]
assert len(set(others + [base])) == 7
stuck = Entropy(bytes)
for call in (lambda: stuck.seed(b"x" * 32), lambda: stuck.random(8)):
    try:
        call()
        raise AssertionError("a stuck source gave bytes")
    except EntropyError as e:
        assert e.args[0] == "repetition"
print("ok")
