# SPDX-License-Identifier: MIT
"""Key store with Ed25519 seeds in two flash sectors (rules K2 and K3).

Each new seed mixes fresh randomness with the one in force, so the host's contribution at
enrolment lives on in every epoch, and a random source that fails later makes no key that
can be guessed. The hash between them runs one way: the new seed does not give the old one.
"""

from sealwire import labels

from ..store.keyslots import KeySlotError
from .keystore import KeyStoreError

_HOST_SIZE = 32
# Random bytes repeat, but 32 of them do not take fewer values than this (2**-130).
_HOST_VALUES_MIN = 8


class SeedKeys:
    """Seeds in *slots* (keyslots.KeySlots). *make_signer(seed)*: another library, in tests."""

    algorithm = labels.ALG_EDDSA
    waste_fault = ""  # a roll whose old seed is not erased is not settled: it says so itself

    def __init__(self, slots, entropy, make_signer=None, verify=None):
        self._slots = slots
        self._entropy = entropy
        self._make_signer = make_signer or self._software_signer
        self._verify = verify

    def create(self, host_bytes) -> bytes:
        """Makes and commits the first seed; returns its public key.

        Needs 32 random bytes of the host (ValueError) and a healthy source (EntropyError).
        Raises KeyStoreError if there is a key. A cut leaves no key, or this one.
        """
        if len(host_bytes) != _HOST_SIZE or len(set(host_bytes)) < _HOST_VALUES_MIN:
            raise ValueError("host entropy")
        if self._slots.active() is not None:
            raise KeyStoreError("a key is there")
        seed = self._entropy.seed(host_bytes)
        self._slots.store_first(seed)
        return self._public_key_of(seed)

    def holds(self, public_key) -> bool:
        """Whether `recover` will find the signer of *public_key*. Changes nothing."""
        seed = self._slots.expected(public_key, self._public_key_of)
        return seed is not None and self._public_key_of(seed) == public_key

    def recover(self, newest_public_key):
        """Returns the signer of *newest_public_key* (K3), or None if no seed belongs to it.

        None as argument: whatever finished seed is there. Idempotent; a cut inside leaves a
        state that the next call completes.
        """
        active = self._slots.recover(newest_public_key, self._public_key_of)
        if active is None:
            return None
        signer = self._make_signer(active[1])
        if newest_public_key is not None and signer.public_key != newest_public_key:
            signer.wipe()
            return None
        return signer

    def begin(self, epoch: int) -> bytes:
        """K2 step 1: commits the seed of *epoch* beside the one in force; its public key."""
        active = self._slots.active()
        if active is None:
            raise KeyStoreError("no key")
        seed = self._entropy.seed(active[1])
        self._step(self._slots.begin, epoch, seed)
        return self._public_key_of(seed)

    def finish(self):
        """K2 steps 3 and 4, once the key-epoch record is durable and verified: the signer."""
        self._step(self._slots.finish)
        return self._make_signer(self._slots.active()[1])

    def erase_all(self) -> None:
        """Zeroes and erases both seeds. A cut inside: call it again."""
        self._slots.erase_all()

    def verify(self, public_key, signature, parts) -> bool:
        """Whether *signature* over *parts* holds under *public_key*."""
        if self._verify is None:
            from ..ed25519.sign import verify

            self._verify = verify
        return self._verify(public_key, signature, parts)

    def _step(self, act, *args):
        try:
            act(*args)
        except KeySlotError as e:
            raise KeyStoreError(e.args[0])

    def _software_signer(self, seed):
        from .signer import SoftwareSigner

        return SoftwareSigner(seed, self._entropy)

    def _public_key_of(self, seed):
        signer = self._make_signer(seed)
        public_key = signer.public_key
        signer.wipe()
        return public_key
