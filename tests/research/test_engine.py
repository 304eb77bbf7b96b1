"""The loop over history: the same bits in both modes, a ledger that adds up, no look at what is to come."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.planning.numbers import rate
from rebalancer.research import tape as tape_rows
from rebalancer.research.audit import audited, audited_bars, difference_at, simulate
from rebalancer.research.history import History
from rebalancer.research.market import (
    NO_COSTS,
    AuditCount,
    CostModel,
    Fill,
    Instructions,
    Market,
    SimulationSetup,
)
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import simulated

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
    limits = bool(rng.random() < 0.4)
    return Rules.model_validate(
        {
            "execution": {
                "max_orders_per_execution": int(rng.choice([2, 5, 50])),
                "schedule": [None, None, "drift 0.02", "drift 0.1"][int(rng.integers(0, 4))],
                "order_type": "limit" if limits else "market",
                "limit_offset_bps": float(rng.choice([0, 2.5, 40])),
            },
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
                "flat_by_minutes_before_close": [None, None, 330, 345][0 if limits else int(rng.integers(0, 4))],
            },
        }
    )


def setup_of(of: Market, told: Instructions, by: Rules, **changes: Any) -> SimulationSetup:
    """A setup with usual costs, filled at the close after, 50,000 USD; every bar is a cycle."""
    every = np.ones(len(of.times), bool)
    found = SimulationSetup(of, told, by, CostModel(), 50_000.0, "next_close", every, reference_columns(of, {}, by))
    return found._replace(**changes)


def drawn(seed: int) -> SimulationSetup:
    """A whole setup from a seed."""
    rng = np.random.default_rng(seed)
    of = market(rng, int(rng.integers(5, 80)), int(rng.integers(1, 12)), gaps=float(rng.choice([0.0, 0.05, 0.4])))
    by, told = rules(rng), instructions(rng, of)
    fill: Fill = str(rng.choice(get_args(Fill)))  # type: ignore[assignment]  # one of them
    return setup_of(of, told, by, fill=fill, costs=CostModel() if rng.random() < 0.7 else NO_COSTS)


def flat(history: History) -> list[Any]:
    """Every column as a list, without the marks, which depend on where the loop stopped."""
    others = {name: column for name, column in history._asdict().items() if isinstance(column, np.ndarray)}
    kept = [column for name, column in others.items() if not name.startswith("mark_")]
    return [column.tolist() for column in (*kept, *history.orders, *history.fills)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_compiled_and_interpreted_are_the_same_bits(seed: int) -> None:
    pytest.importorskip("numba")
    fast, slow = simulated(drawn(seed)), simulated(drawn(seed), interpreted=True)
    assert (fast.engine, slow.engine) == ("compiled", "interpreted")
    assert flat(fast.history) == flat(slow.history)
    one, other = fast.given.tape, slow.given.tape
    assert (one.code.tolist(), one.denied.tolist()) == (other.code.tolist(), other.denied.tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_the_ledger_adds_up(seed: int) -> None:
    """Cash and equity recomputed from the fills alone, exactly; each rounded value may be off by a millionth."""
    run = simulated(drawn(seed))
    of, found = run.setup.market, run.history
    grains = [Fraction(1, 10 ** int(d)) for d in run.given.price_decimals]
    units = [Fraction(1, 10 ** int(d)) for d in run.given.decimals]
    at = of.open if run.setup.fill == "next_open" else of.close
    assert at is not None
    cash, held = Fraction(50_000), dict.fromkeys(range(len(of.symbols)), Fraction(0))
    kept = found.fills
    columns = (kept.bars(), kept.name, kept.quantity, kept.more)
    fills = list(zip(*(column.tolist() for column in columns), strict=True))
    for bar, name, quantity, cost in fills:
        price = round(Fraction(float(at[bar, name])) / grains[name]) * grains[name]
        assert price > 0
        cash -= quantity * units[name] * price + Fraction(cost, 10**6)
        held[name] += quantity * units[name]
    carried = Fraction(int(found.costs[tape_rows.INTEREST] + found.costs[tape_rows.BORROW]), 10**6)
    slack = Fraction(len(fills) + 2 * len(of.times) + 2, 10**6)
    assert abs(cash - carried - Fraction(int(found.cash[-1]), 10**6)) <= slack
    paid = sum(int(found.costs[kind]) for kind in (tape_rows.SPREAD, tape_rows.IMPACT, tape_rows.FEES))
    assert paid == int(found.fills.more.sum(dtype=np.int64))
    last = of.close.copy()
    for t in range(1, len(last)):
        last[t] = np.where(np.isnan(last[t]), last[t - 1], last[t])
    worth = sum(held[i] * round(Fraction(float(p)) / grains[i]) * grains[i] for i, p in enumerate(last[-1]) if held[i])
    assert abs(cash - carried + worth - Fraction(int(found.equity[-1]), 10**6)) <= slack + Fraction(len(held), 10**6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_law_what_comes_later_changes_nothing_before(seed: int, part: float) -> None:
    """Cut everything after a bar: the decisions up to it are unchanged."""
    rng = np.random.default_rng(seed)
    whole = drawn(seed)
    of, told = whole.market, whole.instructions
    cut = max(1, int(len(of.times) * part))
    by = whole.rules.model_copy(
        update={"risk_management": whole.rules.risk_management.model_copy(update={"max_overnight_leverage": 2.0})}
    )
    shorter = of._replace(
        times=of.times[:cut], close=of.close[:cut], open=None if of.open is None else of.open[:cut],
        volume=None if of.volume is None else of.volume[:cut], day=of.day[:cut],
        is_last_of_day=np.append(of.is_last_of_day[: cut - 1], True),
    )  # fmt: skip
    less = told._replace(value=told.value[:cut], confidence=None if told.confidence is None else told.confidence[:cut])
    costs = CostModel(impact_coefficient=0.0) if rng.random() < 0.5 else NO_COSTS  # impact: by the bars of a day
    first, second = (
        simulated(setup_of(a, b, by, costs=costs, fill=whole.fill)).history for a, b in ((of, told), (shorter, less))
    )
    early = first.orders.rows(0, cut)
    for one, other in zip(first.orders[1:], second.orders[1:], strict=True):
        assert one[early].tolist() == other.tolist()
    assert first.orders.ends[:cut].tolist() == second.orders.ends.tolist()
    assert np.asarray(first.equity)[:cut].tolist() == np.asarray(second.equity).tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_law_the_live_planner_decides_the_same_at_every_bar(seed: int) -> None:
    run = simulated(drawn(seed))
    bars = audited_bars(run)
    assert [difference for bar in bars if (difference := difference_at(run, bar)) is not None] == []
    assert len(bars) == np.count_nonzero(run.history.equity_decided)


@pytest.mark.campaign
def test_the_live_planner_decides_the_same_at_every_bar_of_500_runs() -> None:
    total, wrong = 0, []
    for seed in range(500):
        run = simulated(drawn(seed))
        bars = audited_bars(run)
        total += len(bars)
        wrong += [(seed, found) for bar in bars if (found := difference_at(run, bar)) is not None]
    print(total, "bars planned again")
    assert wrong == []


def test_an_engine_that_decides_otherwise_is_caught() -> None:
    """One order of the run is made a share larger: the audit finds that bar and no other."""
    run = simulated(drawn(3)._replace(fill="next_close", costs=NO_COSTS))
    orders = run.history.orders
    quantity = orders.quantity.astype(np.int64)
    quantity[-1] += 1
    changed = run._replace(history=run.history._replace(orders=orders._replace(quantity=quantity)))
    assert audited(run).differences == 0
    assert audited(changed).differences == 1


def test_a_live_plan_that_fails_its_own_last_check_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    tight = Rules.model_validate({"position_sizing": {"max_total_exposure": 0.02}})
    of = market(rng, 10, 4)
    run = simulated(setup_of(of, instructions(rng, of), tight))
    assert audited(run).fault == ""
    monkeypatch.setattr(sys.modules["rebalancer.planning.to_columns"], "rate", lambda fraction: rate(fraction) * 3)
    found = audited(run)
    assert found.differences > 0
    assert ": the plan failed its last check, a fault of this program, and is withheld: gross would be" in found.fault


def test_a_rule_that_cannot_be_simulated_is_refused() -> None:
    rng = np.random.default_rng(1)
    of = market(rng, 10, 2)
    told = instructions(rng, of)
    for section, key, value, problem in (
        ("selection", "withdraw", "10", "selection.at_most and selection.withdraw cannot be simulated"),
        ("signals", "consensus", {"quorum": 2}, "signals.consensus.quorum above 1 cannot be simulated"),
    ):
        with pytest.raises(BadDocument, match=problem):
            simulated(setup_of(of, told, Rules.model_validate({section: {key: value}})))


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
    run = simulate(setup_of(of, told, free, costs=NO_COSTS, fill="same_close", equity=100_000.0))
    assert run.result.equity.tolist() == [100_000.0, 100_000.0]
    kept = run.history.fills
    fills = [column.tolist() for column in (kept.bars(), kept.name, kept.quantity)]
    # the second day 1000 x 55 + 500 x 90 = 100,000 USD: 90.909091 of A are sold, 55.555555 of B are bought
    assert fills == [[0, 0, 1, 1], [0, 1, 0, 1], [1_000_000_000, 500_000_000, -90_909_091, 55_555_555]]
    assert (run.result.outcomes, run.result.audit) == ({"PLANNED": 4}, AuditCount(2, 0))
