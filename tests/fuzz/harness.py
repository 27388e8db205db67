# SPDX-License-Identifier: MIT
"""Coverage-guided fuzzing (atheris) of tests/fuzz/targets.py.

    python tests/fuzz/harness.py CORPUS_FOLDER -runs=10000

At an exception that is not promised atheris prints it, keeps the input in the current
folder, and the process ends with it.
"""

import sys
from pathlib import Path

import atheris

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "host_tools"), str(REPO / "firmware")]

with atheris.instrument_imports(include=["sealwire", "tag", "sealtrail"]):
    from tests.fuzz import targets


def main() -> None:
    """Writes the seeds into the corpus and fuzzes; never returns."""
    folder = Path(sys.argv[1])
    for number, seed in enumerate(targets.seeds()):
        (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, targets.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
