# SPDX-License-Identifier: MIT
"""Ed25519 (RFC 8032) for 32-bit chips, in viper: no heap in field code, no secret branch.

sha512     hash of several buffers
limbs      bytes <-> 13-bit limbs
field_vm   arithmetic modulo 2**255 - 19 (generated), programs: point formulas (generated)
scalar     arithmetic modulo the group order
comb       multiples of the base point from the table comb.bin (generated)
inverse    1 / z modulo p
point      memory of the field VM, encoding and decoding of points
sign       the interface: SigningKey, verify, public_key_of
"""
