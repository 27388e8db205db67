# SPDX-License-Identifier: MIT
"""The virtual radio: everything between a tag's `bluetooth` module and a BLE client.

    bleak, Chromium -- private D-Bus -- org.bluez facade -- bumble central --+
                                                                            | Air (link layer)
    tag process -- unix socket -- TagPort -- bumble peripheral (one a tag) --+

`python -m boards.virtual.radio --sock PATH` runs it as a process of its own;
`RadioProcess` (runner.py) starts and stops that process for tests and the demo.
"""
