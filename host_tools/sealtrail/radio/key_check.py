# SPDX-License-Identifier: MIT
"""Is an attestation signed by the tag's key (H5)? Asks the tag for the keys that are missing.

What the tag says is believed as far as its signatures lead from the certificate, and every
loop is bounded. docs/access-protocol.md, section 5.6.
"""

from collections.abc import Awaitable, Callable

from sealtrail.errors import EvidenceRefused, Incomplete
from sealtrail.radio.key_chain import KeyChain, KeysAnswer, NotLinked

# 64 records looked at or one key each: far beyond what a tag's flash holds.
_REQUESTS_MAX = 2048
_EXAMINE = "Sign nothing; have the tag examined."


async def check_attestation(
    chain: KeyChain, signed: bytes, head_seq: int, ask: Callable[[int], Awaitable[bytes]]
) -> None:
    """Returns if the key in force behind *head_seq* has signed *signed*; *chain* has grown.

    *ask(from_seq)* gives the content of one KEYS answer. Raises EvidenceRefused for a false
    attestation or chain, Incomplete where the tag no longer holds what would prove it, and
    what *ask* raises.
    """
    if head_seq < chain.newest_seq:
        raise EvidenceRefused(
            f"the tag's log ends at record {head_seq}, before record {chain.newest_seq},"
            " which it has shown here earlier",
            "It was set back, or it is another tag. " + _EXAMINE,
        )
    if chain.holds(signed, head_seq):
        return
    gap = await _extend(chain, ask)
    if chain.holds(signed, head_seq):
        return
    if gap is None:
        raise EvidenceRefused("the attestation is not signed by this tag's key", _EXAMINE)
    raise _unproven(*gap)


async def _extend(
    chain: KeyChain, ask: Callable[[int], Awaitable[bytes]]
) -> tuple[int, int] | None:
    """Takes every newer key; returns the overwritten stretch (from, to) if there is one."""
    gap = None
    from_seq = chain.newest_seq + 1
    for _ in range(_REQUESTS_MAX):
        answer = KeysAnswer.parse(await ask(from_seq), from_seq)
        if answer.held_seq > from_seq and gap is None:
            gap = (from_seq, answer.held_seq)
        for one in answer.records:
            try:
                chain.take(one)
            except NotLinked as problem:
                if gap is None:
                    raise EvidenceRefused(
                        f"the tag's key record {problem.seq} is not signed by the key before",
                        _EXAMINE,
                    ) from None
                return gap
        if answer.next_seq is None:
            return gap
        if chain.newest_seq >= answer.next_seq:
            raise EvidenceRefused("the tag's answers about its keys go in a circle", _EXAMINE)
        from_seq = answer.next_seq
    raise EvidenceRefused("the tag's answers about its keys do not end", _EXAMINE)


def _unproven(first_seq: int, held_seq: int) -> Incomplete:
    return Incomplete(
        "the tag's attestation cannot be checked: unproven, not forged. The tag has overwritten"
        f" its records {first_seq} to {held_seq - 1}, and with them how its key came about",
        "Nothing was signed. Whoever has synced or visited this tag before can sign.",
    )
