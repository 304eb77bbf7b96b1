"""A backtest with regimes: no look-ahead, the live planner agrees at every bar, compiled and interpreted agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.regimes.measures import CLOSES_MIN
from rebalancer.research.audit import audited
from rebalancer.research.market import ActionColumns, Instructions, Market, SimulationSetup
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import SimulatedRun, simulated
from tests.research.setups import random_market, random_weights, setup_of
from tests.research.truncation import cut

BARS = 420


def rough_market(seed: int, names: int = 12) -> Market:
    """Calm, falling and rough stretches that all names share; the first one is the benchmark."""
    market, draw = random_market(BARS, names, seed), np.random.default_rng(seed)
    stretches = [(240, 0.0008, 0.004), (60, 0.003, 0.003), (25, -0.02, 0.03), (60, 0.004, 0.008), (35, -0.004, 0.02)]
    shared = np.concatenate([draw.normal(drift, rough, days) for days, drift, rough in stretches])
    own = draw.normal(0, 0.003, (BARS, names))
    close = np.round(50 * np.exp(np.cumsum(shared[:, None] + own, axis=0)), 4)
    return market._replace(close=close)


def judged(benchmark: str = "SAA", **changes: Any) -> Rules:
    return Rules.model_validate(
        {
            "regime": {"enabled": True, "benchmark": benchmark, "breadth_names": 5, **changes},
            "position_sizing": {"max_order_value": 200_000, "max_trade_size": 200_000},
            "risk_management": {"max_daily_loss": 1.0, "max_drawdown": 1.0},
            "execution": {"max_orders_per_execution": 100},
        }
    )


def setup(market: Market, rules: Rules, kind: Any) -> SimulationSetup:
    found = setup_of(market, random_weights(market), preset=None, rules=rules)
    if kind == "targets":
        return found
    draw = np.random.default_rng(3)
    value = np.round(draw.uniform(-0.2, 1, market.close.shape), 3)
    return found._replace(instructions=Instructions("scores", value, np.round(draw.random(value.shape), 3)))


CASES = [("scores", {}), ("targets", {"targets": True}), ("targets", {}), ("scores", {"gross": {"crisis": 0}})]


def runs(kind: str, changes: dict[str, Any], *, interpreted: bool) -> SimulatedRun:
    return simulated(setup(rough_market(5), judged(**changes), kind), interpreted=interpreted)


@pytest.mark.parametrize(("kind", "changes"), CASES)
def test_the_live_planner_decides_the_same_at_every_bar(kind: str, changes: dict[str, Any]) -> None:
    run = runs(kind, changes, interpreted=True)
    assert {one.name for one in run.setup.reference.regime if one is not None} >= {"BULL", "BEAR", "CRISIS"}
    count = audited(run, most=120)
    assert (count.differences, count.fault) == (0, "")
    assert count.bars >= 120


@pytest.mark.parametrize(("kind", "changes"), CASES)
def test_compiled_and_interpreted_are_the_same(kind: str, changes: dict[str, Any]) -> None:
    pytest.importorskip("numba")
    one, two = (runs(kind, changes, interpreted=interpreted) for interpreted in (True, False))
    assert (one.engine, two.engine) == ("interpreted", "compiled")
    np.testing.assert_array_equal(one.history.equity, two.history.equity)
    np.testing.assert_array_equal(one.given.tape.code, two.given.tape.code)


def test_it_changes_what_is_held_and_is_neutral_when_off() -> None:
    market = rough_market(5)
    rules = judged()
    off = Rules.model_validate({**rules.model_dump(), "regime": {"enabled": False}})
    plain = simulated(setup(market, off, "scores"), interpreted=True)
    scaled = simulated(setup(market, rules, "scores"), interpreted=True)
    assert plain.setup.reference.regime == ()
    even = dict.fromkeys(("bull", "chop", "bear", "crisis"), 1.0)
    same = simulated(setup(market, judged(confidence=even, gross=even), "scores"), interpreted=True)
    np.testing.assert_array_equal(plain.history.equity, same.history.equity)
    assert plain.history.equity[-1] != scaled.history.equity[-1]


def test_nothing_that_comes_later_changes_the_regime_of_a_day() -> None:
    market = rough_market(7)
    draw = np.random.default_rng(7)
    market.close[draw.random(market.close.shape) < 0.03] = np.nan
    whole = reference_columns(market, {}, judged()).regime
    assert len(whole) == BARS
    for bar in (0, 1, CLOSES_MIN - 1, CLOSES_MIN, CLOSES_MIN + 1, 300, 311, 333, 360, 400, 418):
        assert reference_columns(cut(market, bar), {}, judged()).regime == whole[: bar + 1]
    later = market._replace(close=market.close.copy())
    later.close[300] *= 0.5  # the close of a day is not known on that day
    found = reference_columns(later, {}, judged()).regime
    assert found[:301] == whole[:301]
    assert found[301] != whole[301]


def test_splits_and_dividends_are_no_falls() -> None:
    market = rough_market(9)
    plain = reference_columns(market, {}, judged()).regime
    raw = market._replace(close=market.close.copy())
    raw.close[300:, :] /= 2.0
    count = market.close.shape[1]
    actions = ActionColumns(np.full(count, 300), np.arange(count), np.full(count, 2), np.ones(count, np.int64),
                            np.zeros(count))  # fmt: skip
    found = reference_columns(raw, {}, judged(), actions).regime
    assert [one.name for one in found if one] == [one.name for one in plain if one]


def test_a_backtest_without_the_benchmark_is_refused() -> None:
    with pytest.raises(BadDocument, match=r"the prices have no column of the benchmark, SPY\n  hint: add its prices"):
        setup(rough_market(5), judged(benchmark=""), "scores")
