"""Laws of the small pure parts of the books: tallies, causes, flows and latches, for any input."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from rebalancer.accounting.activities import body_of, flow_of, moment_of
from rebalancer.accounting.activity_totals import total_activities
from rebalancer.accounting.cash_flows import CashFlow, close_before, with_flows
from rebalancer.accounting.day_books import Holding
from rebalancer.accounting.explanations import activity_explanations
from rebalancer.accounting.loss_latches import standing
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.core.facts import Account
from rebalancer.core.values import ZERO
from rebalancer.journal.records import Event

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
SYMBOLS = ("AAPL", "KO", "V")
shares = st.integers(-50, 50).filter(bool).map(Decimal)
money = st.decimals(-5000, 5000, places=2)
prices = st.decimals("0.01", 900, places=2)
trades = st.lists(st.tuples(st.sampled_from(SYMBOLS), shares, prices), max_size=25)
others = st.lists(st.tuples(st.sampled_from(("CSD", "FEE", "DIV", "INT", "CIL", "MISC")), money), max_size=10)
ACCOUNT = Account("a", Decimal(1000), Decimal(1000), ZERO, ZERO, ZERO, Decimal(2), True)


def fills_of(rows: list[tuple[str, Decimal, Decimal]]) -> list[BrokerFill]:
    return [
        BrokerFill(f"f{i:03d}", f"o{i}", symbol, qty, price, NOON + timedelta(seconds=i))
        for i, (symbol, qty, price) in enumerate(rows)
    ]


def activities_of(rows: list[tuple[str, Decimal]]) -> list[Activity]:
    return [Activity(f"a{i:03d}", kind, None, ZERO, amount, DAY) for i, (kind, amount) in enumerate(rows)]


@given(trades, others)
def test_cash_is_the_sum_of_all_rows(rows: list[tuple[str, Decimal, Decimal]], more: list[tuple[str, Decimal]]) -> None:
    added = total_activities({}, fills_of(rows), activities_of(more))
    assert added.cash == sum((-q * p for _, q, p in rows), ZERO) + sum((a for _, a in more), ZERO)
    net = {s: sum((q for symbol, q, _ in rows if symbol == s), ZERO) for s in SYMBOLS}
    assert added.positions == {s: q for s, q in net.items() if q != 0}


@given(trades, st.lists(prices, min_size=3, max_size=3))
def test_what_is_realised_is_all_the_cash_once_everything_is_sold(
    rows: list[tuple[str, Decimal, Decimal]], last: list[Decimal]
) -> None:
    left = total_activities({}, fills_of(rows), ()).positions
    closing = [(s, -left[s], p) for s, p in zip(SYMBOLS, last, strict=True) if s in left]
    added = total_activities({}, fills_of([*rows, *closing]), ())
    assert added.positions == {}
    assert added.realised is not None
    assert abs(added.realised - added.traded) < Decimal("1e-15")


def test_a_cost_that_nobody_knows_makes_the_profit_unknown() -> None:
    sold = [BrokerFill("f", "o", "KO", Decimal(-1), Decimal(70), NOON)]
    assert total_activities({"KO": Holding(Decimal(2), ZERO)}, sold, ()).realised is None
    assert total_activities({"KO": Holding(Decimal(2), Decimal(60))}, sold, ()).realised == 10
    split = [Activity("a", "SPLIT", "KO", Decimal(2), ZERO, date(2026, 11, 19))]
    assert total_activities({"KO": Holding(Decimal(2), Decimal(60))}, sold, split).realised == 40, "each costs half now"


@given(
    st.dictionaries(st.sampled_from(SYMBOLS), shares),
    st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(-4, 4).map(Decimal)), max_size=8),
    st.sets(st.integers(0, 7)),
)
def test_only_an_exact_match_explains_and_each_only_once(
    missing: dict[str, Decimal], listed: list[tuple[str, Decimal]], used: set[int]
) -> None:
    rows = [Activity(f"a{i}", "SPLIT", symbol, qty, ZERO, DAY) for i, (symbol, qty) in enumerate(listed)]
    found = activity_explanations(missing, (), rows, (), {f"a{i}" for i in used})
    told = {s: sum((e.qty for e in found if e.symbol == s), ZERO) for s in {e.symbol for e in found}}
    assert told == {s: missing[s] for s in told}
    names = [e.reference for e in found]
    assert len(names) == len(set(names))
    assert not {int(name[1:]) for name in names} & used


def test_cash_dividends_and_fees_explain_no_shares() -> None:
    rows = [
        Activity("a1", "DIV", "KO", Decimal(5), Decimal(2), DAY),
        Activity("a2", "FEE", "KO", Decimal(5), ZERO, DAY),
        Activity("a3", "CFEE", "BTC/USD", Decimal("-0.1"), ZERO, DAY),
    ]
    assert activity_explanations({"KO": Decimal(5), "BTC/USD": Decimal("-0.1")}, (), rows, (), ()) == ()
    stock = Activity("a4", "DIV", "KO", Decimal(5), ZERO, DAY)
    assert [e.reference for e in activity_explanations({"KO": Decimal(5)}, (), [*rows, stock], (), ())] == ["a4"]


@given(st.lists(st.tuples(money, st.integers(-60, 60))), st.lists(st.tuples(money, st.integers(-60, 60))))
def test_flows_move_both_marks_by_what_they_are(
    known: list[tuple[Decimal, int]], new: list[tuple[Decimal, int]]
) -> None:
    closed = close_before(NOON, [DAY - timedelta(days=3), DAY - timedelta(days=1), DAY])
    assert closed == datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    first, second = ([CashFlow(amount, closed + timedelta(hours=h)) for amount, h in rows] for rows in (known, new))
    moved = with_flows(ACCOUNT, Decimal(5000), first, second, closed)
    assert moved.last_equity - 1000 == sum((f.amount for f in (*first, *second) if f.moment > closed), ZERO)
    assert moved.peak_equity == max(5000 + sum((f.amount for f in second), ZERO), ACCOUNT.equity)
    assert with_flows(ACCOUNT, None, first, second, closed).peak_equity == ACCOUNT.equity


@given(
    st.lists(st.tuples(st.sampled_from(("latched", "rearmed")), st.sampled_from(("daily_loss", "drawdown", "gate"))))
)
def test_a_latch_stands_until_a_person_lifts_it(rows: list[tuple[str, str]]) -> None:
    events = [Event(i + 1, NOON, "a", None, kind, key, {}) for i, (kind, key) in enumerate(rows)]
    found = standing([e for e in events if e.kind == "latched"], [e for e in events if e.kind == "rearmed"])
    last = {key: kind for kind, key in rows}
    assert {e.key for e in found} == {key for key, kind in last.items() if kind == "latched"} - {"gate"}


def test_activities_by_kind_and_time() -> None:
    paid = Activity("20261120101500123::x", "CSW", None, ZERO, Decimal(-5), DAY)
    dated = Activity("20261120000000000::x", "JNLC", None, ZERO, Decimal(7), DAY)
    moved = Activity("x", "ACATS", "KO", Decimal(3), ZERO, DAY)
    dividend = Activity("x", "DIV", "KO", Decimal(3), Decimal(1), DAY)
    told = [flow_of(a, {"KO": Decimal(70)}) for a in (paid, dated, moved, dividend)]
    assert told == [-5, 7, 210, 0]
    assert moment_of(paid) == datetime(2026, 11, 20, 15, 15, 0, 123000, tzinfo=UTC)
    assert moment_of(dated) == moment_of(moved) == datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    assert moment_of(paid._replace(id="20261399101500123::x")) == moment_of(dated), "no time at all"
    assert body_of(moved) == {
        "type": "ACATS", "symbol": "KO", "qty": Decimal(3), "amount": ZERO, "on": "2026-11-20",
        "at": "2026-11-20T05:00:00Z",
    }  # fmt: skip
