"""The bridge of a period: every part is told, shares in kind are a flow and no cash, and nothing is unexplained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from rebalancer.accounting.activity_totals import ActivityTotals, total_activities
from rebalancer.accounting.closed_days import day_parts
from rebalancer.accounting.day_books import DayBooks, Holding, InKind, Priced
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.cli.profit_table import bridge_lines
from rebalancer.core.values import ZERO
from rebalancer.performance.lots import Lot, match_lots
from rebalancer.performance.period_bridge import PeriodBridge, period_bridge
from rebalancer.performance.records import AccountHistory, Fill, ShareEvent

D = Decimal
CENT = D("0.01")
FIRST = date(2026, 11, 16)
START = datetime(2026, 11, 16, 14, 30, tzinfo=UTC)
SYMBOLS = ("KO", "XOM")
shares = st.integers(-30, 30).filter(bool).map(D)
price = st.decimals("1", "300", places=2)
money = st.decimals("-900", "900", places=2)
kinds = st.sampled_from(["CSD", "CSW", "DIV", "FEE", "INT", "CIL"])
days_of = st.lists(
    st.tuples(
        st.fixed_dictionaries(dict.fromkeys(SYMBOLS, price)),  # closing prices
        st.lists(st.tuples(st.sampled_from(SYMBOLS), shares, price), max_size=4),
        st.lists(st.tuples(st.sampled_from(SYMBOLS), shares, st.sampled_from(["ACATS", "JNLS"]), money), max_size=3),
        st.lists(st.tuples(kinds, money), max_size=3),
    ),
    min_size=1,
    max_size=5,
)
DayOf = tuple[
    dict[str, Decimal],
    list[tuple[str, Decimal, Decimal]],
    list[tuple[str, Decimal, str, Decimal]],
    list[tuple[str, Decimal]],
]


class Told(NamedTuple):
    """Days as the books tell them, what the ledger knows of them, and the shares and cash of an account apart."""

    books: list[DayBooks]
    ledger: AccountHistory
    in_kind: Decimal
    paid: Decimal


def account_of(days: list[DayOf]) -> Told:
    """An account that lives these days, kept by hand beside the books: shares and cash are counted here."""
    held: dict[str, Decimal] = dict.fromkeys(SYMBOLS, ZERO)
    average: dict[str, Decimal] = {}
    last: Mapping[str, Decimal] = {}
    cash, in_kind, paid, fills, moved, books = D(100_000), ZERO, ZERO, list[Fill](), list[ShareEvent](), []
    opening: dict[str, Holding] = {}
    equity, begin = cash, START
    for number, (closes, trades, transfers, payments) in enumerate(days):
        end, before = START + timedelta(days=number, hours=7), cash
        listed = [
            BrokerFill(f"f{number}{i}", f"o{number}{i}", s, q, p, begin + timedelta(minutes=1 + i))
            for i, (s, q, p) in enumerate(trades)
        ]
        day = (START + timedelta(days=number)).date()
        others = [Activity(f"t{number}{i}", kind, s, q, a, day) for i, (s, q, kind, a) in enumerate(transfers)]
        values = {one.id: one.qty * closes[one.symbol or ""] for one in others}
        others += [Activity(f"p{number}{i}", kind, None, ZERO, a, day) for i, (kind, a) in enumerate(payments)]
        added = total_activities(opening, listed, others, values)
        for s, q, p in trades:
            held[s], cash = held[s] + q, cash - q * p
        for s, q, _, _ in transfers:
            held[s], in_kind = held[s] + q, in_kind + q * closes[s]
        cash += sum((a for _, a in payments), ZERO)
        paid += sum((a for kind, a in payments if kind in ("CSD", "CSW")), ZERO)
        fills += [Fill(*one[:2], one.at, one.symbol, one.qty, one.price) for one in listed]
        moved += [ShareEvent(x.id, end, x.symbol, x.qty, "in_kind", abs(x.value / x.qty)) for x in added.in_kind]
        now = cash + sum((q * closes[s] for s, q in held.items()), ZERO)
        holdings = {s: Holding(q, average.get(s, ZERO)) for s, q in held.items() if q}
        priced = {s: Priced(one.qty, last[s]) for s, one in opening.items()}
        books.append(books_of(day, begin, end, (equity, now), (before, cash), added, holdings, priced, closes))
        equity, opening, last, begin = now, holdings, closes, end
    return Told(books, AccountHistory(fills=tuple(fills), shares=tuple(moved)), in_kind, paid)


def books_of(
    day: date,
    begin: datetime,
    end: datetime,
    equity: tuple[Decimal, Decimal],
    cash: tuple[Decimal, Decimal],
    added: ActivityTotals,
    holdings: dict[str, Holding],
    opening: dict[str, Priced],
    closes: Mapping[str, Decimal],
) -> DayBooks:
    return DayBooks(
        day, begin, end, *equity, *cash, added.traded, added.flows, added.fees, added.dividends, added.interest,
        added.other, equity[1] - equity[0] - added.flows, added.realised, cash[1] - cash[0] - added.cash, 0, holdings,
        (), (), closes, opening, in_kind=added.in_kind,
    )  # fmt: skip


def bridge_of(told: Told, expected: list[date] | None = None) -> PeriodBridge:
    closings = match_lots(told.ledger.fills, told.ledger.shares, "fifo").closings
    found = period_bridge([day_parts(told.ledger, one) for one in told.books], closings, expected or ())
    assert found is not None
    return found


@given(days_of)
def test_equity_changes_by_flows_and_profit_and_nothing_is_unexplained(days: list[DayOf]) -> None:
    told = account_of(days)
    found = bridge_of(told)
    assert [one.unexplained for one in told.books] == [0] * len(days), "shares in kind are no cash"
    assert found.unexplained == 0
    assert abs(found.flows - told.in_kind - told.paid) <= CENT * len(days)
    parts = (found.realised, found.unrealised, found.dividends, found.fees, found.interest, found.other)
    assert found.opening + found.flows + sum(parts, ZERO) == found.closing
    result = sum((one.result for one in told.books), ZERO)
    assert abs(sum(parts, ZERO) - result) <= CENT * len(days)


@given(days_of)
def test_unrealised_is_what_open_lots_have_gained(days: list[DayOf]) -> None:
    told = account_of(days)
    lots: tuple[Lot, ...] = match_lots(told.ledger.fills, told.ledger.shares, "fifo").open
    gained = sum((lot.qty * days[-1][0][lot.symbol] - lot.cost for lot in lots), ZERO)
    assert abs(bridge_of(told).unrealised - gained) <= CENT * (2 * len(days) + 1)


def test_shares_that_come_and_go_in_kind_by_hand() -> None:
    """10 KO at 50. Four come at 60 and later five go at 60; the amounts they carry are not cash."""
    opening = {"KO": Holding(D(10), D(50))}
    come = Activity("1", "ACATS", "KO", D(4), D("999"), FIRST)
    go = Activity("2", "JNLS", "KO", D(-5), D("777"), FIRST)
    both = total_activities(opening, (), [come, go], {"1": D(240), "2": D(-300)})
    assert both.cash == 0
    assert both.flows == -60
    assert both.positions == {"KO": D(9)}
    assert both.in_kind == (InKind("1", "KO", D(4), D(240)), InKind("2", "KO", D(-5), D(-300)))
    assert both.realised is not None
    assert round(both.realised, 4) == D("35.7143"), "five shares that had cost 740 / 14 each"
    for one, value, flows, left in ((come, "240", "240", "14"), (go, "-300", "-300", "5")):
        added = total_activities(opening, (), [one], {one.id: D(value)})
        assert (added.cash, added.flows, added.positions) == (0, D(flows), {"KO": D(left)})
        equity = D(1000) + 10 * 58, D(1000) + D(left) * 60  # 58 the evening before, 60 now
        books = books_of(
            FIRST, START, START + timedelta(hours=7), equity, (D(1000), D(1000)), added,
            {"KO": Holding(D(left), D(50))}, {"KO": Priced(D(10), D(58))}, {"KO": D(60)},
        )  # fmt: skip
        part = day_parts(AccountHistory(), books).bridge
        assert (part.flows, part.price_moves, part.unexplained) == (D(flows), D(20), 0), "10 shares won 2 dollars each"
        assert books.result == 20


BRIDGE = PeriodBridge(
    FIRST, date(2026, 11, 19), D("1000000"), D("-250"), D("12.5"), D("-3"), D("1.2"), D("-0.03"), D(0), D("0.4"), D(0),
    D("999761.07"),
)  # fmt: skip


def test_the_table_fits_and_says_what_is_missing() -> None:
    lines = bridge_lines(BRIDGE, 80, False)
    assert [line.split() for line in lines[3:]] == [
        ["opening", "equity", "1,000,000.00"],
        ["deposits", "and", "withdrawals", "−250.00"],
        ["realised", "+12.50"],
        ["unrealised", "−3.00"],
        ["dividends", "+1.20"],
        ["fees", "−0.03"],
        ["interest", "0.00"],
        ["splits,", "mergers,", "other", "+0.40"],
        ["unexplained", "0.00", "✔"],
        ["closing", "equity", "999,761.07"],
    ]
    days = tuple(FIRST + timedelta(days=n) for n in (1, 4, 7))
    wrong = BRIDGE._replace(unexplained=D("-0.01"), missing=days, unpriced=(FIRST,))
    said = bridge_lines(wrong, 80, False)
    assert max(len(line) for line in said) <= 80
    text = " ".join(" ".join(said).split())
    assert "unexplained −0.01 ✘ must be 0.00" in text
    assert "not closed on 2026-11-17: counted with the closed day that follows." in text
    assert "not closed yet for 2026-11-20, 2026-11-23: not in this table." in text
    assert "Books of 2026-11-16 have no prices" in text
    assert "no books of this period were closed yet" in " ".join(bridge_lines(None, 80, False))


def test_days_without_books_are_named() -> None:
    told = account_of([({"KO": D(5), "XOM": D(5)}, [], [], []), ({"KO": D(6), "XOM": D(5)}, [], [], [])])
    expected = [FIRST + timedelta(days=n) for n in range(4)]
    assert bridge_of(told, expected).missing == (expected[2], expected[3])
    assert period_bridge([], (), expected) is None
