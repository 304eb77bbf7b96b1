"""Trading costs in whole cycles: those of the newest evening, of the names at hand, and not for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rebalancer.core.codec import stored_snapshot
from rebalancer.core.facts import TradingCosts
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode
from rebalancer.core.rules import Rules
from rebalancer.journal.parity_row import PARITY, trading_costs_of_body
from rebalancer.planning import plan
from rebalancer.rebalance.trading_costs import AGE_MAX
from rebalancer.report.archive import replayed
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.rig import Rig, rules


def by_cost() -> Rules:
    return rules(position_sizing__no_trade_band={"width": "cost", "risk_aversion": 0.5})


def learn(rig: Rig, days_ago: int, usual: float, by_symbol: dict[str, float] | None) -> None:
    """An evening that learned these costs from orders of so many days ago; with None it learned nothing."""
    now = rig.exchange.clock.now()
    as_of = day_in_new_york(now) - timedelta(days=days_ago)
    costs = {"as_of": as_of.isoformat(), "orders": 40, "usual": usual, "by_symbol": by_symbol}
    body = {"trading_costs": None if by_symbol is None else costs}
    rig.process().journal.record_event(rig.account_id, None, now, PARITY, as_of.isoformat(), body)


def test_a_cycle_knows_what_the_newest_evening_learned_and_plans_with_it(settled: MakeRig) -> None:
    rig = settled()
    learn(rig, 1, 9.0, {"V": 1.0})
    learn(rig, 0, 900.0, {"V": 300.0, "KO": 250.0, "ZZZZ": 1.0})
    found = rig.run(NEXT, by_cost())
    day = day_in_new_york(found.snapshot.as_of)
    names = {instrument.symbol for instrument in found.snapshot.instruments}
    held = {"KO": 250.0, "V": 300.0}
    assert found.snapshot.trading_costs == TradingCosts(day, 40, 900.0, {s: c for s, c in held.items() if s in names})
    free = plan(found.snapshot, rules())
    back = {v.symbol for v in found.plan.verdicts if v.because.has(ReasonCode.NOT_WORTH_COST)}
    positions = {position.symbol for position in found.snapshot.positions}
    assert back == {"AAPL"} <= positions
    assert not {"JNJ", "MSFT", "XOM"} & positions  # these are opened, whatever it costs
    assert {o.symbol for o in free.orders} - {o.symbol for o in found.plan.orders} == back
    assert {v.outcome for v in found.verdicts if v.symbol in back} == {Outcome.HELD_WITHIN_BAND}
    journal = rig.process().journal
    text = journal.snapshot_text(found.snapshot.cycle_id)
    assert text is not None
    assert stored_snapshot(text) == found.snapshot
    assert replayed(journal, found.snapshot.cycle_id).wrong == ()


@pytest.mark.parametrize(("days_ago", "by_symbol"), [(AGE_MAX.days + 1, {"V": 5.0}), (0, None)])
def test_old_costs_and_none_are_not_known(days_ago: int, by_symbol: dict[str, float] | None, settled: MakeRig) -> None:
    rig = settled()
    learn(rig, days_ago, 400.0, by_symbol)
    found = rig.run(NEXT, by_cost())
    assert found.snapshot.trading_costs is None
    assert [o._replace(because=0) for o in found.plan.orders] == [  # type: ignore[arg-type]  # all but the words
        o._replace(because=0)
        for o in plan(found.snapshot, rules()).orders  # type: ignore[arg-type]
    ]
    assert all(order.because.has(ReasonCode.COST_UNKNOWN) for order in found.plan.orders)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"by_symbol": {"A": "dear"}}, {"usual": float("nan")}, {"as_of": "yesterday"}, {"by_symbol": [1]}],
    ids=str,
)
def test_what_is_no_cost_is_refused(wrong: dict[str, Any]) -> None:
    whole = {"as_of": "2026-11-20", "orders": 40, "usual": 2.0, "by_symbol": {}}
    assert trading_costs_of_body({}) is trading_costs_of_body({"trading_costs": None}) is None
    assert trading_costs_of_body({"trading_costs": whole}) is not None
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        trading_costs_of_body({"trading_costs": {**whole, **wrong} if wrong else {}})
