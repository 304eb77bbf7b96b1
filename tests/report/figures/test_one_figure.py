"""One id, one figure: every view of a month says the same, and the page counts what the journal counts."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import utc_of
from rebalancer.report.period.document import edition_json
from rebalancer.report.period.page import edition_html, redacted
from rebalancer.report.period.records import Period
from rebalancer.report.period.words import attention_of
from tests.report.figures.month import DEPOSIT, WITHDRAWAL, Month, last_day, trading_days
from tests.report.figures.views import all_views, bare, differences, exported
from tests.report.html_tree import parse

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")  # pandas_market_calendars says it to pandas 3


def test_every_id_says_the_same_in_every_view(month: Month, project: Path) -> None:
    wrong, ids, comparisons = differences(list(all_views(month, project)))
    print(f"{ids} ids in two or more views, {comparisons} comparisons, {len(wrong)} differences")
    assert wrong == {}
    assert ids > 1000
    assert comparisons > 3000


def test_a_difference_would_be_found() -> None:
    views = [("page", {"a@1": "1.00", "b@1": "2"}), ("JSON", {"a@1": "1.00", "b@1": "3"}), ("mail", {"a@1": "1.00"})]
    assert differences(views) == ({"b@1": {"2": ["page"], "3": ["JSON"]}}, 2, 3)
    assert bare("▲ +1,234.50 %") == bare("+1234.50") == "+1234.50"


def journal_counts(month: Month, days: set[str]) -> dict[str, int]:
    """Orders and fills of these days, counted in the rows of the journal's file, without any code of the reports."""
    with closing(sqlite3.connect(month.folder / "journal.sqlite")) as db, db:
        rows = db.execute("SELECT kind, at, key, body FROM events ORDER BY seq").fetchall()
    events = [(kind, at, key, json.loads(body)) for kind, at, key, body in rows]
    ours = {body["broker_id"] for kind, _, _, body in events if kind.startswith("order_") and body.get("broker_id")}
    resting = {name for kind, _, _, body in events if kind == "protection" for name in body["ids"]}
    fills = [
        body for kind, _, _, body in events if kind == "activity" and body["type"] == "FILL" and on(body["at"]) in days
    ]
    ended = {key: body for kind, _, key, body in events if kind in ("order_changed", "order_ended")}
    intended = [key for kind, at, key, _ in events if kind == "order_intended" and on(at) in days]
    exits = {fill["order_id"] for fill in fills if fill["order_id"] in resting - ours}
    return {
        "orders": len(intended) + len(exits),
        "orders_filled": sum(ended[key]["state"] == "FILLED" for key in intended) + len(exits),
        "fills": len(fills),
        "fills_by_hand": sum(fill["order_id"] not in ours | resting for fill in fills),
    }


def on(at: str) -> str:
    return day_in_new_york(utc_of(at)).isoformat()


def test_the_page_counts_what_the_journal_counts(month: Month, project: Path) -> None:
    days = [day.isoformat() for day in trading_days()]
    wanted: list[tuple[Period, date, set[str]]] = [("day", day, {day.isoformat()}) for day in trading_days()]
    wanted += [("month", last_day(month), set(days)), ("all", last_day(month), set(days))]
    for period, day, own in wanted:
        report, counted = month.report(period, day), journal_counts(month, own)
        document = json.loads(edition_json(redacted(report)))
        assert document["counts"] == counted, day
        rows = [t for t in report.trades if t.was_intended]
        assert sum(t.is_ours for t in rows) == counted["orders"], day
        assert sum(t.is_ours and t.line.state is OrderState.FILLED for t in rows) == counted["orders_filled"], day
        page = edition_html(report)
        assert json.loads(next(parse(page).all("script")).own_text)["counts"] == counted
        shown = [row.attributes["data-order"] for row in parse(page).all("tr") if "data-order" in row.attributes]
        assert sorted(shown) == sorted(t.line.client_order_id for t in report.trades), day
        assert f"{counted['orders_filled']} of {counted['orders']} order" in document["sentence"]
    assert exported(month, "fills")["counts"] == journal_counts(month, set(days))
    assert len(exported(month, "fills")["rows"]) == journal_counts(month, set(days))["fills"]
    assert project == Path.cwd()


def test_the_month_has_everything(month: Month) -> None:
    report = month.report("month", last_day(month))
    causes = {trade.cause for trade in report.trades}
    assert {"target", "neutral", "stop", "take-profit", "kill", "hand"} <= causes
    assert any(not t.cycle_id and t.is_ours for t in report.trades)  # exits that rested at the broker
    assert report.flows == Decimal(DEPOSIT) + Decimal(WITHDRAWAL)
    assert report.bridge is not None
    assert (report.bridge.unexplained, report.broken) == (0, ())
    assert {e.key for e in month.journal.recall(month.account_id, "reconcile")}


def test_an_unknown_order_that_ended_is_no_alarm(month: Month) -> None:
    report = month.report("month", last_day(month))
    (alarm,) = (a for a in report.alarms if a.code == "unknown_order")
    assert (alarm.level, alarm.resolved) == ("action", "the order ended not sent")
    assert [a.resolved for a in report.alarms if a.level == "action" and not a.resolved] == []
    assert [item for item in attention_of(report) if item.level == "act"] == []
    (row,) = (t for t in report.trades if t.line.state is OrderState.NOT_SENT and t.was_intended)
    assert row.line.symbol == alarm.name
    assert "✔ resolved" in edition_html(report)


def test_the_operations_are_those_of_the_journal(month: Month) -> None:
    found = month.report("month", last_day(month)).operations
    assert found is not None
    days = {day.isoformat() for day in trading_days()}
    counted = journal_counts(month, days)
    with closing(sqlite3.connect(month.folder / "journal.sqlite")) as db, db:
        bodies = [json.loads(body) for (body,) in db.execute("SELECT body FROM events WHERE kind = 'protection'")]
        (cycles,) = db.execute("SELECT count(*) FROM events WHERE kind = 'cycle_started'").fetchone()
    pairs = {body["id"] for body in bodies if body["sent"]}
    assert found.trade.measured == sum(1 for t in month.report("month", last_day(month)).trades
                                       if t.is_ours and t.cycle_id and t.line.state is OrderState.FILLED)  # fmt: skip
    assert found.order.measured <= counted["orders"]
    assert (found.pairs, found.cycles, found.abandoned) == (len(pairs), cycles, 0)
    assert found.order.p50 is not None
    assert found.trade.p95 is not None
    assert found.order.p50 <= found.trade.p95
    assert (found.journal_bytes or 0) > 100_000
