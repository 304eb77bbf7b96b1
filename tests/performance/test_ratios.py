"""Our figures against two libraries of the field, and what they say where there is nothing to say."""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance import ratios
from rebalancer.performance.returns import EquityDay, daily_returns, drawdowns, growth, money_weighted, total_return

D = Decimal
DAY = date(2024, 1, 2)

SERIES = {
    "calm": np.random.default_rng(1).normal(0.0004, 0.008, 756),
    "wild": np.random.default_rng(2).normal(-0.001, 0.04, 300),
    "short": np.array([0.01, -0.02, 0.005]),
    "rising": np.abs(np.random.default_rng(3).normal(0.001, 0.001, 60)) * np.where(np.arange(60) == 17, -1, 1),
}
MARKET = {name: np.random.default_rng(9).normal(0.0003, 0.01, series.size) for name, series in SERIES.items()}


@pytest.mark.parametrize("name", SERIES)
def test_against_empyrical(name: str) -> None:
    empyrical = pytest.importorskip("empyrical")
    r, m = SERIES[name], MARKET[name]
    pairs = {
        "total": (total_return(r), empyrical.cum_returns_final(r)),
        "annual": (ratios.annual_return(r), empyrical.annual_return(r)),
        "volatility": (ratios.volatility(r), empyrical.annual_volatility(r)),
        "sharpe": (ratios.sharpe(r, 0.02), empyrical.sharpe_ratio(r, 0.02 / 252)),
        "sortino": (ratios.sortino(r, 0.02), empyrical.sortino_ratio(r, 0.02 / 252)),
        "drawdown": (ratios.max_drawdown(r), empyrical.max_drawdown(r)),
        "calmar": (ratios.calmar(r), empyrical.calmar_ratio(r)),
        "var": (ratios.value_at_risk(r), empyrical.value_at_risk(r)),
        "cvar": (ratios.expected_shortfall(r), empyrical.conditional_value_at_risk(r)),
        "beta": (ratios.beta(r, m), empyrical.beta(r, m)),
        "alpha": (ratios.alpha(r, m, 0.02), empyrical.alpha(r, m, 0.02 / 252)),
    }
    for figure, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(float(theirs), abs=1e-9, rel=1e-9), figure


@pytest.mark.parametrize("name", SERIES)
def test_against_quantstats(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        quantstats = pytest.importorskip("quantstats")
        import pandas as pd

        r = SERIES[name]
        series = pd.Series(r, index=pd.bdate_range(DAY, periods=r.size))
        pairs = {
            "total": (total_return(r), quantstats.stats.comp(series)),
            "volatility": (ratios.volatility(r), quantstats.stats.volatility(series)),
            "sharpe": (ratios.sharpe(r), quantstats.stats.sharpe(series)),
            "sortino": (ratios.sortino(r), quantstats.stats.sortino(series)),
            "drawdown": (ratios.max_drawdown(r), quantstats.stats.max_drawdown(series)),
        }
    for figure, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(float(theirs), abs=1e-9, rel=1e-9), figure


# Stored from both libraries, so that the check bites where they are not installed: sharpe, sortino, calmar, volatility.
STORED = {
    "calm": (-0.13113361423270095, -0.18312003868708798, -0.11154456629393754, 0.1241822469219794),
    "wild": (-1.2243024848241566, -1.6418481040095638, -0.852505644622638, 0.6463614662432815),
}


@pytest.mark.parametrize("name", STORED)
def test_against_figures_stored_from_them(name: str) -> None:
    r = SERIES[name]
    ours = (ratios.sharpe(r), ratios.sortino(r), ratios.calmar(r), ratios.volatility(r))
    assert ours == pytest.approx(STORED[name], abs=1e-9)


EMPTY, ONE, FLAT = np.array([]), np.array([0.01]), np.zeros(20)


def test_what_cannot_be_said_is_none_and_never_infinite() -> None:
    assert [f(EMPTY) for f in (ratios.volatility, ratios.sharpe, ratios.sortino, ratios.calmar)] == [None] * 4
    assert [f(EMPTY) for f in (ratios.annual_return, ratios.max_drawdown, total_return, ratios.value_at_risk)] == [
        None
    ] * 4
    assert [f(ONE) for f in (ratios.volatility, ratios.sharpe, ratios.sortino, ratios.calmar)] == [None] * 4
    assert [f(FLAT) for f in (ratios.sharpe, ratios.sortino, ratios.calmar)] == [None] * 3
    assert ratios.beta(FLAT, FLAT) is ratios.beta(ONE, FLAT) is ratios.alpha(FLAT, FLAT) is None
    assert ratios.annual_return(np.array([-1.0, 0.5])) == -1.0
    assert ratios.rolling(SERIES["short"], 20) == ((None,) * 3, (None,) * 3)


def test_rolling_figures_are_those_of_their_window() -> None:
    r = SERIES["calm"][:50]
    volatility, sharpe = ratios.rolling(r, 20)
    assert volatility[:19] == sharpe[:19] == (None,) * 19
    assert volatility[30] == ratios.volatility(r[11:31])
    assert sharpe[49] == ratios.sharpe(r[30:50])


returns = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=60)


