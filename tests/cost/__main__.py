# SPDX-License-Identifier: MIT
"""`python -m tests.cost` prints what signing costs; exits 1 where a limit is passed.

`--functions` adds the calls and instructions of each function of a signature and of a
verification, `--write` renews the table of docs/signing-cost.md. Takes 5 s.
"""

import argparse
import sys

from tests.cost import page
from tests.cost.limits import LIMITS
from tests.cost.machine import Tally
from tests.cost.mpy import ARCHITECTURES
from tests.cost.signing import HEDGE, MESSAGE, SEED, all_counts, make_tag


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("--functions", action="store_true", help="split by function")
    parser.add_argument("--write", action="store_true", help="renew docs/signing-cost.md")
    options = parser.parse_args(arguments)
    counts = all_counts()
    if options.write:
        page.write(counts)
    passed = {key: limit for key, limit in LIMITS.items() if counts[key] > limit}
    for (architecture, name), count in counts.items():
        limit = LIMITS[architecture, name]
        mark = "  ABOVE" if (architecture, name) in passed else ""
        print(f"{architecture:10} {name:24} {count:>12,} / {limit:>12,}{mark}")
    if options.functions:
        for architecture in ARCHITECTURES:
            _print_functions(architecture)
    return 1 if passed else 0


def _print_functions(architecture: str) -> None:
    tag = make_tag(architecture)
    key = tag.sign.SigningKey(SEED)
    signature = key.sign((MESSAGE,), HEDGE)
    _print_split(architecture, "sign", tag.tally_of(lambda: key.sign((MESSAGE,), HEDGE)))
    verify = tag.tally_of(lambda: tag.sign.verify(key.public_key, signature, (MESSAGE,)))
    _print_split(architecture, "verify", verify)


def _print_split(architecture: str, what: str, tally: Tally) -> None:
    print(f"\n{architecture}, {what}: {tally.instruction_count:,}")
    costs = sorted(tally.by_function.items(), key=lambda item: -item[1].instruction_count)
    for name, cost in costs:
        short = name.removeprefix("tag.ed25519.")
        print(f"  {short:28} {cost.call_count:5} calls {cost.instruction_count:>12,}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
