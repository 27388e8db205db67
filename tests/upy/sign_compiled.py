# SPDX-License-Identifier: MIT
"""RFC 8032 TEST 3 with the tag's package compiled to native .mpy files (folder in argv[1])."""

import sys
from binascii import unhexlify

sys.path[:] = [sys.argv[1]]
from tag.ed25519 import field_vm, sign

assert field_vm.__file__.endswith(".mpy"), field_vm.__file__
seed = unhexlify("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
key = sign.SigningKey(seed)
signature = key.sign((b"\xaf\x82",))
assert signature == unhexlify(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)
assert sign.verify(key.public_key, signature, (b"\xaf", b"\x82"))
print("ok")
