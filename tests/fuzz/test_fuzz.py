# SPDX-License-Identifier: MIT
"""Whatever bytes come, each parser raises what it promises, and nothing else."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import targets
from tests.paths import REPO

HARNESS = REPO / "tests" / "fuzz" / "harness.py"
SEEDS = targets.seeds()
RUNS = 120_000


@given(st.integers(0, len(targets.TARGETS) - 1), st.binary(max_size=300))
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_taken_or_refused_by_name(kind, content):
    targets.one(bytes((kind,)) + content)


@given(st.sampled_from(SEEDS), st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_nearly_well_formed_is_taken_or_refused_by_name(seed, data):
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(1, len(changed) - 1))] = data.draw(st.integers(0, 255))
    targets.one(bytes(changed))


def test_the_seeds_reach_every_parser():
    assert {seed[0] for seed in SEEDS} == set(range(len(targets.TARGETS)))


def test_an_exception_that_is_not_promised_comes_out(monkeypatch):
    def broken(data):
        raise IndexError

    monkeypatch.setattr(targets, "TARGETS", ((broken, (ValueError,)),))
    with pytest.raises(IndexError):
        targets.one(b"ab")


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="atheris is not installed")
def test_a_hundred_thousand_guided_inputs_raise_nothing_unexpected(tmp_path: Path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    done = subprocess.run(
        [sys.executable, HARNESS, corpus, f"-runs={RUNS}", "-max_len=2000", "-len_control=0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