@given(returns, st.lists(st.integers(-5_000, 20_000), min_size=60, max_size=60))
def test_deposits_and_withdrawals_change_no_time_weighted_return(moves: list[float], flows: list[int]) -> None:
    """A flow at a day's beginning takes part in the day: the account moves with everything that is in it."""
    equity, days = D(100_000), []
    for number, (move, flow) in enumerate(zip(moves, flows, strict=False)):
        before = equity
        gained = before * D(repr(move))
        equity = before + gained + flow
        days.append(EquityDay(DAY + timedelta(days=number), equity, D(flow)))
        if equity <= 1_000:
            return
    assert daily_returns(D(100_000), days) == pytest.approx(moves, abs=1e-12)


@given(returns)
def test_growth_and_drawdowns_belong_together(moves: list[float]) -> None:
    r = np.array(moves)
    path, down = growth(r), drawdowns(r)
    assert total_return(r) == pytest.approx(path[-1] - 1)
    assert np.all(down <= 1e-15)
    assert np.all(down >= -1)
    peaks = np.maximum.accumulate(np.maximum(path, 1.0))
    assert np.allclose(peaks * (1 + down), path)


@given(st.floats(-0.5, 2.0), st.lists(st.tuples(st.integers(1, 300), st.integers(-20_000, 50_000)), max_size=5))
def test_money_weighted_finds_the_rate_that_everything_grew_at(rate: float, payments: list[tuple[int, int]]) -> None:
    flows = dict(sorted(payments))
    worth, days = 100_000.0, [EquityDay(DAY, D(100_000), D(0))]
    for number in range(1, 365):
        flow = flows.get(number, 0)
        days.append(EquityDay(DAY + timedelta(days=number), D(0), D(flow)))
    total = sum(
        amount * (1 + rate) ** ((365 - at) / 365)
        for at, amount in [(0, worth), *((d, float(a)) for d, a in flows.items())]
    )
    if total <= 1:
        return
    days[-1] = days[-1]._replace(equity=D(repr(total)))
    found = money_weighted(D(100_000), days)
    if all(amount >= 0 for amount in flows.values()):
        assert found == pytest.approx(rate, abs=1e-6)


def test_money_weighted_says_nothing_where_there_is_nothing() -> None:
    assert money_weighted(D(0), []) is None
    assert money_weighted(D(0), [EquityDay(DAY, D(0), D(0)), EquityDay(DAY + timedelta(days=1), D(0), D(0))]) is None


def test_an_account_that_begins_empty_has_no_return_on_its_first_deposit() -> None:
    days = [EquityDay(DAY, D(1000), D(1000)), EquityDay(DAY + timedelta(days=1), D(1010), D(0))]
    assert daily_returns(D(0), days) == pytest.approx([0.0, 0.01])
