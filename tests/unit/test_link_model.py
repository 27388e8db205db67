# SPDX-License-Identifier: MIT
"""The goals of a sync hold over the model of connection events that `make bench` shows."""

from tests.bench import link_model


def test_every_row_of_the_matrix_reaches_its_share_and_commands_are_answered_in_time():
    found = link_model.entries()
    shares = found["sync.matrix_worst_share"]
    assert len(shares["rows"]) == 3 * 4 * 4
    assert shares["value"] >= 0.85
    assert all(row["share_of_cap"] <= 1 for row in shares["rows"])
    assert 0 < found["sync.command_latency_ms_p99"]["value"] <= 1000
