# SPDX-License-Identifier: MIT
"""Runs the cases of a JSON file (written by test_sign_on_micropython.py) on the tag's Ed25519.

A case is [operation, ...hex]: "sign" seed, message, public key, signature; "verify" public key,
message, signature, "accept", "refuse" or "verdict" (which prints it); "decode" point, "accept" or
"refuse"; "hash" message,
SHA-512. Prints each failing case.
"""

import json
import sys
from binascii import hexlify, unhexlify

from tag.ed25519 import sign
from tag.ed25519.sha512 import Sha512


def split(message):
    """The message in uneven parts, as the recorder passes it."""
    return message[: len(message) // 3], memoryview(message)[len(message) // 3 :]


def failure(case):
    operation = case[0]
    if operation == "hash":
        message = unhexlify(case[1])
        digest = Sha512().digest(bytearray(64), *split(message))
        return "" if digest == unhexlify(case[2]) else hexlify(digest)
    if operation == "decode":
        is_point = sign.engine().point.decode_negated(unhexlify(case[1]))
        return "" if is_point == (case[2] == "accept") else "point=%s" % is_point
    if operation == "sign":
        seed, message, public_key, signature = (unhexlify(text) for text in case[1:5])
        key = sign.SigningKey(seed)
        if key.public_key != public_key:
            return "public key " + str(hexlify(key.public_key))
        made = key.sign(split(message))
        if made != signature:
            return "signature " + str(hexlify(made))
        hedged = key.sign((message,), bytes(range(32)))
        if hedged == signature or not sign.verify(public_key, hedged, split(message)):
            return "hedged"
        return ""
    public_key, message, signature = (unhexlify(text) for text in case[1:4])
    is_valid = sign.verify(public_key, signature, (message,))
    if case[4] == "verdict":
        print(is_valid)
        return ""
    return "" if is_valid == (case[4] == "accept") else "valid=%s" % is_valid


with open(sys.argv[1]) as f:
    cases = json.load(f)
failed = 0
for index, case in enumerate(cases):
    what = failure(case)
    if what:
        failed += 1
        print("case", index, case[0], what, case[-1][:40])
print("%d cases, %d failed" % (len(cases), failed))
