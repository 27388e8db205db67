# SPDX-License-Identifier: MIT
"""The limits of the counts: the one table. docs/signing-cost.md shows it, a test compares.

A limit moves down whenever code gets better, and up only with mpy-cross (docs/signing-cost.md,
section 4) or for a reason that its commit states.
"""

from tests.cost.mpy import RV32IMC, XTENSAWIN

# No limit may pass these, whatever its commit says.
GOALS = {"sign": 3_450_000, "verify": 12_000_000, "exec bytes": 20_480, "boxed integers": 0}

LIMITS = {
    (RV32IMC, "field multiply"): 4_300,
    (RV32IMC, "field square"): 3_200,
    (RV32IMC, "SHA-512 block"): 70_000,
    (RV32IMC, "key generation"): 2_300_000,
    (RV32IMC, "sign"): 2_600_000,
    (RV32IMC, "verify"): 10_200_000,
    (RV32IMC, "verify, same key again"): 9_100_000,
    (RV32IMC, "exec bytes"): 16_384,
    (RV32IMC, "boxed integers"): 0,
    (RV32IMC, "bytecode bytes"): 6_144,
    (RV32IMC, "constant bytes"): 2_048,
    (RV32IMC, "table bytes"): 15_360,
    (XTENSAWIN, "field multiply"): 4_300,
    (XTENSAWIN, "field square"): 3_200,
    (XTENSAWIN, "SHA-512 block"): 75_000,
    (XTENSAWIN, "key generation"): 2_300_000,
    (XTENSAWIN, "sign"): 2_600_000,
    (XTENSAWIN, "verify"): 10_200_000,
    (XTENSAWIN, "verify, same key again"): 9_100_000,
    (XTENSAWIN, "exec bytes"): 16_384,
    (XTENSAWIN, "boxed integers"): 0,
    (XTENSAWIN, "bytecode bytes"): 6_144,
    (XTENSAWIN, "constant bytes"): 2_048,
    (XTENSAWIN, "table bytes"): 15_360,
}
