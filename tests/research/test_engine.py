"""The loop over history: the same bits in both modes, a ledger that adds up, no look at what is to come."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.rules import Rules
from rebalancer.research import tape as tape_rows
from rebalancer.research.columns_of import Fill
from rebalancer.research.market import NO_COSTS, CostModel, Instructions, Market
from rebalancer.research.simulate import SimulatedRun, simulate

FIVE_MINUTES, DAY = 300 * 10**9, 86_400 * 10**9
BEGIN = 1_767_623_400 * 10**9  # 2026-01-05 14:30 UTC, a Monday


def market(rng: np.random.Generator, bars: int, names: int, *, gaps: float = 0.0, a_day: int = 13) -> Market:
    """Prices in cents, a few missing, volumes small enough to matter."""
    path = np.exp(np.cumsum(rng.normal(0, 0.01, (bars, names)), 0)) * np.exp(rng.normal(3, 1, names))
    close = np.maximum(np.rint(path * 100), 1) / 100
    close[rng.random(close.shape) < gaps] = np.nan
    number = np.arange(bars)
    times = BEGIN + number // a_day * DAY + number % a_day * FIVE_MINUTES
    days = number // a_day
    return Market(
        symbols=tuple(f"S{i:02d}" for i in range(names)),
        times=times.astype(np.int64),
        close=close,
        open=np.maximum(np.rint(path * rng.uniform(0.99, 1.01, path.shape) * 100), 1) / 100,
        volume=np.rint(rng.uniform(0, 3000, close.shape)),
        day=days.astype(np.int64),
        is_last_of_day=np.append(np.diff(days) != 0, True),
    )


def instructions(rng: np.random.Generator, of: Market) -> Instructions:
    """Drifting scores or target weights, some of them missing."""
    shape = of.close.shape
    value = np.sin(np.cumsum(rng.normal(0, 0.3, shape), 0))
    value[rng.random(shape) < 0.1] = np.nan
    if rng.random() < 0.5:
        return Instructions("targets", np.round(value / shape[1], 4))
    return Instructions("scores", np.round(value, 3), np.round(rng.uniform(0, 1, shape), 2))


def rules(rng: np.random.Generator) -> Rules:
    """Rules under which most limits bind now and then."""
    return Rules.model_validate(
        {
            "execution": {"max_orders_per_execution": int(rng.choice([2, 5, 50]))},
            "position_sizing": {
                "capital_scaling": float(rng.choice([1.0, 2.0])),
                "allow_short": bool(rng.random() < 0.5),
                "fractional": bool(rng.random() < 0.5),
                "max_trade_size": str(rng.choice([2_000, 50_000])),
                "max_order_value": "50000",
            },
            "risk_management": {
                "max_orders_per_day": int(rng.choice([10, 500])),
                "max_daily_loss": float(rng.choice([0.01, 0.2])),
                "max_drawdown": float(rng.choice([0.05, 1.0])),
                "on_breach": str(rng.choice(["reduce_only", "flatten"])),
                "max_positions": [None, 3][int(rng.integers(0, 2))],
                "max_overnight_leverage": float(rng.choice([0.5, 1.9])),
            },
        }
    )


def simulated(seed: int, **changes: Any) -> SimulatedRun:
    """A whole run from a seed."""
    rng = np.random.default_rng(seed)
    of = market(rng, int(rng.integers(5, 80)), int(rng.integers(1, 12)), gaps=float(rng.choice([0.0, 0.05])))
    given_rules, told = rules(rng), instructions(rng, of)
    fill: Fill = str(rng.choice(get_args(Fill)))  # type: ignore[assignment]  # one of them
    costs = CostModel() if rng.random() < 0.7 else NO_COSTS
    return simulate(of, told, given_rules, **{"costs": costs, "fill": fill, "equity": 50_000.0} | changes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_compiled_and_interpreted_are_the_same_bits(seed: int) -> None:
    pytest.importorskip("numba")
    fast, slow = simulated(seed), simulated(seed, interpreted=True)
    assert (fast.result.engine, slow.result.engine) == ("compiled", "interpreted")
    for one, other in zip(fast.history, slow.history, strict=True):
        assert one.tolist() == other.tolist()
    assert (fast.code.tolist(), fast.denied.tolist()) == (slow.code.tolist(), slow.denied.tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_the_ledger_adds_up(seed: int) -> None:
    """Cash and equity recomputed from the fills alone, exactly; each rounded value may be off by a millionth."""
    run = simulated(seed)
    of, found = run.market, run.history
    grains = [Fraction(1, 10 ** int(d)) for d in run.price_decimals]
    units = [Fraction(1, 10 ** int(d)) for d in run.decimals]
    at = of.open if run.fill == "next_open" else of.close
    assert at is not None
    cash, held = Fraction(50_000), dict.fromkeys(range(len(of.symbols)), Fraction(0))
    fills = list(zip(*(found[k].tolist() for k in range(6, 10)), strict=True))
    for bar, name, quantity, cost in fills:
        price = round(Fraction(float(at[bar, name])) / grains[name]) * grains[name]
        assert price > 0
        cash -= quantity * units[name] * price + Fraction(cost, 10**6)
        held[name] += quantity * units[name]
    carried = Fraction(int(found.costs[tape_rows.INTEREST] + found.costs[tape_rows.BORROW]), 10**6)
    slack = Fraction(len(fills) + 2 * len(of.times) + 2, 10**6)
    assert abs(cash - carried - Fraction(int(found.cash[-1]), 10**6)) <= slack
    paid = sum(int(found.costs[kind]) for kind in (tape_rows.SPREAD, tape_rows.IMPACT, tape_rows.FEES))
    assert paid == int(found.fill_cost.sum())
    last = of.close.copy()
    for t in range(1, len(last)):
        last[t] = np.where(np.isnan(last[t]), last[t - 1], last[t])
    worth = sum(held[i] * round(Fraction(float(p)) / grains[i]) * grains[i] for i, p in enumerate(last[-1]) if held[i])
    assert abs(cash - carried + worth - Fraction(int(found.equity[-1]), 10**6)) <= slack + Fraction(len(held), 10**6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_law_what_comes_later_changes_nothing_before(seed: int, part: float) -> None:
    """Cut everything after a bar: the decisions up to it are unchanged."""
    whole = simulated(seed)
    of, told = whole.market, whole.instructions
    cut = max(1, int(len(of.times) * part))
    shorter = of._replace(
        times=of.times[:cut], close=of.close[:cut], open=None if of.open is None else of.open[:cut],
        volume=None if of.volume is None else of.volume[:cut], day=of.day[:cut],
        is_last_of_day=np.append(of.is_last_of_day[: cut - 1], True),
    )  # fmt: skip
    given_less = told._replace(
        value=told.value[:cut], confidence=None if told.confidence is None else told.confidence[:cut]
    )
    steady = whole.rules.model_copy(
        update={"risk_management": whole.rules.risk_management.model_copy(update={"max_overnight_leverage": 2.0})}
    )  # the length of a day that is cut short would change when the overnight limit begins
    costs = CostModel(impact_coefficient=0.0)  # its scale is the number of bars a day
    runs = [
        simulate(a, b, steady, costs=costs, fill=whole.fill, equity=50_000.0)
        for a, b in ((of, told), (shorter, given_less))
    ]
    first, second = (
        [row for row in zip(*(r.history[k].tolist() for k in range(2, 6)), strict=True) if row[0] < cut] for r in runs
    )
    assert first == second
    assert runs[0].history.equity[:cut].tolist() == runs[1].history.equity.tolist()


def test_a_rule_that_cannot_be_simulated_is_refused() -> None:
    rng = np.random.default_rng(1)
    of = market(rng, 10, 2)
    told = instructions(rng, of)
    flat = Rules.model_validate({"risk_management": {"flat_by_minutes_before_close": 10}})
    with pytest.raises(ValueError, match="flat_by_minutes_before_close cannot be simulated"):
        simulate(of, told, flat)


def test_half_of_the_money_in_each_of_two_names() -> None:
    """Two names at 50 and 100 USD, half of 100,000 USD each, at no cost, at the same close."""
    of = Market(
        ("A", "B"), np.array([BEGIN, BEGIN + DAY], np.int64), np.array([[50.0, 100.0], [55.0, 90.0]]), None, None,
        np.array([0, 1], np.int64), np.array([True, True]),
    )  # fmt: skip
    told = Instructions("targets", np.array([[0.5, 0.5], [0.5, 0.5]]))
    free = Rules.model_validate(
        {
            "position_sizing": {
                "capital_scaling": 1.0, "max_position_size": 1.0, "max_total_exposure": 1.0, "fractional": True,
                "min_trade_size": "0.01", "max_trade_size": "1000000", "max_order_value": "1000000",
                "no_trade_band": {"absolute": 0.0, "relative": 0.0},
            },
            "risk_management": {
                "max_position_risk": 1.0, "max_trade_heat": 1.0, "max_sector_exposure": 1.0, "buying_power_buffer": 0.0,
                "max_correlation_exposure": 1.0, "max_overnight_leverage": 2.0, "max_daily_loss": 1.0,
                "max_drawdown": 1.0,
            },
        }
    )  # fmt: skip
    run = simulate(of, told, free, costs=NO_COSTS, fill="same_close")
    assert run.result.equity.tolist() == [100_000.0, 100_000.0]
    fills = [run.history[k].tolist() for k in range(6, 9)]
    # the second day 1000 x 55 + 500 x 90 = 100,000 USD: 90.909091 of A are sold, 55.555555 of B are bought
    assert fills == [[0, 0, 1, 1], [0, 1, 0, 1], [1_000_000_000, 500_000_000, -90_909_091, 55_555_555]]
    assert run.result.outcomes == {"PLANNED": 4}
