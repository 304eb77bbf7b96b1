"""Shares that come or go without cash, as the closing sees them: a flow at the day's price, no cash and no profit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.accounting.closed_days import bridge_of
from rebalancer.accounting.daily_close import check_day
from rebalancer.accounting.day_books import DayBooks, InKind, body_of_day, day_of_body
from rebalancer.accounting.trade_history import ledger_of
from rebalancer.brokers.protocol import Activity
from rebalancer.journal import Journal
from rebalancer.report.period.gather import period_report_of
from tests.rebalance.conftest import MakeRig
from tests.rebalance.hands import MONDAY, until
from tests.support.rig import Rig, rules

FRIDAY = date(2026, 11, 20)
CENT = Decimal("0.01")


def close_after(rig: Rig, day: date, moved: list[Activity]) -> tuple[DayBooks, dict[str, Decimal]]:
    """Close the books of a day on which the broker moved shares; and the prices of what was moved."""
    until(rig, datetime(day.year, day.month, day.day, 21, 5, tzinfo=UTC))
    process = rig.process()
    qty = {one.symbol or "": one.qty for one in moved}
    last = {q.symbol: q.last for q in process.broker.quotes(sorted(qty))}

    def positions(real: Any) -> Any:
        kept = [p._replace(qty=p.qty + qty.get(p.symbol, 0)) for p in real()]
        return tuple(p for p in kept if p.qty)

    def account(real: Any) -> Any:
        now = real()
        return now._replace(equity=now.equity + sum(q * last[s] for s, q in qty.items()))

    def activities(real: Any, after: Any) -> Any:
        fills, others = real(after)
        return fills, (*others, *moved)

    process.broker.script.update(positions=positions, account=account, activities=activities)
    return check_day(process.world.broker, process.journal, rig.account_id, day), last


@pytest.mark.parametrize("noticed", ["at the closing", "by a cycle"])
@pytest.mark.parametrize(("kind", "share"), [("ACATS", "1"), ("JNLS", "-0.5"), ("JNLS", "-1")])
def test_shares_in_kind_are_a_flow_at_the_day_s_price(settled: MakeRig, kind: str, share: str, noticed: str) -> None:
    rig = settled()
    until(rig, datetime(2026, 11, 20, 21, 5, tzinfo=UTC))
    process = rig.process()
    friday = check_day(process.world.broker, process.journal, rig.account_id, FRIDAY)
    qty = friday.positions["KO"].qty * Decimal(share)
    moved = Activity("20261123000000000::in-kind", kind, "KO", qty, Decimal("123.45"), MONDAY.date())
    until(rig, MONDAY)
    if noticed == "by a cycle":

        def activities(real: Any, after: Any) -> Any:
            fills, others = real(after)
            return fills, (*others, moved)

        rig.run({"V": 1.0}, rules(), faults={"activities": activities})
    with Journal.open(rig.journal_file) as journal:
        rows = journal.recall(rig.account_id, "flow")
    assert bool(rows) == (noticed == "by a cycle")
    monday, last = close_after(rig, MONDAY.date(), [moved])
    value = Decimal(rows[0].body["amount"]) if rows else qty * last["KO"]
    assert monday.in_kind == (InKind(moved.id, "KO", qty, value),)
    assert monday.flows == value, "at the day's price, not at the amount that it carries"
    assert value != abs(moved.amount)
    assert (monday.unexplained, [d for d in monday.differences if d.symbol == "cash"]) == (0, [])
    assert monday.result == monday.closing_equity - monday.opening_equity - value
    assert day_of_body(body_of_day(monday)) == monday
    with Journal.open(rig.journal_file) as journal:
        flows = journal.recall(rig.account_id, "flow")
        assert [(e.key, Decimal(e.body["amount"])) for e in flows] == [(moved.id, value)]
        ledger = ledger_of(journal, rig.account_id)
        (event,) = ledger.shares
        assert (event.kind, event.qty, event.qty * event.price) == ("in_kind", qty, pytest.approx(value))
        found = bridge_of(journal, rig.account_id, ledger, "fifo", FRIDAY, [MONDAY.date()])
        assert found is not None
        assert (found.flows, found.unexplained, found.missing) == (value.quantize(CENT), 0, ())
        made = period_report_of(
            journal, rig.account_id, "simulated", rules(), "day", MONDAY.date(), monday.closed_at + timedelta(hours=1)
        )
        assert made.bridge is not None
        assert (made.bridge.by_prices, made.bridge.unexplained, made.bridge.adds_up) == (True, 0, True)
