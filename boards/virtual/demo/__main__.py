# SPDX-License-Identifier: MIT
"""`python -m boards.virtual.demo`: the teller, and one line when somebody stops it."""

import sys


def main() -> int:
    try:
        # Here and not above: Ctrl-C while the libraries load is a stop like any other.
        from boards.virtual.demo import teller

        return teller.main()
    except KeyboardInterrupt:
        print("\ndemo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
