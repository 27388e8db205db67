# SPDX-License-Identifier: MIT
"""The Web Bluetooth link over a device that can go wrong; no browser takes part."""

from tests.web.node import run_node


def test_the_link_gives_whole_messages_in_order_and_bounded_waits():
    assert run_node("web_link.mjs").splitlines()[-1] == "checks 9"
