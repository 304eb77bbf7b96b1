"""The page of a period, its JSON and `performance` show one bridge, whatever the books say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.accounting.closed_days import day_parts
from rebalancer.cli.profit_table import LINES, bridge_lines
from rebalancer.core.values import ZERO
from rebalancer.performance.lots import match_lots
from rebalancer.performance.period_bridge import PeriodBridge, period_bridge
from rebalancer.performance.records import OrderHistory
from rebalancer.report.numbers import fixed
from rebalancer.report.period.document import edition_json
from rebalancer.report.period.page import edition_html
from rebalancer.report.period.parts.money import LABELS, bridge
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.results import BridgeSection
from tests.performance.test_period_bridge import START, DayOf, Told, account_of, days_of
from tests.report.html_tree import parse
from tests.report.period.sample import edition

MOVES = ("price_moves", "slippage")
SHORT: dict[str, object] = {"latest": None, "performance": None, "through_the_day": ()}  # a page that is made quickly


def on_the_page(told: Told) -> BridgeSection:
    source = SimpleNamespace(books=told.books, ledger=told.ledger, records=())
    found = bridge(cast("Source", source))
    assert found is not None
    return found


def of_performance(told: Told) -> PeriodBridge:
    closings = match_lots(told.ledger.fills, told.ledger.shares, "fifo").closings
    found = period_bridge([day_parts(told.ledger, one) for one in told.books], closings)
    assert found is not None
    return found


def figures(lines: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The parts that both show, of labelled lines; realised and unrealised together are the price moves."""
    parts = {name: lines.get(label, ZERO) for name, label in LABELS.items()}
    return {
        "moves": sum((parts.pop(name) for name in MOVES), ZERO),
        **parts,
    }


@settings(max_examples=25)
@given(days_of, st.booleans(), st.decimals("-5", "5", places=2), st.decimals("1", "300", places=2))
def test_page_json_and_performance_show_one_bridge(
    days: list[DayOf], priced: bool, lost: Decimal, decided: Decimal
) -> None:
    told = account_of(days)
    stories = {
        fill.order_id: OrderHistory(
            fill.order_id, "", "", fill.symbol, "buy", abs(fill.qty), abs(fill.qty), fill.price, decided, None, None,
            START, None,
        )
        for fill in told.ledger.fills
    }  # fmt: skip
    told = told._replace(ledger=told.ledger._replace(order_histories=stories))
    last = told.books[-1]  # equity that nothing explains, at the end
    told.books[-1] = last._replace(closing_equity=last.closing_equity + lost, unexplained=last.unexplained + lost)
    if not priced:
        told.books[:] = [one._replace(prices={}, opening=None) for one in told.books]
    section, whole = on_the_page(told), of_performance(told)
    cents = Decimal("0.01") * len(days) if not priced else ZERO  # values in kind are rounded by day without prices
    shown = figures({line.label: line.amount for line in section.lines})
    expected = {
        "moves": whole.realised + whole.unrealised,
        **{name: getattr(whole, name) for name in ("dividends", "interest", "fees", "other", "flows")},
        "accepted": ZERO,
    }
    assert shown.keys() == expected.keys()
    assert all(abs(shown[name] - expected[name]) <= cents for name in expected), (shown, expected)
    assert (section.opening, section.unexplained, section.closing) == (whole.opening, whole.unexplained, whole.closing)
    assert whole.unexplained == lost

    record = edition(bridge=section, **SHORT)
    document: dict[str, Any] = json.loads(edition_json(record))["bridge"]
    written = {line["label"]: Decimal(line["amount"]) for line in document["lines"]}
    assert written == {line.label: line.amount for line in section.lines}
    assert [Decimal(document[name]) for name in ("opening", "unexplained", "closing")] == [
        whole.opening,
        whole.unexplained,
        whole.closing,
    ]

    table = next(t for t in parse(edition_html(record)).all("table") if next(t.all("caption")).text == "Bridge")
    rows = [[cell.text for cell in (*row.all("th"), *row.all("td"))] for row in table.all("tr")][1:]
    assert rows[1:-2] == [[line.label, fixed(line.amount, 2, sign=True)] for line in section.lines]
    assert (rows[0][1], rows[-1][1]) == (fixed(whole.opening, 2), fixed(whole.closing, 2))
    screen = " ".join(" ".join(bridge_lines(whole, 80, False)).split())
    assert f"opening equity {rows[0][1]}" in screen
    assert f"closing equity {rows[-1][1]}" in screen
    assert f"{LINES['flows']} {fixed(whole.flows, 2, sign=True)}" in screen
