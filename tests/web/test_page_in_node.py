# SPDX-License-Identifier: MIT
"""The page's flow without a browser: courier.js, carry.js, upload.js, receipts.js, enrol.js."""

from tests.web.node import run_node


def test_the_pages_flow_holds_over_fakes():
    assert run_node("page.mjs").splitlines()[-1] == "checks 22"
