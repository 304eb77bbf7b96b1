"""The books of a day against the exchange's own activities, over HTTP.

Everything that can happen to an account happens, and the books are clean to the cent; then each kind of mistake is
made, and each is found.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from rebalancer.accounting.closed_days import bridge_of
from rebalancer.accounting.daily_close import check_day
from rebalancer.accounting.day_books import DayBooks, body_of_day, day_of_body
from rebalancer.accounting.trade_history import ledger_of
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.core.errors import BrokerUnavailable, WrongAccount
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import text_of
from rebalancer.journal import Journal
from rebalancer.report.period.gather import period_report_of
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.rebalance.hands import MONDAY, buy_coins, dividend, pay_in, split, until
from tests.support.rig import Rig, by_hand, held, rules

FRIDAY = date(2026, 11, 20)
DAYS = [FRIDAY + timedelta(days=d) for d in (0, 3, 4, 5)]
CENT = Decimal("0.01")


def close(rig: Rig, day: date, **faults: Any) -> DayBooks:
    """A few minutes after the close, in a life of its own."""
    until(rig, datetime(day.year, day.month, day.day, 21, 5, tzinfo=UTC))
    process = rig.process()
    process.broker.script.update(faults)
    return check_day(process.world.broker, process.journal, rig.account_id, day)


def told(rig: Rig, kind: str) -> list[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(f"file:{rig.journal_file}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT key, body FROM events WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [(key, json.loads(body)) for key, body in rows]


def bridges(books: DayBooks) -> bool:
    """Cash from opening to closing, by its parts, to the cent."""
    parts = books.traded + books.flows + books.fees + books.dividends + books.interest + books.other
    return abs(books.opening_cash + parts - books.closing_cash) < CENT


def test_four_days_with_everything_are_clean(make_rig: MakeRig) -> None:
    rig = make_rig()
    behaviour = rig.exchange.exchange.behaviour
    rig.exchange.exchange.behaviour = behaviour._replace(charges=True)
    split(rig, "AAPL", 3, 2)
    split(rig, "V", 1, 7)
    dividend(rig, "KO", "0.485", pay_date=DAYS[2])
    rig.run(BASE, rules())
    by_hand(rig, "UNH", "3", "by-hand")
    pay_in(rig, "12345.67")
    rig.run(NEXT, rules())
    buy_coins(rig, "0.0123")
    friday = close(rig, DAYS[0])
    until(rig, MONDAY)
    rig.run(NEXT, rules())
    pay_in(rig, "-345.67")
    by_hand(rig, "UNH", "-3", "sold-by-hand")
    monday = close(rig, DAYS[1])
    until(rig, MONDAY + timedelta(days=1))
    rig.run(dict.fromkeys(NEXT, 0.0) | {"BTC/USD": 0.0}, rules())
    tuesday = close(rig, DAYS[2])
    wednesday = close(rig, DAYS[3])  # the fee of the coins that were sold is listed now, and was paid then

    days = (friday, monday, tuesday, wednesday)
    assert [d.differences for d in days] == [()] * 4
    assert [d.unexplained for d in days] == [0] * 4
    assert all(bridges(d) for d in days)
    assert [d.flows for d in days] == [Decimal("12345.67"), Decimal("-345.67"), 0, 0]
    assert friday.dividends == monday.dividends == 0
    assert friday.fees == 0, "regulatory fees of a day are posted the midnight after it"
    assert monday.fees < 0
    assert tuesday.dividends > 0
    assert tuesday.dividends == (tuesday.dividends / Decimal("0.485")).to_integral_value() * Decimal("0.485")
    assert {s: h.qty for s, h in wednesday.positions.items()} == held(rig)
    for before, after in pairwise(days):
        assert (after.opened_at, after.opening_cash, after.opening_equity) == (
            before.closed_at, before.closing_cash, before.closing_equity,
        )  # fmt: skip
        assert not set(after.seen) < set(before.seen)
    assert [b["day"] for _, b in told(rig, "day_closed")] == [d.isoformat() for d in DAYS]
    assert [b for _, b in told(rig, "alert") if b.get("code") == "books"] == []
    keys = [key for key, _ in told(rig, "activity")]
    assert len(keys) == len(set(keys))
    assert all(d.is_priced for d in days)
    with Journal.open(rig.journal_file) as journal:
        for day in DAYS:
            made = period_report_of(journal, rig.account_id, "simulated", rules(), "day", day, wednesday.closed_at)
            assert made.bridge is not None
            assert (made.bridge.by_prices, made.bridge.unexplained, made.bridge.adds_up) == (True, 0, True), day


def test_realised_profit_is_against_what_was_paid(settled: MakeRig) -> None:
    """Everything is sold on Monday: what the sales brought beyond Friday's cost is the profit."""
    rig = settled()
    friday = close(rig, FRIDAY)
    cost = sum(h.qty * h.avg_entry_price for h in friday.positions.values())
    assert friday.realised == 0
    until(rig, MONDAY)
    rig.run(dict.fromkeys(BASE, 0.0), rules())
    monday = close(rig, MONDAY.date())
    assert monday.positions == {}
    assert monday.realised is not None
    assert monday.traded - monday.realised == cost
    assert abs(monday.closing_equity - monday.closing_cash) < CENT


