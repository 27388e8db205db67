# SPDX-License-Identifier: MIT
"""The limits of the counts: the one table. docs/signing-cost.md shows it, a test compares.

A limit moves down whenever code gets better, and up only with mpy-cross (docs/signing-cost.md,
section 4) or for a reason that its commit states.
"""

from tests.cost.mpy import RV32IMC, XTENSAWIN

LIMITS = {
    (RV32IMC, "field multiply"): 4_100,
    (RV32IMC, "field square"): 2_900,
    (RV32IMC, "SHA-512 block"): 77_200,
    (RV32IMC, "key generation"): 5_300_000,
    (RV32IMC, "sign"): 3_100_000,
    (RV32IMC, "verify"): 12_200_000,
    (RV32IMC, "verify, same key again"): 11_000_000,
    (RV32IMC, "exec bytes"): 18_500,
    (RV32IMC, "boxed integers"): 0,
    (XTENSAWIN, "field multiply"): 4_100,
    (XTENSAWIN, "field square"): 2_900,
    (XTENSAWIN, "SHA-512 block"): 81_000,
    (XTENSAWIN, "key generation"): 5_300_000,
    (XTENSAWIN, "sign"): 3_100_000,
    (XTENSAWIN, "verify"): 12_200_000,
    (XTENSAWIN, "verify, same key again"): 11_000_000,
    (XTENSAWIN, "exec bytes"): 18_500,
    (XTENSAWIN, "boxed integers"): 0,
}
