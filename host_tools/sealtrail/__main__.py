# SPDX-License-Identifier: MIT
"""`python -m sealtrail` is the `sealtrail` command."""

import sys

from sealtrail.cli import main

if __name__ == "__main__":
    sys.exit(main())
