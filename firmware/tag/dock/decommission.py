# SPDX-License-Identifier: MIT
"""The end of an enrolment (K5): a signed farewell, then no secret is left on the tag.

    open block sealed -> farewell record (kind 5) -> both seeds -> access key and the rest

The farewell is the one step that decides. A cut before it leaves a tag that runs on; a cut
behind it leaves one that every boot goes on erasing (`complete`), and that never runs its log
again. Certificate and records stay for the host to read, until it orders the purge.
"""

from sealwire import labels, record

from ..keys.keyroll import write_verified
from ..store import statestore

# Values of statestore.ENDED.
_ASKED = b"\x00"
_DONE = b"\x01"


def is_ended(records) -> bool:
    """Whether the newest record is a farewell."""
    if records.head_seq < 0:
        return False
    return record.head_of(records.read(records.head_seq))[1] == labels.KIND_END


def end(storage, keys, recorder, up_ms: int, utc) -> None:
    """Seals what is open, then the farewell, then erases. *recorder* has begun.

    Returns when no secret is left. Raises RingFull, KeyStoreError or OSError: before the
    farewell nothing has happened, behind it the next `complete` goes on.
    """
    if not recorder.seal_open_block(True):
        raise OSError(28)  # the journal's content fits no record: ENOSPC
    storage.state.put(statestore.ENDED, _ASKED)
    # A cut here: the next boot takes the order back (`take_back`).
    write_verified(keys, recorder.sealer, labels.KIND_END, up_ms, utc)
    # A cut here: the boot sees the farewell and does the rest.
    recorder.sealer.signer.wipe()
    complete(storage, keys)


def take_back(storage) -> None:
    """At the boot of a living tag: an end that was cut before its farewell never comes.

    A farewell whose bits come late would cut off what the tag has logged meanwhile.
    """
    if storage.state.get(statestore.ENDED) is not None:
        storage.records.settle()
        storage.state.delete(statestore.ENDED)


def complete(storage, keys) -> None:
    """Erases the secrets of a tag whose log has ended. Idempotent; nothing to do costs a read.

    First the seeds, so that nothing can be signed behind the farewell; then access key,
    visitors and settings, also where they lie overwritten.
    """
    if not is_ended(storage.records) or storage.state.get(statestore.ENDED) == _DONE:
        return
    keys.erase_all()
    # A cut from here on: some values are gone, the next boot deletes and scrubs again.
    storage.state.delete_all_but_certificate()
    storage.state.scrub()
    storage.state.put(statestore.ENDED, _DONE)


def purge(storage) -> None:
    """Erases the log and what is left in the state store.

    The certificate goes first: a cut inside leaves a tag that is not enrolled, and whose
    log nobody takes for a living one.
    """
    storage.state.delete(statestore.CERTIFICATE)
    storage.state.wipe()
    storage.format_log()
