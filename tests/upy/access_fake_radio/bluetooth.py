# SPDX-License-Identifier: MIT
"""As much of the `bluetooth` module as firmware needs beside the fake aioble."""


class UUID:
    def __init__(self, value):
        self.value = value
