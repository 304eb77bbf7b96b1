"""`rebalancer backtest` says how far it is, can be interrupted, and says where its time went."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from rebalancer.cli import progress as shown
from rebalancer.cli.sweep import SweepOptions, heard_by_person
from rebalancer.research.sweep.points import PointResult
from tests.cli.conftest import Command


def test_the_words_of_progress() -> None:
    assert shown.progress_text("simulating", 2_000, 19_656, 4.0) == "simulating: 10% of 19,656 bars, about 35 s left"
    assert shown.progress_text("auditing", 200, 200, 9.0) == "auditing: 100% of 200 bars, about 0.00 s left"
    assert shown.progress_text("asking", 3, 12, 2.0, "days") == "asking: 25% of 12 days, about 6.00 s left"


def test_off_a_terminal_points_of_a_sweep_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with heard_by_person(SweepOptions(Path("grid.yaml"), Path("out"))) as heard:
        heard(1, 4, ())
        heard(2, 4, ())  # too soon for a line
        heard(4, 4, ())
    assert capsys.readouterr().err == "1 of 4 points\n4 of 4 points\n"


def test_the_best_is_that_of_all_points(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that were in the folder before count, too."""
    found, new = (cast(PointResult, SimpleNamespace(figures={"sharpe": figure})) for figure in (1.68, 1.4))
    with heard_by_person(SweepOptions(Path("grid.yaml"), Path("out"))) as heard:
        heard(1, 2, (found,))
        heard(2, 2, (new,))
    assert capsys.readouterr().err == "1 of 2 points; best sharpe 1.68\n2 of 2 points; best sharpe 1.68\n"


def files(bars: int = 40) -> None:
    draw = np.random.default_rng(5)
    days = pd.bdate_range("2026-01-02", periods=bars)
    for name, values in (("prices", 50 + draw.random((bars, 2))), ("targets", draw.dirichlet([1, 1], bars))):
        pd.DataFrame(values.round(4), days, ["AAA", "BBB"]).to_csv(f"{name}.csv", index_label="date")


WORDS = ("backtest", "--prices", "prices.csv", "--targets", "targets.csv", "--out", "out", "--json")


def test_a_long_run_says_what_is_left(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(shown, "EVERY_SECONDS", {True: 0.0, False: 0.0})
    files()
    said = command(*WORDS)
    assert said.code == 0, said.err
    lines = said.err.splitlines()
    assert lines[0].startswith("simulating: 40% of 40 bars, about ")
    assert any(line.startswith("auditing: 100% of 40 bars") for line in lines)
    assert json.loads(said.out)["bars"] == 40


def test_interrupted_within_the_loop_it_writes_nothing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return ""

    monkeypatch.setattr(shown, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(shown, "EVERY_SECONDS", {True: 0.0, False: 0.0})
    monkeypatch.setattr(shown, "progress_text", interrupt)
    files()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # workers of the test runner ignore it
    try:
        said = command(*WORDS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (said.code, said.out, said.err.strip()) == (130, "", "interrupted: nothing was written")
    assert not Path("out").exists()


def test_a_profile_says_where_the_time_went(command: Command) -> None:
    import pstats

    files()
    assert command(*WORDS, "--profile-to", "run.prof").code == 0
    names = {function for _, _, function in pstats.Stats("run.prof").stats}  # type: ignore[attr-defined]
    assert {"run_backtest", "simulated", "audited"} <= names
