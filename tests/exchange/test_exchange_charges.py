"""What borrowing costs: fees, interest, locates, and margin by day and night."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.exchange import locates, orders
from rebalancer.exchange.charges import SEC_RATE, TAF_RATE
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import get_position
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import DAY, HOUR, cash, held, kinds, live, refused, send


def test_a_paper_account_pays_no_charges(exchange: Exchange) -> None:
    held(exchange, "700")
    send(exchange, "sell", qty="10")
    exchange.clock.advance(15 * DAY)
    assert kinds(exchange, "FEE", "INT") == []


def test_regulatory_fees_of_sales_are_posted_after_the_day(exchange: Exchange) -> None:
    live(exchange)
    held(exchange, "50")
    order = send(exchange, "sell", qty="50")
    exchange.clock.advance(1)
    value = 50 * Decimal(str(orders.get_order(exchange, str(order["id"]))["filled_avg_price"]))
    up = {"rounding": "ROUND_CEILING"}
    expected = [(value * SEC_RATE).quantize(Decimal("0.01"), **up), (50 * TAF_RATE).quantize(Decimal("0.01"), **up)]
    assert exchange.account()["pending_reg_taf_fees"] == str(sum(expected)).rstrip("0")
    assert kinds(exchange, "FEE") == []
    exchange.clock.advance(DAY)
    assert [(row["activity_sub_type"], row["net_amount"]) for row in kinds(exchange, "FEE")] == [
        ("REG", str(-expected[0]).rstrip("0")), ("TAF", str(-expected[1]).rstrip("0")),
    ]  # fmt: skip


def test_borrowed_cash_costs_interest_each_month(exchange: Exchange) -> None:
    live(exchange)
    held(exchange, "600")
    debt = -cash(exchange)
    assert debt > 0
    exchange.clock.advance(13 * DAY)
    (row,) = kinds(exchange, "INT")
    assert row["date"] == "2026-12-01"
    assert -Decimal(str(row["net_amount"])) == (debt * 11 * Decimal("0.0625") / 360).quantize(
        Decimal("0.01"), rounding="ROUND_CEILING"
    )


def test_hard_to_borrow_names_are_sold_short_with_a_locate(exchange: Exchange) -> None:
    live(exchange)
    words = 'asset "AMC" cannot be sold short'
    assert refused(lambda: send(exchange, "sell", "AMC", qty="150")) == (422, 42210000, words)
    (quote,) = locates.quotes(exchange, {"symbols": "AMC"})["quotes"]  # type: ignore[misc] # one row
    before = cash(exchange)
    located = locates.locate(exchange, {"symbol": "AMC", "qty": 200})
    assert before - cash(exchange) == 200 * Decimal(str(quote["price"]))
    send(exchange, "sell", "AMC", qty="150")
    exchange.clock.advance(1)
    assert get_position(exchange, "AMC")["qty"] == "-150"
    assert locates.listed(exchange, {})["locates"] == [located]  # what is left of it is not shown
    assert refused(lambda: send(exchange, "sell", "AMC", qty="100"))[2] == words
    exchange.clock.advance(DAY)
    assert [row["activity_sub_type"] for row in kinds(exchange, "FEE")] == ["LCT", "REG", "TAF", "BRW"]
    exchange.clock.advance(2 * DAY)
    assert refused(lambda: send(exchange, "sell", "AMC", qty="50"))[2] == words  # locates are for one day


def test_hard_to_borrow_names_are_sold_with_day_orders_only(exchange: Exchange) -> None:
    held(exchange, "10", "AMC")
    words = 'only day orders are allowed for hard-to-borrow asset "AMC"'
    stop = {"type": "stop", "stop_price": "1", "time_in_force": "gtc"}
    assert refused(lambda: send(exchange, "sell", "AMC", **stop)) == (422, 42210000, words)
    assert send(exchange, "sell", "AMC", **{**stop, "time_in_force": "day"})["status"] == "pending_new"


def test_fourfold_margin_is_for_the_day_and_not_for_the_night() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, multiplier=4, partial_fill_probability=0))
    held(exchange, "900")
    account = exchange.account()
    assert Decimal(str(account["buying_power"])) > Decimal(str(account["regt_buying_power"])) == 0
    assert Decimal(str(account["buying_power"])) > 70_000
    night = {"type": "limit", "limit_price": "70", "extended_hours": True}
    exchange.clock.advance(7 * HOUR)
    assert send(exchange, symbol="KO", **night)["status"] == "pending_new"
    exchange.clock.advance(2 * DAY + 9 * HOUR)  # Monday after 02:00, overnight
    assert refused(lambda: send(exchange, symbol="KO", **night))[2] == "insufficient buying power"
