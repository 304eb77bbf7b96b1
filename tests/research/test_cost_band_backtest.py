"""A backtest with a band by trading costs: the live planner agrees at every bar, compiled and interpreted agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rebalancer.core.facts import TradingCosts
from rebalancer.core.rules import Rules
from rebalancer.research.audit import audited, snapshot_of
from rebalancer.research.market import CostModel, SimulationSetup
from rebalancer.research.simulate import SimulatedRun, simulated
from tests.research.setups import random_market, random_weights, setup_of

BARS = 90


def ruled(**band: Any) -> Rules:
    return Rules.model_validate(
        {
            "position_sizing": {
                "max_order_value": 200_000, "max_trade_size": 200_000,
                "no_trade_band": {"absolute": 0.0, "relative": 0.0, "width": "cost", **band},
            },
            "risk_management": {"max_daily_loss": 1.0, "max_drawdown": 1.0, "max_sector_exposure": 0.5},
            "execution": {"max_orders_per_execution": 100},
        }
    )  # fmt: skip


def setup(half_spread: float, **band: Any) -> SimulationSetup:
    market = random_market(BARS, 12, 4, gaps=0.02)
    drift = np.cumsum(np.random.default_rng(5).normal(0, 0.002, market.close.shape), axis=0)
    value = np.round(np.clip(random_weights(market)[0] + drift, 0, 0.3), 6)
    return setup_of(market, value, preset=None, rules=ruled(**band), costs=CostModel(half_spread))


def run(half_spread: float, *, interpreted: bool = True, **band: Any) -> SimulatedRun:
    return simulated(setup(half_spread, **band), interpreted=interpreted)


@pytest.mark.parametrize("to", ["centre", "edge"])
def test_the_live_planner_decides_the_same_at_every_bar(to: str) -> None:
    found = run(20.0, to=to)
    assert snapshot_of(found, 40).trading_costs == TradingCosts(snapshot_of(found, 0).as_of.date(), 0, 20.0)
    count = audited(found, most=BARS)
    assert (count.bars, count.differences, count.fault) == (BARS, 0, "")


@pytest.mark.parametrize("to", ["centre", "edge"])
def test_compiled_and_interpreted_are_the_same(to: str) -> None:
    pytest.importorskip("numba")
    one, two = (run(20.0, interpreted=interpreted, to=to) for interpreted in (True, False))
    assert (one.engine, two.engine) == ("interpreted", "compiled")
    np.testing.assert_array_equal(one.history.equity, two.history.equity)
    np.testing.assert_array_equal(one.given.tape.code, two.given.tape.code)


def test_dearer_trading_trades_less_and_a_cost_of_nothing_is_the_fixed_band() -> None:
    fixed, *runs = run(20.0, width="fixed"), *(run(half) for half in (0.0, 2.0, 20.0))
    fills = [found.result.fills for found in runs]
    assert fills == sorted(fills, reverse=True)
    assert fills[0] > 2 * fills[2]
    assert run(0.0, width="fixed").history.equity.tolist() == runs[0].history.equity.tolist()
    assert fixed.result.fills > fills[2]


def test_costs_that_were_learned_count_on_their_day() -> None:
    plain = setup(20.0)
    day = snapshot_of(simulated(plain, interpreted=True), 0).as_of.date()
    some = {symbol: 4.0 * place for place, symbol in enumerate(plain.market.symbols)}
    learned = tuple(None if row < 40 else TradingCosts(day, 50, 30.0, some) for row in range(BARS))
    found = simulated(plain._replace(learned=learned), interpreted=True)
    assert [snapshot_of(found, bar).trading_costs for bar in (39, 40)] == [None, learned[40]]
    assert audited(found, most=BARS).differences == 0
    assert found.history.equity.tolist() != simulated(plain, interpreted=True).history.equity.tolist()
