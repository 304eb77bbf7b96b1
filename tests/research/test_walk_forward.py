"""Walk-forward: splits as skfolio makes them, no leakage, choices, stability and decay."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV
from skfolio.model_selection import WalkForward as SkfolioWalkForward

from rebalancer.research.purged_splits import combinatorial_splits, paths_of, walk_forward_splits
from rebalancer.research.sweep.points import PointResult
from rebalancer.research.trial_ledger import TrialKey, read_trials
from rebalancer.research.walk_forward import KeyStability, walked
from tests.cli.conftest import Command, command, project  # noqa: F401
from tests.research.sweep.test_sweep import files

AT = datetime(2026, 11, 20, tzinfo=UTC)


@given(st.integers(8, 120), st.integers(2, 20), st.integers(1, 10), st.integers(0, 5), st.booleans())
def test_windows_are_those_of_skfolio(days: int, train: int, test: int, purge: int, anchored: bool) -> None:
    if train + purge + test > days:
        with pytest.raises(ValueError, match="days there are"):
            list(walk_forward_splits(days, train, test, purge=purge))
        return
    found = list(walk_forward_splits(days, train, test, purge=purge, anchored=anchored))
    other = SkfolioWalkForward(test_size=test, train_size=train, purged_size=purge, expand_train=anchored)
    expected = list(other.split(np.zeros((days, 1))))
    assert [(one.train.tolist(), one.test.tolist()) for one in found] == [
        (first.tolist(), second.tolist()) for first, second in expected
    ]


@given(st.integers(40, 90), st.integers(3, 7), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=40)
def test_combinations_hold_no_more_than_skfolio_allows(
    days: int, groups: int, tests: int, purge: int, embargo: int
) -> None:
    if tests >= groups or tests < 2 or purge + embargo >= days // groups - 1:  # it refuses these
        return
    found = list(combinatorial_splits(days - days % groups, groups, tests, purge=purge, embargo=embargo))
    other = CombinatorialPurgedCV(n_folds=groups, n_test_folds=tests, purged_size=purge, embargo_size=embargo)
    expected = list(other.split(np.zeros((days - days % groups, 1))))
    assert len(found) == len(expected)
    assert paths_of(groups, tests) == other.n_test_paths
    for one, (train, test) in zip(found, expected, strict=True):
        assert one.test.tolist() == np.concatenate(test).tolist()
        assert set(one.train.tolist()) == set(train.tolist())


@given(st.integers(30, 100), st.integers(3, 12), st.integers(1, 6), st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_no_training_day_touches_a_test_window(
    days: int, train: int, test: int, purge: int, embargo: int, anchored: bool
) -> None:
    earlier: list[int] = []
    for one in walk_forward_splits(days, train, test, purge=purge, embargo=embargo, anchored=anchored):
        assert one.train.max(initial=-1) + purge < one.test.min()
        for end in earlier:
            assert not set(range(end, end + embargo)) & set(one.train.tolist())
        earlier.append(int(one.test[-1]) + 1)


def result(name: float, returns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> PointResult:
    days = (date(2026, 1, 1), date(2026, 1, 1) + timedelta(len(returns) - 1), len(returns))
    return PointResult({"a.b": name}, TrialKey(f"{name}", "d", "c"), AT, days, tuple(returns.tolist()))


def test_choices_decay_and_stability() -> None:
    draw = np.random.default_rng(3)
    noise = draw.normal(0, 0.01, (120, 3))
    noise[:60, 0] += 0.02  # the first is best in the first half, the second in the other
    noise[60:, 1] += 0.02
    days = [date(2026, 1, 1) + timedelta(n) for n in range(120)]
    found = walked([result(n, noise[:, n]) for n in range(3)], days, list(walk_forward_splits(120, 30, 15, purge=1)))
    assert [fold.chosen.keys["a.b"] for fold in found.folds] == [0, 0, 0, 1, 1]
    assert [fold.rank for fold in found.folds][:1] == [1]
    assert found.stability == (KeyStability("a.b", 2, 1, "0", 0.6),)
    assert found.kept is not None
    assert found.kept == pytest.approx((found.outside or 0) / (found.inside or 1))
    assert found.returns[:15] == pytest.approx(noise[31:46, 0])
    assert found.days == tuple(days[31:106])
    assert found.document()["decay"]["kept"] == found.kept
    assert found.equity_csv().splitlines()[1].startswith("2026-02-01,")
    with pytest.raises(ValueError, match="other days"):
        walked([], days, [])


def test_the_future_changes_no_earlier_choice() -> None:
    draw = np.random.default_rng(4)
    one = draw.normal(0, 0.01, (100, 4))
    other = one.copy()
    other[70:] = draw.normal(0, 0.05, (30, 4))
    days = [date(2026, 1, 1) + timedelta(n) for n in range(100)]
    splits = list(walk_forward_splits(100, 30, 10))
    first, second = (walked([result(n, m[:, n]) for n in range(4)], days, splits) for m in (one, other))
    assert [f.chosen.keys for f in first.folds[:4]] == [f.chosen.keys for f in second.folds[:4]]
    assert np.array_equal(first.returns[:40], second.returns[:40])


def test_the_command(command: Command) -> None:  # noqa: F811
    files(Path(), days=60)
    words = ("walk-forward", "--grid", "grid.yaml", "--out", "out", "--ledger", "trials.jsonl", "--train", "25",
             "--test", "10", "--embargo", "2")  # fmt: skip
    said = command(*words, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["schema"], found["settings"], len(found["folds"])) == ("rebalancer.walk_forward/1", 12, 3)
    assert found["folds"][0]["train"]["days"] == 25
    assert (found["overfitting"]["trials"], found["combinatorial"]["splits"]) == (13, 15)
    assert read_trials(Path("trials.jsonl")).trials[-1].kind == "walk-forward"
    assert len(Path("out/walk-forward.csv").read_text().splitlines()) == 31
    said = command(*words, "--anchored", "--no-color")
    assert (said.code, "Over 15 combinations of windows" in said.out) == (0, True)
    said = command(*words[:-6], "--train", "90", "--test", "10")
    assert (said.code, "are more than the 60 days" in said.err) == (78, True)
