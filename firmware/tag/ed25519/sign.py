# SPDX-License-Identifier: MIT
"""Ed25519 signatures over messages given in parts (RFC 8032 section 5.1).

The engine (table 15 KB, memory 5 KB, scratch 3 KB) is built at the first use and kept. It serves
one call at a time: nothing here waits, so tasks cannot interleave. A signature's secrets are
wiped from it when the signature is made.
"""

from ..ed25519 import verify as _verify
from .comb import Comb, load_table
from .point import Point
from .scalar import ScalarField, new_scalar, store
from .sha512 import Sha512

_TABLE = __file__.rsplit("/", 1)[0] + "/comb.bin"
_HEDGE_PAD = bytes(64)  # prefix (32) + random (32) + pad = one block of SHA-512
_engine = None


class Engine:
    """What all keys share: hash, scalar and point arithmetic with their scratch memory."""

    def __init__(self):
        self.hash = Sha512()
        self.scalars = ScalarField()
        self.point = Point()
        self.comb = Comb(self.point, load_table(_TABLE))
        self.digits = bytearray(33)
        self.digest = bytearray(64)
        self.prepared_key = None  # public key whose multiples lie in the point's memory

    def multiply_base(self, out, scalar):
        """Writes the encoding of scalar * base point to *out* (32 bytes)."""
        self.scalars.to_comb(self.digits, scalar)
        self.comb.multiply(self.digits)
        self.point.encode(out)

    def wipe(self):
        """Forgets the secrets of the last call."""
        self.hash.wipe()
        self.scalars.wipe()
        self.point.wipe()
        for k in range(33):
            self.digits[k] = 0
        for k in range(64):
            self.digest[k] = 0


def engine() -> Engine:
    """Returns the shared engine. Raises CombError when the table is missing or damaged."""
    global _engine
    if _engine is None:
        _engine = Engine()
    return _engine


class SigningKey:
    """A private key made from a 32-byte seed; the seed itself is not kept."""

    def __init__(self, seed):
        """Raises ValueError unless *seed* has 32 bytes, CombError as engine()."""
        if len(seed) != 32:
            raise ValueError("a seed has 32 bytes")
        parts = engine()
        digest = parts.hash.digest(parts.digest, seed)
        self._prefix = bytearray(digest[32:])
        digest[0] &= 248
        digest[31] = digest[31] & 63 | 64
        scalar = new_scalar()
        parts.scalars.load(scalar, digest, 32)
        public_key = bytearray(32)
        parts.multiply_base(public_key, scalar)
        # Kept times R squared: one Montgomery multiplication with a hash over R is the product.
        parts.scalars.to_montgomery(scalar, scalar)
        parts.scalars.to_montgomery(scalar, scalar)
        self._secret = scalar
        self._nonce = new_scalar()
        self._challenge = new_scalar()
        self.public_key = bytes(public_key)
        parts.wipe()

    def sign(self, parts: tuple, hedge=None) -> bytearray:
        """Returns the 64-byte signature of the message whose buffers are *parts*.

        *hedge*, 32 random bytes, makes the nonce unpredictable to whoever induces faults:
        nonce = SHA-512(prefix || hedge || 64 zero bytes || message). Any verifier accepts the
        signature all the same. None gives RFC 8032's deterministic signature.
        Raises ValueError when *hedge* has another size.
        """
        if hedge is not None and len(hedge) != 32:
            raise ValueError("a hedge has 32 bytes")
        shared = engine()
        scalars = shared.scalars
        signature = bytearray(64)
        half = memoryview(signature)
        head = (self._prefix,) if hedge is None else (self._prefix, hedge, _HEDGE_PAD)
        scalars.load(self._nonce, shared.hash.digest_all(shared.digest, head, parts))
        shared.multiply_base(signature, self._nonce)
        head = (half[:32], self.public_key)
        digest = shared.hash.digest_all(shared.digest, head, parts)
        scalars.load_over_r(self._challenge, digest)
        scalars.multiply_montgomery(self._challenge, self._challenge, self._secret)
        scalars.add(self._nonce, self._nonce, self._challenge)
        store(half[32:], self._nonce)
        self._forget_nonce()
        return signature

    def wipe(self):
        """Erases the private key from memory; the object cannot sign any more."""
        for k in range(20):
            self._secret[k] = 0
        for k in range(32):
            self._prefix[k] = 0
        self._forget_nonce()

    def _forget_nonce(self):
        for k in range(20):
            self._nonce[k] = 0
            self._challenge[k] = 0
        engine().wipe()


def public_key_of(seed) -> bytes:
    """Returns the 32-byte public key that belongs to a seed."""
    key = SigningKey(seed)
    key.wipe()
    return key.public_key


def verify(public_key, signature, parts: tuple) -> bool:
    """Whether *signature* (64 bytes) by *public_key* (32 bytes) fits the message *parts*.

    Stricter than RFC 8032 asks, like libsodium: see verify.py.
    """
    return _verify.is_valid(engine(), public_key, signature, parts)