def test_a_day_is_closed_once(settled: MakeRig) -> None:
    rig = settled()
    rig.run(NEXT, rules())
    first = close(rig, FRIDAY)
    rig.exchange.clock.advance(60)
    pay_in(rig, "100")
    assert close_again(rig) == first
    assert len(told(rig, "day_closed")) == 1
    assert day_of_body(json.loads(json.dumps(body_of_day(first)))) == first


def close_again(rig: Rig) -> DayBooks:
    process = rig.process()
    return check_day(process.world.broker, process.journal, rig.account_id, FRIDAY)


def test_a_day_without_a_cycle_proves_nothing_and_says_so(settled: MakeRig) -> None:
    rig = settled()
    until(rig, MONDAY)
    by_hand(rig, "UNH", "3", "by-hand")
    monday = close(rig, MONDAY.date())
    assert (monday.opened_at, monday.differences, monday.unexplained) == (None, (), 0)
    assert {s: h.qty for s, h in monday.positions.items()} == held(rig)
    pay_in(rig, "100")
    tuesday = close(rig, DAYS[2])
    assert (tuesday.differences, tuesday.unexplained) == ((), 0)
    assert (tuesday.opened_at, tuesday.flows) == (monday.closed_at, 100)


def test_what_is_listed_late_belongs_to_the_next_closing(settled: MakeRig) -> None:
    """A fee and a fill of Friday that the broker lists on Monday: counted by their ids, not by their dates."""
    rig = settled()
    friday = close(rig, FRIDAY)
    fee = Activity("20261120000000000::late", "FEE", None, Decimal(0), Decimal("-0.37"), FRIDAY)
    fill = BrokerFill(
        "20261120153000000::late", "desk", "KO", Decimal(1), Decimal(70), friday.closed_at - timedelta(hours=4)
    )

    def late(real: Any, after: Any) -> Any:
        fills, others = real(after)
        return (*fills, fill), (*others, fee)

    faults = {"account": changed_account(cash="-70.37"), "positions": one_more, "activities": late}
    monday = close(rig, MONDAY.date(), **faults)
    assert (monday.differences, monday.fees, monday.traded, monday.fills) == ((), fee.amount, -70, 1)
    tuesday = close(rig, DAYS[2], **faults)
    assert (tuesday.differences, tuesday.fees, tuesday.traded) == ((), 0, 0), "and not again"


def test_a_fill_that_is_listed_late_is_in_the_bridge_of_the_day_that_counts_it(settled: MakeRig) -> None:
    rig = settled()
    friday = close(rig, FRIDAY)
    fill = BrokerFill(
        "20261120153000000::late", "desk", "KO", Decimal(1), Decimal(70), friday.closed_at - timedelta(hours=4)
    )
    until(rig, datetime(2026, 11, 23, 21, 5, tzinfo=UTC))
    process = rig.process()
    (last,) = (quote.last for quote in process.broker.quotes(["KO"]))
    assert last is not None
    process.broker.script.update(
        account=changed_account(cash="-70", equity=str(last - 70)),
        positions=one_more,
        activities=lambda real, after: ((*real(after)[0], fill), real(after)[1]),
    )
    monday = check_day(process.world.broker, process.journal, rig.account_id, MONDAY.date())
    assert monday.counted == (fill.id,)
    assert day_of_body(json.loads(json.dumps(body_of_day(monday)))) == monday
    ledger = ledger_of(process.journal, rig.account_id)
    for after in (None, FRIDAY):
        found = bridge_of(process.journal, rig.account_id, ledger, "fifo", after)
        assert found is not None
        assert (found.last, found.unexplained, found.unpriced) == (MONDAY.date(), 0, ())


def test_after_a_day_without_any_row_late_ones_still_count_and_books_do_not_grow(settled: MakeRig) -> None:
    rig = settled()
    fee = Activity("20261120000000000::late", "FEE", None, Decimal(0), Decimal("-0.37"), FRIDAY)
    charged = {"account": changed_account(cash="-0.37")}
    assert close(rig, FRIDAY, activities=lambda *_: ((), ())).seen == ()
    monday = close(rig, MONDAY.date(), activities=lambda *_: ((), (fee,)), **charged)
    assert (monday.fees, monday.unexplained, monday.seen) == (fee.amount, 0, (fee.id,))
    tuesday = close(rig, DAYS[2], activities=lambda *_: ((), ()), **charged)
    assert (tuesday.fees, tuesday.unexplained, tuesday.seen) == (0, 0, ()), "only what can be listed again is kept"
    again = close(rig, DAYS[3], activities=lambda *_: ((), (fee,)), **charged)
    assert (again.fees, again.unexplained) == (0, 0), "a row that was away for a day is not counted twice"


