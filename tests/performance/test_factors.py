"""What a book bets on: laws of the regression, and baskets that see nothing of the return that they earn."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.performance.risk.common import common_returns
from rebalancer.performance.risk.factors import NO_SIZES, Bet, Universe, bets

MARKET = "the market"
DAYS = [date(2025, 1, 1) + timedelta(days=n) for n in range(260)]
NAMES = [f"N{n:02d}" for n in range(18)]
SECTORS = {name: ("Technology", "Energy", "Utilities")[n % 3] for n, name in enumerate(NAMES)}
Rows = Mapping[str, np.ndarray]


def world(seed: int) -> dict[str, np.ndarray]:
    """Daily returns of a market and of names with betas and noise of their own."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0003, 0.01, len(DAYS) - 1)
    rows = {
        name: rng.uniform(0.3, 1.7) * market + rng.normal(0, rng.uniform(0.004, 0.03), len(market)) for name in NAMES
    }
    return rows | {MARKET: market}


def courses_of(rows: Rows) -> dict[str, dict[date, float]]:
    return {
        name: dict(zip(DAYS, (100 * np.cumprod([1.0, *(1 + row)])).tolist(), strict=True)) for name, row in rows.items()
    }


def of(rows: Rows, weights: Mapping[str, float], sectors: Mapping[str, str] = SECTORS) -> dict[str, Bet]:
    """The bets by kind, and by name those of sectors."""
    courses = courses_of(rows)
    together = common_returns({name: courses[name] for name in [*weights, MARKET]}, 40, 120)
    universe = Universe({name: courses[name] for name in NAMES}, sectors)
    return {bet.name or bet.kind: bet for bet in bets(weights, together, MARKET, DAYS, universe, 40)}


def held(seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed + 1)
    return {name: float(rng.uniform(-0.2, 0.3)) for name in rng.choice(NAMES, 6, replace=False).tolist()}


seeds = st.integers(0, 10_000)
few = settings(max_examples=15, deadline=None)


@few
@given(seeds, st.floats(-2, 2).filter(lambda share: abs(share) > 0.01))
def test_a_book_that_is_the_market_has_its_beta_and_no_other(seed: int, share: float) -> None:
    rows = world(seed)
    found = of(rows | {"FUND": rows[MARKET]}, {"FUND": share})
    assert found["market"].beta == pytest.approx(share)
    assert found["market"].error == pytest.approx(0, abs=1e-9)
    for kind in ("momentum", "low_volatility"):
        assert found[kind].beta == pytest.approx(0, abs=1e-9)
        assert found[kind].days == 120


@few
@given(seeds, st.floats(-3, 3).filter(lambda by: abs(by) > 0.01))
def test_a_book_of_another_scale_bets_on_that_scale(seed: int, by: float) -> None:
    rows, weights = world(seed), held(seed)
    one, other = of(rows, weights), of(rows, {name: by * weight for name, weight in weights.items()})
    assert [*one] == [*other]
    for name, bet in one.items():
        if bet.beta is not None and bet.error is not None:
            assert other[name].beta == pytest.approx(by * bet.beta, rel=1e-6, abs=1e-9)
            assert other[name].error == pytest.approx(abs(by) * bet.error, rel=1e-6, abs=1e-9)


@few
@given(seeds)
def test_names_of_other_order_bet_the_same(seed: int) -> None:
    rows, weights = world(seed), held(seed)
    assert of(dict(reversed(rows.items())), dict(reversed(weights.items()))) == of(rows, weights)


@few
@given(seeds, st.sampled_from(["momentum", "low_volatility", "Energy"]), st.floats(-1.5, 1.5), st.floats(0.2, 1.5))
def test_a_planted_factor_is_found(seed: int, which: str, beta: float, size: float) -> None:
    rows = world(seed)
    planted = dict(rows)
    planted["FUND"] = beta * rows[MARKET] + size * basket(rows, which)
    found = of(planted, {"FUND": 1.0}, SECTORS | {"FUND": "Energy"})
    assert found[which].beta == pytest.approx(size, rel=1e-6)
    assert found[which].error == pytest.approx(0, abs=1e-6)


def basket(rows: Rows, which: str) -> np.ndarray:
    """The factor's daily returns, computed again name by name."""
    if which == "Energy":
        return np.mean([rows[name] for name in NAMES if SECTORS[name] == "Energy"], axis=0) - rows[MARKET]
    closes = {name: np.cumprod([1.0, *(1 + rows[name])]) for name in NAMES}
    found = np.zeros(len(DAYS) - 1)
    for step in range(130, len(found)):
        measure = {
            name: closes[name][step - 21] / closes[name][step - 126]
            if which == "momentum"
            else -float(np.std(rows[name][step - 60 : step]))
            for name in NAMES
        }
        ranked = sorted(NAMES, key=lambda name: measure[name])
        found[step] = np.mean([rows[n][step] for n in ranked[-6:]]) - np.mean([rows[n][step] for n in ranked[:6]])
    return found


@few
@given(seeds)
def test_the_error_is_that_of_least_squares(seed: int) -> None:
    rows, weights = world(seed), held(seed)
    book = sum(weight * rows[name] for name, weight in weights.items())[-120:]
    columns = np.column_stack([np.ones(120), rows[MARKET][-120:], basket(rows, "momentum")[-120:]])
    coefficients, (rest,), *_ = np.linalg.lstsq(columns, book, rcond=None)
    covariance = np.linalg.inv(columns.T @ columns) * rest / (120 - 3)
    found = of(rows, weights)["momentum"]
    assert found.beta == pytest.approx(coefficients[2], rel=1e-6, abs=1e-12)
    assert found.error == pytest.approx(covariance[2, 2] ** 0.5, rel=1e-6)


def test_what_is_not_known_says_why() -> None:
    rows = world(1)
    courses = {name: {day: close for day, close in course.items() if day >= DAYS[-100]}
               for name, course in courses_of(rows).items()}  # fmt: skip
    together = common_returns({name: courses[name] for name in ("N00", MARKET)}, 40, 120)
    young = Universe({name: courses[name] for name in NAMES}, {"N00": "Technology"})
    found = bets({"N00": 0.5}, together, MARKET, DAYS[-100:], young, 40)
    assert found[0].days == 99
    assert found[1:] == (
        Bet("sector", "Technology", days=0, because="needs 3 names of this sector, has 1"),
        Bet("momentum", days=0, because="needs 40 days, has 0"),
        Bet("low_volatility", days=39, because="needs 40 days, has 39"),
        Bet("size", because=NO_SIZES),
    )
    small = Universe({"N00": courses["N00"]}, {})
    assert bets({"N00": 0.5}, together, MARKET, DAYS[-100:], small, 40)[1:] == (
        Bet("momentum", days=0, because="needs 9 names, has 1"),
        Bet("low_volatility", days=0, because="needs 9 names, has 1"),
        Bet("size", because=NO_SIZES),
    )


def test_a_market_that_does_not_move_says_so() -> None:
    rows = world(2)
    found = of(rows | {MARKET: np.zeros(len(DAYS) - 1)}, {"N00": 1.0})
    assert (found["market"].beta, found["market"].because) == (None, "its closes do not move")
