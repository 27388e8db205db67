# SPDX-License-Identifier: MIT
"""`service cert` says when the new certificate ends before the one it replaces."""

import pytest

from sealtrail import cli
from tests.fakes.command_line import home

__all__ = ["home"]


def test_a_shorter_term_is_said_in_one_line_and_a_longer_one_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["fleet", "init", "Example"]) == 0
    assert cli.main(["service", "cert", "--days", "90"]) == 0
    assert "shorter term" not in capsys.readouterr().err
    assert cli.main(["service", "cert", "--days", "1"]) == 0
    assert capsys.readouterr().err.count("that is a shorter term than before") == 1
    assert cli.main(["service", "cert", "--days", "90"]) == 0
    assert "shorter term" not in capsys.readouterr().err