@pytest.mark.parametrize("amount", [20_000, -20_000])
def test_money_that_the_closing_has_found_moves_the_marks_of_the_next_day(settled: MakeRig, amount: int) -> None:
    rig = settled()
    friday = rig.run(BASE, rules()).snapshot.account
    pay_in(rig, str(amount))
    assert close(rig, FRIDAY).flows == amount
    until(rig, MONDAY)
    monday = rig.run(BASE, rules()).snapshot.account
    assert abs(monday.peak_equity - friday.peak_equity - amount) < 1_000
    assert abs(monday.last_equity - friday.last_equity - amount) < 1_000
    assert [b["amount"] for _, b in told(rig, "flow")] == [str(amount)]


# --- mistakes, one at a time


def changed_account(**numbers: str) -> Any:
    def account(real: Any) -> Any:
        now = real()
        return now._replace(**{name: getattr(now, name) + Decimal(by) for name, by in numbers.items()})

    return account


def one_more(real: Any) -> Any:
    return tuple(p._replace(qty=p.qty + 1) if p.symbol == "KO" else p for p in real())


def without_last_fill(real: Any, after: Any) -> Any:
    fills, others = real(after)
    return fills[:-1], others


def dearer(real: Any, after: Any) -> Any:
    fills, others = real(after)
    last: BrokerFill = fills[-1]
    return (*fills[:-1], last._replace(price=last.price + 1)), others


def with_a_fee(real: Any, after: Any) -> Any:
    fills, others = real(after)
    return fills, (*others, Activity("20261120200000000::x", "FEE", None, Decimal(0), Decimal("-0.01"), FRIDAY))


@pytest.mark.parametrize(
    ("faults", "symbols"),
    [
        ({}, []),
        ({"account": changed_account(cash="0.01")}, ["cash"]),
        ({"account": changed_account(cash="-0.01")}, ["cash"]),
        ({"activities": with_a_fee}, ["cash"]),
        ({"positions": one_more}, ["KO"]),
        ({"activities": without_last_fill}, ["XOM", "cash", "XOM"]),
        ({"activities": dearer}, ["cash", "XOM"]),
    ],
)
def test_a_cent_or_a_share_is_found(settled: MakeRig, faults: dict[str, Any], symbols: list[str]) -> None:
    rig = settled()
    rig.run(NEXT, rules())
    books = close(rig, FRIDAY, **faults)
    assert [d.symbol for d in books.differences] == symbols
    assert (books.unexplained != 0) == ("cash" in symbols)
    alerts = [(key, b["level"]) for key, b in told(rig, "alert") if b.get("code") == "books"]
    assert alerts == [(symbol, "action") for symbol in symbols]
    assert told(rig, "day_closed")[0][1]["unexplained"] == text_of(books.unexplained)


def test_our_journal_is_compared_too(settled: MakeRig) -> None:
    """A fill that our journal has twice as large; the broker's books themselves are clean."""
    rig = settled()
    rig.run(NEXT, rules())
    process = rig.process()
    cycle = process.journal.cycles(None, 1)[0].cycle_id
    wrong = process.journal.orders_of(cycle, rig.account_id)[0]

    class Doubled:
        def __getattr__(self, name: str) -> Any:
            return getattr(process.journal, name)

        def orders_of(self, *names: str) -> Any:
            found = process.journal.orders_of(*names)
            return tuple(o._replace(filled_qty=o.filled_qty * 2) if o == wrong else o for o in found)

    journal: Any = Doubled()
    until(rig, datetime(2026, 11, 20, 21, 5, tzinfo=UTC))
    books = check_day(process.world.broker, journal, rig.account_id, FRIDAY)
    assert wrong.state is OrderState.FILLED
    assert [(d.symbol, d.expected, d.found) for d in books.differences] == [
        (wrong.symbol, wrong.filled_qty * 2, wrong.filled_qty)
    ]
    assert books.unexplained == 0


def test_an_account_that_trades_or_is_another_is_not_closed(settled: MakeRig) -> None:
    rig = settled()
    numbers = iter(range(100))

    def moving(real: Any) -> Any:
        now = real()
        return now._replace(cash=now.cash + next(numbers))

    with pytest.raises(BrokerUnavailable, match="keeps changing"):
        close(rig, FRIDAY, account=moving)
    with pytest.raises(WrongAccount):
        close(rig, FRIDAY, account=lambda real: real()._replace(id="another"))
    assert told(rig, "day_closed") == []
    books = close(rig, FRIDAY)
    assert (books.differences, books.unexplained) == ((), 0)
