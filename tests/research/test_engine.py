"""The loop over history: the same bits in both modes, a ledger that adds up, no look at what is to come."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

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
    Instructions,
    Market,
)
from rebalancer.research.price_files import rows_of
from rebalancer.research.simulate import simulated
from tests.research.drawn_setups import BEGIN, DAY, drawn, instructions, market, setup_of


def flat(history: History) -> list[Any]:
    """Every column as a list, without the marks, which depend on where the loop stopped."""
    others = {name: column for name, column in history._asdict().items() if isinstance(column, np.ndarray)}
    kept = [column for name, column in others.items() if not name.startswith("mark_")]
    return [column.tolist() for column in (*kept, *history.orders, *history.fills, *history.exits)]


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
    at = {"next_open": of.open, "next_vwap": of.vwap}.get(run.setup.fill, of.close)
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
    exits = zip(*(column.tolist() for column in found.exits[1:5]), strict=True)
    for name, quantity, cost, price in exits:
        cash -= quantity * units[name] * price * grains[name] + Fraction(cost, 10**6)
        held[name] += quantity * units[name]
    carried = Fraction(int(found.costs[tape_rows.INTEREST] + found.costs[tape_rows.BORROW]), 10**6)
    slack = Fraction(len(fills) + len(found.exits.bar) + 2 * len(of.times) + 2, 10**6)
    assert abs(cash - carried - Fraction(int(found.cash[-1]), 10**6)) <= slack
    paid = sum(int(found.costs[kind]) for kind in (tape_rows.SPREAD, tape_rows.IMPACT, tape_rows.FEES))
    assert paid == int(found.fills.more.sum(dtype=np.int64)) + int(found.exits.more.sum())
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
    shorter = rows_of(of, slice(0, cut))
    less = Instructions(told.kind, *(None if column is None else column[:cut] for column in told[1:]))
    costs = CostModel(impact_coefficient=0.0) if rng.random() < 0.5 else NO_COSTS  # impact: by the bars of a day
    first, second = (
        simulated(setup_of(a, b, by, costs=costs, fill=whole.fill)).history for a, b in ((of, told), (shorter, less))
    )
    early = first.orders.rows(0, cut)
    for one, other in zip(first.orders[1:], second.orders[1:], strict=True):
        assert one[early].tolist() == other.tolist()
    assert first.orders.ends[:cut].tolist() == second.orders.ends.tolist()
    assert np.asarray(first.equity)[:cut].tolist() == np.asarray(second.equity).tolist()
    gone = first.exits.rows(0, cut)
    assert [column[gone].tolist() for column in first.exits] == [column.tolist() for column in second.exits]


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
    run = simulated(drawn(8)._replace(fill="next_close", costs=NO_COSTS))
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
    free = free.model_copy(update={"protection": free.protection.model_copy(update={"mode": "off"})})
    run = simulate(setup_of(of, told, free, costs=NO_COSTS, fill="same_close", equity=100_000.0))
    assert run.result.equity.tolist() == [100_000.0, 100_000.0]
    kept = run.history.fills
    fills = [column.tolist() for column in (kept.bars(), kept.name, kept.quantity)]
    # the second day 1000 x 55 + 500 x 90 = 100,000 USD: 90.909091 of A are sold, 55.555555 of B are bought
    assert fills == [[0, 0, 1, 1], [0, 1, 0, 1], [1_000_000_000, 500_000_000, -90_909_091, 55_555_555]]
    assert (run.result.outcomes, run.result.audit) == ({"PLANNED": 4}, AuditCount(2, 0))
