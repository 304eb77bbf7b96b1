"""Deflated Sharpe ratio, overfitting and minimum length: the papers' figures, laws, and three other libraries."""

from __future__ import annotations

import math
from typing import Any

import holdout
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import rebalancer.research as public
from rebalancer.research.overfitting import (
    ReturnMoments,
    cscv,
    deflated_sharpe,
    expected_max_sharpe,
    min_backtest_years,
    moments_of,
    pbo,
    probabilistic_sharpe,
    trials_carried,
)


@pytest.fixture(scope="module")
def purgedcv() -> Any:
    return pytest.importorskip("purgedcv")


def test_the_example_of_the_paper() -> None:
    """Bailey and Lopez de Prado 2014: 2.5 a year over 1,250 days, the best of 100 trials, with fat tails."""
    variance = 0.5 / 250
    found = deflated_sharpe(2.5 / math.sqrt(250), 1250, 100, variance, skew=-3, kurtosis=10)
    assert (round(expected_max_sharpe(100, variance), 4), round(found, 4)) == (0.1132, 0.9004)


def test_the_years_that_trials_need() -> None:
    found = {trials: round(min_backtest_years(trials), 1) for trials in (1, 7, 10, 45, 100, 1000, 10_000)}
    assert found == {1: 0.0, 7: 1.9, 10: 2.5, 45: 5.0, 100: 6.4, 1000: 10.6, 10_000: 14.9}
    assert (trials_carried(1.0), trials_carried(5.0), trials_carried(0.0)) == (3, 45, 1)
    assert min_backtest_years(10, 2.0) == pytest.approx(min_backtest_years(10) / 4)


@given(st.integers(1, 10**9))
def test_what_is_carried_is_the_inverse(trials: int) -> None:
    assert trials_carried(min_backtest_years(trials)) >= trials
    assert trials_carried(min_backtest_years(trials + 1) - 1e-9) <= trials


def test_public_names() -> None:
    assert sorted(name for name in public.__all__) == sorted(
        ["cscv", "deflated_sharpe", "expected_max_sharpe", "min_backtest_years", "pbo", "probabilistic_sharpe"]
    )
    assert (public.pbo, public.deflated_sharpe, public.min_backtest_years) == (pbo, deflated_sharpe, min_backtest_years)


@given(
    st.floats(-0.2, 0.3), st.integers(10, 3000), st.integers(1, 10_000), st.floats(1e-6, 0.01), st.floats(-2, 1),
    st.floats(6, 12),
)  # fmt: skip
def test_deflation_agrees_with_both_libraries(
    purgedcv: Any, sharpe: float, days: int, trials: int, variance: float, skew: float, kurtosis: float
) -> None:
    found = deflated_sharpe(sharpe, days, trials, variance, skew=skew, kurtosis=kurtosis)
    other = holdout.deflated_sharpe_ratio(
        sharpe, days, n_trials=trials, trials_variance=variance, skewness=skew, kurtosis=kurtosis
    )
    assert found == pytest.approx(other, abs=1e-12)
    assert min_backtest_years(trials) == pytest.approx(purgedcv.minimum_backtest_length(trials), abs=1e-9)


def test_a_series_of_returns_agrees_with_purgedcv(purgedcv: Any) -> None:
    """It corrects skewness and kurtosis for the size of the sample, and not the deviation."""
    draw = np.random.default_rng(3)
    returns = 0.001 + 0.01 * draw.standard_t(5, 750)
    sharpe = float(returns.mean() / returns.std())
    skew, kurtosis = float(stats.skew(returns, bias=False)), float(stats.kurtosis(returns, bias=False, fisher=False))
    found = deflated_sharpe(sharpe, 750, 40, 0.0004, skew=skew, kurtosis=kurtosis)
    assert found == pytest.approx(purgedcv.deflated_sharpe_ratio(returns, n_trials=40, var_sharpe=0.0004), abs=1e-9)
    own = moments_of(returns)
    assert own.sharpe == pytest.approx(sharpe, rel=1e-3)
    assert (own.skew, own.kurtosis) == pytest.approx((stats.skew(returns), stats.kurtosis(returns, fisher=False)))


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.integers(2, 9), st.sampled_from([4, 6]), st.integers(40, 99))
def test_overfitting_agrees_with_both_libraries(purgedcv: Any, seed: int, trials: int, blocks: int, days: int) -> None:
    draw = np.random.default_rng(seed)
    matrix = draw.normal(draw.normal(0, 0.1, trials), 1, (days, trials))
    found = cscv(matrix, blocks)
    one = purgedcv.probability_of_backtest_overfitting(matrix.T, n_splits=blocks)
    two = holdout.probability_of_backtest_overfitting(matrix, n_blocks=blocks)
    assert (found.pbo, found.splits) == (two.pbo, math.comb(blocks, blocks // 2))
    assert found.slope == pytest.approx(one.slope, abs=1e-9)
    assert found.loss == pytest.approx(float(np.mean(two.out_of_sample < 0)))
    assert one.pbo <= found.pbo  # it does not count the middle rank


def test_sixteen_blocks_of_noise_and_of_skill() -> None:
    draw = np.random.default_rng(5)
    noise = draw.normal(0, 0.01, (512, 30))
    skill = noise + np.where(np.arange(30) == 7, 0.003, 0.0)
    found = cscv(noise)
    assert (found.splits, round(found.pbo, 2)) == (12_870, round(pbo(noise), 2))
    assert pbo(noise) > 0.2
    assert pbo(skill) < 0.02


@given(st.integers(0, 2**32), st.integers(2, 6))
@settings(max_examples=20)
def test_the_order_of_trials_changes_nothing(seed: int, trials: int) -> None:
    draw = np.random.default_rng(seed)
    matrix = draw.normal(0, 1, (40, trials))
    other = matrix[:, draw.permutation(trials)]
    assert cscv(matrix, 6) == pytest.approx(cscv(other, 6))


def test_returns_that_do_not_vary() -> None:
    assert moments_of([0.01] * 5) == ReturnMoments(0.0, 0.0, 3.0, 5)
    assert 0 <= pbo(np.zeros((40, 3)), 4) <= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: min_backtest_years(0), "at least 1"),
        (lambda: pbo(np.zeros((100, 1))), "two trials"),
        (lambda: pbo(np.zeros((100, 3)), 5), "even"),
        (lambda: pbo(np.zeros((20, 3)), 16), "two a block"),
        (lambda: pbo(np.full((100, 3), np.nan)), "finite"),
        (lambda: probabilistic_sharpe(0.1, 1), "needs 2"),
        (lambda: probabilistic_sharpe(0.1, 10, skew=3, kurtosis=3), "no returns have"),
        (lambda: min_backtest_years(3, 0), "above 0"),
    ],
)
def test_refusals(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_frames_are_taken() -> None:
    draw = np.random.default_rng(1)
    frame = pd.DataFrame(draw.normal(0, 1, (64, 3)))
    assert pbo(frame, 4) == pbo(frame.to_numpy(), 4)
