# SPDX-License-Identifier: MIT
"""firmware/streamer.py with the smallest MTU there is."""

import sys

_FOLDER = sys.argv[1].rsplit("/", 1)[0] if len(sys.argv) > 1 else "."
with open(_FOLDER + "/streamer.py") as script:
    source = script.read().replace("MTU = 247", "MTU = 23").replace('"STREAM"', '"MTU23"')
exec(compile(source, "streamer.py", "exec"), {"__name__": "__main__"})
