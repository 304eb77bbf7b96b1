"""Splits and dividends, and the schedule that holds them."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.exchange import market_data, orders
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.corporate_actions import actions
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import get_position
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import DAY, HOUR, cash, held, kinds, send


@pytest.mark.parametrize(("new", "old", "after"), [(4, 1, "40"), (1, 10, "1"), (3, 2, "15")])
def test_a_split_changes_quantity_and_price_and_cancels_orders(
    exchange: Exchange, new: int, old: int, after: str
) -> None:
    held(exchange)
    before = exchange.market.daily(exchange.market.listings["AAPL"]).closes.copy()
    announce_split(exchange, "AAPL", date(2026, 11, 24), new, old)
    resting = send(exchange, type="limit", limit_price="1", time_in_force="gtc")
    other = send(exchange, symbol="KO", type="limit", limit_price="1", time_in_force="gtc")
    exchange.clock.advance(3 * DAY + 20 * HOUR)  # the 24th, 06:05
    worth, position = exchange.account(), get_position(exchange, "AAPL")
    assert position["qty"] == "10"
    exchange.clock.advance(3.5 * HOUR)
    split = get_position(exchange, "AAPL")
    assert (split["qty"], split["cost_basis"]) == (after, position["cost_basis"])
    assert [orders.get_order(exchange, str(o["id"]))["status"] for o in (resting, other)] == ["canceled", "new"]
    factor = Decimal(old) / new
    assert abs(Decimal(str(split["current_price"])) / factor / Decimal(str(position["current_price"])) - 1) < Decimal(
        "0.1"
    )
    assert abs(Decimal(str(split["change_today"]))) < Decimal("0.1")
    assert abs(Decimal(str(exchange.account()["equity"])) / Decimal(str(worth["equity"])) - 1) < Decimal("0.01")
    change = Decimal(after) - 10
    assert kinds(exchange, "SPLIT") == [{
        "activity_type": "SPLIT", "date": "2026-11-24", "activity_sub_type": "FSPLIT" if new > old else "RSPLIT",
        "symbol": "AAPL", "qty": str(change), "net_amount": "0",
    }]  # fmt: skip
    exchange.books.ledger.audit()
    path = exchange.market.daily(exchange.market.listings["AAPL"])
    first = path.row(date(2026, 11, 24).toordinal())
    assert (path.closes[:first] == before[:first]).all()  # prices that were seen do not change
    assert abs(path.closes[first:] / before[first:] - float(factor)).max() < 1e-12


def test_bars_are_adjusted_on_request(exchange: Exchange) -> None:
    announce_split(exchange, "AAPL", date(2026, 11, 24), 4, 1)
    announce_dividend(exchange, "AAPL", date(2026, 11, 25), date(2026, 11, 25), Decimal("2"))
    exchange.clock.advance(6 * DAY)

    def closes(mode: str) -> list[float]:
        query = {"symbols": "AAPL", "timeframe": "1Day", "start": "2026-11-20", "adjustment": mode}
        page = market_data.page(exchange, "bars", query, "stocks")["bars"]
        assert isinstance(page, dict)
        return [bar["c"] for bar in page["AAPL"]]

    raw, split, dividend, both = (closes(mode) for mode in ("raw", "split", "dividend", "all"))
    share = 1 - 2 / raw[2]
    assert raw[2:] == split[2:]
    assert raw[3:] == dividend[3:] == both[3:]
    assert split[:2] == pytest.approx([value / 4 for value in raw[:2]], abs=0.006)
    assert dividend[:3] == pytest.approx([value * share for value in raw[:3]], abs=0.02)
    assert both[:3] == pytest.approx([value * share for value in split[:3]], abs=0.02)


def test_a_fraction_that_cannot_be_held_is_paid_out(exchange: Exchange) -> None:
    held(exchange, "3", "NVR")
    announce_split(exchange, "NVR", date(2026, 11, 23), 1, 2)
    exchange.clock.advance(3 * DAY)
    assert get_position(exchange, "NVR")["qty"] == "1"
    (row,) = kinds(exchange, "CIL")
    opens = exchange.sessions.last_opened(exchange.clock.micros()).open
    assert Decimal(str(row["net_amount"])) == (exchange.market.last("NVR", opens) / 2).quantize(Decimal("0.01"))


def test_a_dividend_goes_to_who_held_at_the_ex_date(exchange: Exchange) -> None:
    held(exchange)
    held(exchange, "4", "KO", "sell")
    announce_dividend(exchange, "AAPL", date(2026, 11, 23), date(2026, 11, 30), Decimal("0.26"))
    announce_dividend(exchange, "KO", date(2026, 11, 23), date(2026, 11, 30), Decimal("0.5"))
    exchange.clock.advance(3 * DAY)
    exchange.catch_up()
    send(exchange, "sell")
    exchange.clock.advance(1)
    before = cash(exchange)
    exchange.clock.advance(7 * DAY)
    assert cash(exchange) - before == Decimal("0.60")  # 2.60 received, 2.00 paid by the short
    assert kinds(exchange, "DIV") == [
        {"activity_type": "DIV", "date": "2026-11-30", "activity_sub_type": "CDIV", "symbol": symbol, "qty": qty,
         "per_share_amount": rate, "net_amount": amount}
        for symbol, qty, rate, amount in sorted((("AAPL", "10", "0.26", "2.6"), ("KO", "-4", "0.5", "-2")),
                                                key=lambda row: next(i for i, a in enumerate(actions(exchange.store))
                                                                     if a.symbol == row[0]))
    ]  # fmt: skip
    assert {action.state for action in actions(exchange.store)} == {"done"}


def test_the_schedule_survives_a_restart_and_refuses_the_past(tmp_path: Path) -> None:
    options = ExchangeOptions(tmp_path / "state.db", speed=0)
    exchange = open_exchange(options)
    for wrong in (
        lambda: announce_split(exchange, "AAPL", date(2026, 11, 20), 2, 1),
        lambda: announce_split(exchange, "AAPL", date(2026, 11, 21), 2, 1),
        lambda: announce_split(exchange, "AAPL", date(2026, 11, 23), 2, 2),
        lambda: announce_split(exchange, "BTC/USD", date(2026, 11, 23), 2, 1),
        lambda: announce_dividend(exchange, "KO", date(2026, 11, 23), date(2026, 11, 22), Decimal(1)),
    ):
        with pytest.raises(ValueError, match=r"AAPL|BTC|KO|sense"):
            wrong()
    announce_split(exchange, "AAPL", date(2026, 11, 23), 2, 1)
    held(exchange)
    exchange.close()
    exchange = open_exchange(options)
    exchange.clock.advance(3 * DAY)
    assert get_position(exchange, "AAPL")["qty"] == "20"
    exchange.close()


def test_a_state_file_of_the_first_layout_is_brought_up(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "state.db"
    exchange = open_exchange(ExchangeOptions(path, speed=0))
    held(exchange)
    exchange.close()
    with closing(sqlite3.connect(path)) as old, old:  # what the first layout did not have
        for statement in (
            "DROP INDEX orders_parent", "ALTER TABLE orders DROP COLUMN parent", "DROP TABLE corporate_action",
            "DROP TABLE halt", "DROP TABLE watchlist", "DROP TABLE locate", "PRAGMA user_version = 1",
        ):  # fmt: skip
            old.execute(statement)
    old.close()
    exchange = open_exchange(ExchangeOptions(path, speed=0))
    assert get_position(exchange, "AAPL")["qty"] == "10"
    exchange.close()
