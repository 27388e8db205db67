# SPDX-License-Identifier: MIT
"""The independent reader: what evidence proves, by the numbered rules of the record format.

Built on cbor2, PyNaCl and cryptography; imports nothing of the tag's own code, so that one
misreading of the format cannot hide on both sides. Pure but for `trust`, which keeps files.

    bytes ─ cbor_strict ─ cose ─┬─ certificate ─┐
                                ├─ payload ─ chain ─ timeline ─┐
                                └─ statements ─ freshness ─────┴─> VerifiedEvidence
"""
