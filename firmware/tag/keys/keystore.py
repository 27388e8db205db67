# SPDX-License-Identifier: MIT
"""Where the signing key lives, behind one interface: seeds in flash, or a chip.

A *key store* (seedkeys.SeedKeys, chipkeys.ChipKeys) has

    algorithm                COSE number of its signatures
    create(host_bytes)       makes the key of the first epoch; returns its public key
    waste_fault              why an old key may still be there; "" if none can
    holds(public_key)        whether `recover` will find it; changes nothing
    recover(public_key)      completes what a cut left (K3); the signer of that key, or None
    begin(epoch)             makes the next key beside the one in force; its public key
    finish()                 puts the begun key in force, destroys the old; its signer
    erase_all()              destroys every key
    verify(public_key, signature, parts)    whether a signature of its algorithm holds

and raises KeyStoreError for a step out of order, EntropyError where no key may be made,
OSError where flash or chip failed. A *signer* has algorithm, public_key, sign(parts) and
wipe().
"""


class KeyStoreError(Exception):
    """The step does not fit the state of the keys; args are (reason,)."""


def open_key_store(board, storage, entropy):
    """The chip where the board has one, else seeds in flash."""
    chip = board.secure_element()
    if chip is not None:
        from .chipkeys import ChipKeys

        return ChipKeys(chip)
    from .seedkeys import SeedKeys

    return SeedKeys(storage.key_slots, entropy)
