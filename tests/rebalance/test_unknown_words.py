"""Words of the broker's: those of 2026 are booked for what they are, one that nobody knows is never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from rebalancer.accounting.activities import KNOWN, moves_shares
from rebalancer.accounting.activity_totals import total_activities
from rebalancer.accounting.daily_close import check_day
from rebalancer.accounting.day_books import Holding
from rebalancer.brokers.alpaca.order_reading import read_activity, read_order
from rebalancer.brokers.protocol import Activity
from rebalancer.core.outcomes import Outcome
from rebalancer.exchange.admin.actions import change_faults
from rebalancer.exchange.calendar import NEW_YORK, moment_of
from rebalancer.journal import Journal
from rebalancer.planning.reconcile import reconcile
from rebalancer.rebalance.broker_orders import unknown_statuses
from rebalancer.testing import laws
from tests.planning.examples import snapshot
from tests.rebalance.conftest import BASE, MakeRig
from tests.rebalance.hands import MONDAY, until
from tests.rebalance.test_reconciliation import resting, verdict
from tests.support.rig import Rig, rules

UNKNOWN = ("QUANT", "DIVXYZ", "CORR", "fill", "")


def listed(rig: Rig, kind: str, symbol: str | None = "KO", number: int = 1, **body: str) -> str:
    """The broker lists an activity that it has never had before; its id."""
    exchange = rig.exchange.exchange
    with exchange.request() as at:
        local = moment_of(at).astimezone(NEW_YORK)
        identity = f"{local:%Y%m%d%H%M%S}000::{UUID(int=number, version=4)}"
        named = {"symbol": symbol} if symbol else {}
        row: dict[str, object] = {
            "id": identity, "activity_type": kind, "date": local.date().isoformat(), "status": "executed",
            "net_amount": "0", **named, **body,
        }  # fmt: skip
        exchange.store.add_activity(identity, kind, at, None, row)
    return identity


def alerts(rig: Rig, code: str) -> list[tuple[str, str]]:
    with Journal.open(rig.journal_file) as journal:
        rows = journal.recall(rig.account_id, "alert")
        return [(row.body["level"], row.body["text"]) for row in rows if row.body["code"] == code]


def closed(rig: Rig, day: date) -> Any:
    until(rig, datetime(day.year, day.month, day.day, 21, 5, tzinfo=UTC))
    process = rig.process()
    return check_day(process.world.broker, process.journal, rig.account_id, day)


def test_an_activity_of_an_unknown_type_freezes_its_symbol_and_is_told_once(settled: MakeRig) -> None:
    rig = settled()
    closed(rig, date(2026, 11, 20))
    until(rig, MONDAY)
    name = listed(rig, "QUANT", qty="3")
    wanted = {**BASE, "KO": 0.0}
    said = f'activity {name} is of type "QUANT", which this program does not know'
    for _ in range(2):  # also when the list is not read again
        result = rig.run(wanted, rules())
        assert verdict(result, "KO") is Outcome.FROZEN_UNRECONCILED
        (found,) = (v for v in (*result.verdicts, *result.unsignalled) if v.symbol == "KO")
        assert said in str(found.because)
        assert "KO" not in {order.symbol for order in result.orders}
    assert verdict(result, "AAPL") is not Outcome.FROZEN_UNRECONCILED
    assert alerts(rig, "unknown_word") == [
        ("action", f"KO: {said}: it is counted as nothing; KO is not traded until the books of the next day are closed")
    ]
    assert closed(rig, MONDAY.date()).differences == ()  # it has changed neither cash nor shares
    until(rig, MONDAY + timedelta(days=1))
    assert verdict(rig.run(wanted, rules()), "KO") is Outcome.FROZEN_UNRECONCILED
    closed(rig, date(2026, 11, 24))
    until(rig, MONDAY + timedelta(days=2))
    result = rig.run(wanted, rules())
    assert [(o.symbol, o.side) for o in result.orders] == [("KO", "sell")]
    laws.check_laws(rig.url, rig.journal_file)


def test_the_daily_close_lists_what_an_unknown_activity_has_done(settled: MakeRig) -> None:
    rig = settled()
    closed(rig, date(2026, 11, 20))
    until(rig, MONDAY)
    exchange = rig.exchange.exchange
    name = listed(rig, "QUANT", None, net_amount="-12.34")
    with exchange.request() as at:
        exchange.books.charge("FEE", "XXX", Decimal("-12.34"), at, "hidden", "what the unknown word took")
        exchange.store.execute("DELETE FROM activity WHERE type = 'FEE'")
    books = closed(rig, MONDAY.date())
    assert [(d.symbol, d.found - d.expected) for d in books.differences] == [("cash", Decimal("-12.34"))]
    assert (books.other, books.fees, books.unexplained) == (0, 0, Decimal("-12.34"))
    said = f'activity {name} is of type "QUANT", which this program does not know: it is counted as nothing'
    assert alerts(rig, "unknown_word") == [("action", f"the account: {said}")]


def test_shares_that_come_with_an_unknown_word_are_not_explained_by_it(settled: MakeRig) -> None:
    rig = settled()
    closed(rig, date(2026, 11, 20))
    until(rig, MONDAY)
    exchange = rig.exchange.exchange
    listed(rig, "QUANT", qty="7")
    with exchange.request() as at:
        exchange.books.split("KO", Decimal(7), at, "hidden", "FSPLIT", "what the unknown word brought")
        exchange.store.execute("DELETE FROM activity WHERE type = 'SPLIT'")
    result = rig.run(BASE, rules())
    assert [(f.symbol, f.kind, f.qty) for f in result.findings] == [("KO", "unexplained", Decimal(7))]
    assert verdict(result, "KO") is Outcome.FROZEN_UNRECONCILED


def test_an_order_in_an_unknown_status_freezes_its_symbol_and_is_told_once(settled: MakeRig) -> None:
    rig = settled()
    resting(rig, "MSFT", 3, "100", "patient")
    rig.run({"MSFT": 1.0}, rules())  # from now on the list begins with it, and the fault is about the first
    fault = {"kind": "unknown_enum", "request": "GET /v2/orders", "field": "status", "value": "quantum"}
    change_faults(rig.exchange.exchange, {"rules": [fault]})
    for _ in range(2):
        result = rig.run({"MSFT": 1.0}, rules())
        assert verdict(result, "MSFT") is Outcome.FROZEN_OPEN_ORDER
        assert result.orders == ()
    said = 'MSFT: order patient has the status "quantum", which this program does not know: it is taken to be working, '
    assert alerts(rig, "unknown_word") == [("action", said + "and the symbol is not traded until it ends")]
    rig.exchange.exchange.faults.clear()
    assert verdict(rig.run({"MSFT": 1.0}, rules()), "MSFT") is Outcome.FROZEN_OPEN_ORDER


def test_the_words_of_a_snapshot_freeze_whatever_else_is_known() -> None:
    order = read_order(
        {
            "id": "1", "client_order_id": "c-1", "symbol": "AAPL", "asset_class": "us_equity", "side": "buy",
            "type": "market", "qty": "3", "status": "accepted", "submitted_at": "2026-11-23T15:00:00Z",
        }
    )  # fmt: skip
    assert order is not None
    assert unknown_statuses([order, order._replace(symbol="KO", status="quantum", is_understood=False)]) == {
        "KO": 'order c-1 has the status "quantum"'
    }
    seen = snapshot(unknown_words={"KO": "something"})
    assert {symbol: (why.outcome, str(why.because)) for symbol, why in reconcile(seen).frozen.items()} == {
        "KO": (Outcome.FROZEN_UNRECONCILED, "something, which this program does not know")
    }


def row(kind: str, **body: str) -> dict[str, str]:
    return {"id": "20261123093000000::x", "activity_type": kind, "date": "2026-11-23", "symbol": "KO", **body}


@pytest.mark.parametrize(
    ("activity", "account", "amount", "shares"),
    [
        (row("CGD", net_amount="4.5", qty="10", per_share_amount="0.45"), "dividends", "4.5", "10"),
        (row("ROC", net_amount="3", qty="10"), "dividends", "3", "10"),
        (row("DIV", activity_sub_type="ROC", net_amount="3", qty="10"), "dividends", "3", "10"),
        (row("FI", net_amount="1.25"), "interest", "1.25", "10"),
        (row("INT", activity_sub_type="FI", net_amount="1.25"), "interest", "1.25", "10"),
        (row("MEM", net_amount="500"), "flows", "500", "10"),
        (row("REO", activity_sub_type="REOS", net_amount="0", qty="-4"), "other", "0", "6"),
        (row("REO", activity_sub_type="REOC", net_amount="80", qty="-10"), "other", "80", None),
        (row("REO", activity_sub_type="REOSC", net_amount="15.5", qty="2"), "other", "15.5", "12"),
        (row("OCT", net_amount="0", qty="5"), "flows", "300", "15"),
        (row("FOPT", net_amount="0", qty="-5"), "flows", "-300", "5"),
        (row("VOF", activity_sub_type="VTND", net_amount="70", qty="-10"), "other", "70", None),
        (row("DIVWH", net_amount="-0.5"), "dividends", "-0.5", "10"),
    ],
)
def test_the_words_of_2026_are_booked_for_what_they_are(
    activity: dict[str, str], account: str, amount: str, shares: str | None
) -> None:
    one = read_activity(activity)
    assert isinstance(one, Activity)
    assert one.type in KNOWN
    value = Decimal(amount)
    added = total_activities({"KO": Holding(Decimal(10), Decimal(50))}, [], [one], {one.id: value})
    assert {name: getattr(added, name) for name in ("flows", "fees", "dividends", "interest", "other")} == {
        **dict.fromkeys(("flows", "fees", "dividends", "interest", "other"), Decimal(0)), account: value,
    }  # fmt: skip
    assert added.positions == ({} if shares is None else {"KO": Decimal(shares)})


@pytest.mark.parametrize("kind", UNKNOWN)
@pytest.mark.parametrize("amount", ["0", "12"])
def test_an_unknown_word_is_counted_as_nothing(kind: str, amount: str) -> None:
    one = Activity("1", kind, "KO", Decimal(3), Decimal(amount), date(2026, 11, 23))
    opening = {"KO": Holding(Decimal(10), Decimal(50))}
    assert not moves_shares(one)
    assert total_activities(opening, [], [one]) == total_activities(opening, [], [])


def test_an_activity_of_2026_needs_none_of_the_old_fields() -> None:
    body = {
        "id": "20261123093000000::x",
        "activity_type": "OCT",
        "created_at": "2026-11-23T14:30:00Z",
        "status": "pending",
    }
    assert read_activity(body) == Activity(body["id"], "OCT", None, Decimal(0), Decimal(0), date(2026, 11, 23))
