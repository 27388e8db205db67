# SPDX-License-Identifier: MIT
"""The tag's signing key behind the one interface a secure element offers too.

Nobody else touches the private key. A signer has algorithm, public_key, sign(parts) and
wipe(); its key comes from a key store (keystore.py).
"""

from ..ed25519.sign import SigningKey
from .entropy import EntropyError

_EDDSA = -8  # COSE algorithm, RFC 9053 section 2.2


class SoftwareSigner:
    """Signs with an Ed25519 key held in RAM."""

    algorithm = _EDDSA

    def __init__(self, seed, entropy):
        """*seed*: 32 bytes. *entropy*: entropy.Entropy, or None for deterministic signatures."""
        self._key = SigningKey(seed)
        self._entropy = entropy
        self.public_key = self._key.public_key

    def sign(self, parts: tuple) -> bytes:
        """Returns the 64-byte signature of the message whose buffers are *parts*.

        The nonce is hedged with fresh randomness. With a failed random source the signature is
        the deterministic one of RFC 8032, which needs none: evidence does not stop for it.
        """
        return bytes(self._key.sign(parts, self._hedge()))

    def wipe(self):
        """Erases the private key from RAM, before its successor takes over."""
        self._key.wipe()

    def _hedge(self):
        if self._entropy is None:
            return None
        try:
            return self._entropy.random(32)
        except EntropyError:
            return None
