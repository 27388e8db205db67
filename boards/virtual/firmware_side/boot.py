# SPDX-License-Identifier: MIT
"""The script that MicroPython is started with; what it leaves behind is the tag's REPL."""

import power_up

power_up.run(globals())
del power_up
