# SPDX-License-Identifier: MIT
"""What stands in the place of the tag's signer: no key, no answer yet, or a second look."""

from micropython import const

from .keystore import KeyStoreError

_SIGN_TRIES = const(2)
_UNSIGNED = bytes(64)


class LostSigner:
    """In the place of a lost key: its records are of kind 6, and prove nothing."""

    public_key = None

    def __init__(self, algorithm):
        self.algorithm = algorithm

    def sign(self, parts) -> bytes:
        """Returns the 64 zero bytes that stand for no signature."""
        return _UNSIGNED

    def wipe(self) -> None:
        """There is nothing to wipe."""


class VerifiedSigner:
    """Verifies what *signer* signs before anybody gets it."""

    def __init__(self, keys, signer):
        self._keys = keys
        self._signer = signer
        self.algorithm = signer.algorithm
        self.public_key = signer.public_key

    def sign(self, parts) -> bytes:
        """Returns a signature that holds. Raises KeyStoreError if two tries give none."""
        for _ in range(_SIGN_TRIES):
            signature = self._signer.sign(parts)
            if self._keys.verify(self.public_key, signature, parts):
                return signature
        raise KeyStoreError("signature wrong")


class HaltedSigner:
    """While it is unknown which key the log names: nothing may be sealed."""

    def __init__(self, signer):
        self.algorithm = signer.algorithm
        self.public_key = signer.public_key

    def sign(self, parts):
        """Raises OSError (EIO): as flash that does not answer."""
        raise OSError(5)

    def wipe(self):
        """It has no key of its own."""
