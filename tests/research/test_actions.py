"""Dividends, splits and delistings in the ledger and in positions; the live planner decides the same across them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.rules import Rules
from rebalancer.research import tape as tape_rows
from rebalancer.research.audit import audited_bars, difference_at
from rebalancer.research.exposure import exposure_of, stale_marks
from rebalancer.research.market import NO_COSTS, ActionColumns, Instructions, Market, SimulationSetup
from rebalancer.research.presets import with_preset
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import SimulatedRun, simulated
from tests.research.drawn_setups import drawn
from tests.research.setups import random_market, random_weights, setup_of
from tests.research.test_engine import flat

NAN = float("nan")
RATIOS = ((4, 1), (1, 10), (3, 2), (21, 20), (1, 1), (1, 1), (0, 1))


def columns(*rows: tuple[int, int, int, int, float]) -> ActionColumns:
    """Rows of bar, name, new, old, cash."""
    table = np.array(sorted(rows)).reshape(-1, 5)
    bar, name, new, old = table[:, :4].astype(np.int64).T
    return ActionColumns(bar, name, new, old, table[:, 4])


def with_actions(setup: SimulationSetup, seed: int) -> SimulationSetup:
    """Random actions at priced bars; the prices after a split follow it."""
    rng = np.random.default_rng(seed + 1)
    of, rows = setup.market, []
    known = {name: getattr(of, name) for name in ("close", "open", "low", "high", "vwap")}
    columns_of_prices = {name: column.copy() for name, column in known.items() if column is not None}
    close = columns_of_prices["close"]
    for _ in range(int(rng.integers(1, 8))):
        bar, i = int(rng.integers(1, len(of.times))), int(rng.integers(0, len(of.symbols)))
        new, old = RATIOS[int(rng.integers(0, len(RATIOS)))]
        if np.isnan(close[bar, i]) and new > 0:
            continue
        cash = round(float(rng.uniform(0, 1)), 2) if new in (0, old) else 0.0
        if new not in (0, old):
            for prices in columns_of_prices.values():
                prices[bar:, i] = np.maximum(np.rint(prices[bar:, i] * old / new * 100), 1) / 100
        rows.append((bar, i, new, old, cash))
    of, actions = of._replace(**columns_of_prices), columns(*rows)
    return setup._replace(market=of, actions=actions, reference=reference_columns(of, {}, setup.rules, actions))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_the_live_planner_decides_the_same_across_actions(seed: int) -> None:
    run = simulated(with_actions(drawn(seed), seed), interpreted=True)
    assert [found for bar in audited_bars(run) if (found := difference_at(run, bar)) is not None] == []


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_with_actions_both_engines_are_the_same_bits(seed: int) -> None:
    pytest.importorskip("numba")
    fast, slow = (simulated(with_actions(drawn(seed), seed), interpreted=slow) for slow in (False, True))
    assert flat(fast.history) == flat(slow.history)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_positions_are_fills_and_actions(seed: int) -> None:
    """Recomputed in fractions: a split loses less than a base unit, and pays for it; a dividend pays to a millionth."""
    run = simulated(with_actions(drawn(seed), seed), interpreted=True)
    found, actions, symbols = run.history, run.setup.actions, run.setup.market.symbols
    units = [Fraction(1, 10 ** int(d)) for d in run.given.decimals]
    held = [Fraction(0)] * len(symbols)
    fills = list(zip(found.fills.bars(), found.fills.name, found.fills.quantity, strict=True))
    events = list(zip(found.event_bar, found.event_action, found.event_quantity, found.event_money, strict=True))
    bars = len(run.setup.market.times)
    for t in range(bars):
        for _, k, quantity, money in (row for row in events if row[0] == t):
            i, ratio = int(actions.name[k]), Fraction(int(actions.new[k]), int(actions.old[k]))
            exact, after, paid = held[i] * ratio, held[i] + int(quantity) * units[i], Fraction(int(money), 10**6)
            assert abs(after) <= abs(exact) < abs(after) + units[i]
            if ratio in (0, 1):
                assert abs(paid - held[i] * round(Fraction(float(actions.cash[k])), 6)) < Fraction(2, 10**6)
            else:
                assert paid * held[i] >= 0
            held[i] = after
        if t < bars - 1 or run.setup.fill != "same_close":
            for _, i, quantity in (row for row in fills if row[0] == t):
                held[i] += int(quantity) * units[i]
        gone = found.exits.rows(t, t + 1)
        for i, quantity in zip(found.exits.name[gone].tolist(), found.exits.quantity[gone].tolist(), strict=True):
            held[i] += quantity * units[i]
    last = {symbol: Fraction(quantity) for symbol, quantity in run.account(bars - 1).shares.items()}
    assert last == {symbol: quantity for symbol, quantity in zip(symbols, held, strict=True) if quantity}


def held_at_the_start(
    market: Market, actions: ActionColumns, weight: float = 0.5, *, fractional: bool = True
) -> SimulatedRun:
    """Equal weights at the first bar, and nothing afterwards."""
    rules, terms = with_preset(Rules(), "bare")
    sizing = rules.position_sizing.model_copy(update={"fractional": fractional})
    rules = rules.model_copy(update={"position_sizing": sizing})
    setup = SimulationSetup(
        market, Instructions("targets", np.full(market.close.shape, weight)), rules, NO_COSTS, 100_000.0, "same_close",
        np.arange(len(market.times)) == 0, reference_columns(market, {}, rules, actions), terms, actions,
    )  # fmt: skip
    return simulated(setup, interpreted=True)


def prices(*rows: Any) -> Market:
    market = random_market(len(rows), 2)
    return market._replace(close=np.array(rows, np.float64))


def test_a_dividend_is_paid_to_who_held_the_share_before() -> None:
    market = prices([50, 20], [50, 20], [49, 20], [49, 20])
    run = held_at_the_start(market, columns((2, 0, 1, 1, 1.0)))
    assert run.result.equity.tolist() == [100_000.0] * 4
    assert (run.result.dividends, dict(run.result.acted)) == (
        1000.0, {"dividends": 1, "splits": 0, "delistings": 0, "orders_dropped": 0},
    )  # fmt: skip
    profit = exposure_of(run.fills(), market.close, run.events()).profit
    assert profit.tolist() == pytest.approx([0.0, 0.0])


def test_who_is_short_pays_the_dividend() -> None:
    run = held_at_the_start(prices([50, 20], [50, 20], [49, 20]), columns((2, 0, 1, 1, 1.0)), -0.5)
    assert (run.result.dividends, run.result.equity.tolist()) == (-1000.0, [100_000.0] * 3)


def test_a_split_changes_shares_and_not_the_value() -> None:
    market = prices([50, 20], [12.5, 20], [12.5, 40])
    run = held_at_the_start(market, columns((1, 0, 4, 1, 0.0), (2, 1, 1, 2, 0.0)))
    assert run.result.equity.tolist() == [100_000.0] * 3
    assert run.events().shares.tolist() == [3000.0, -1250.0]
    assert {s: int(q) for s, q in run.account(2).shares.items()} == {"SAA": 4000, "SAB": 1250}


@pytest.mark.parametrize("weight", [0.5, -0.5])
def test_a_fraction_of_a_share_is_paid(weight: float) -> None:
    """1005 shares become 100.5: half a share is paid at the price after the split, and owed by who is short."""
    market = prices([49.75, 20], [497.5, 20])
    run = held_at_the_start(market, columns((1, 0, 1, 10, 0.0)), weight, fractional=False)
    side = 1 if weight > 0 else -1
    assert run.account(1).shares["SAA"] == side * 100
    assert run.events().cash.tolist() == [side * 0.5 * 497.5]
    assert run.result.equity.tolist() == [100_000.0] * 2


def test_splits_are_whole_in_volatilities() -> None:
    market, split = random_market(80, 2), columns((60, 0, 4, 1, 0.0))
    late = np.arange(80)[:, None] >= 60
    raw = market._replace(close=np.where(late & [True, False], market.close / 4, market.close))
    whole, found = reference_columns(market, {}, Rules()), reference_columns(raw, {}, Rules(), split)
    np.testing.assert_allclose(found.volatility, whole.volatility, atol=2e-6)
    assert np.nanmax(reference_columns(raw, {}, Rules()).volatility) > 2


def test_raw_prices_with_splits_are_as_good_as_adjusted_ones() -> None:
    market = random_market(60, 3)
    weights = random_weights(market)
    adjusted = simulated(setup_of(market, weights), interpreted=True).result
    late = np.arange(60)[:, None]
    raw = np.where((late >= 20) & [True, False, False], market.close / 4, market.close)
    raw = np.where((late >= 40) & [False, True, False], raw * 10, raw)
    actions = columns((20, 0, 4, 1, 0.0), (40, 1, 1, 10, 0.0))
    setup = setup_of(market._replace(close=raw), weights)._replace(actions=actions)
    found = simulated(setup, interpreted=True).result
    np.testing.assert_allclose(found.equity, adjusted.equity, rtol=1e-6)
    assert found.acted["splits"] == 2


def test_orders_of_a_split_name_are_dropped() -> None:
    market = random_market(30, 2)
    market.close[20:, 0] = np.round(market.close[20:, 0] / 4, 4)
    setup = setup_of(market, random_weights(market), fill="next_close")._replace(actions=columns((20, 0, 4, 1, 0.0)))
    run = simulated(setup, interpreted=True)
    assert run.result.acted["orders_dropped"] == 1
    assert run.fills().name[run.fills().bar == 20].tolist() == [1]


@pytest.mark.parametrize(("paid", "equity"), [(50.0, 100_000.0), (0.0, 50_000.0)])
def test_a_delisted_name_is_closed(paid: float, equity: float) -> None:
    market = prices([50, 20], [NAN, 20], [NAN, 20], [NAN, 20])
    run = held_at_the_start(market, columns((2, 0, 0, 1, paid)))
    assert run.result.equity.tolist() == [100_000.0, 100_000.0, equity, equity]
    assert run.account(3).shares.keys() == {"SAB"}
    assert run.result.acted["delistings"] == 1
    assert stale_marks(run.fills(), market.close, run.events()) == 1
    assert int(run.history.counts[tape_rows.EVENTS]) == 1
