"""Records of the account: corporate actions, charges, history, activities, locates, watchlists and switches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderType
from alpaca.trading.enums import TimeInForce as Force
from alpaca.trading.requests import (
    CreateWatchlistRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
    UpdateWatchlistRequest,
)

from rebalancer.exchange import locates, market_data, orders, watchlists
from rebalancer.exchange.charges import SEC_RATE, TAF_RATE
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate import actions, announce_dividend, announce_split
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.history import portfolio_history
from rebalancer.exchange.positions import get_position, list_positions
from rebalancer.exchange.records import get_asset, list_activities
from rebalancer.exchange.starter import ExchangeOptions, RunningExchange, open_exchange

HOUR, DAY = 3600.0, 86_400.0
Row = dict[str, object]


def send(exchange: Exchange, side: str = "buy", symbol: str = "AAPL", **fields: object) -> Row:
    body = {"symbol": symbol, "side": side, "type": "market", "time_in_force": "day", "qty": "10", **fields}
    return exchange.submit(body)


def held(exchange: Exchange, qty: str = "10", symbol: str = "AAPL", side: str = "buy") -> None:
    send(exchange, side, symbol, qty=qty)
    exchange.clock.advance(1)
    exchange.catch_up()


def refused(call: Callable[[], object]) -> tuple[int, object, object]:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status, caught.value.body["code"], caught.value.body["message"]


def kinds(exchange: Exchange, *names: str) -> list[Row]:
    rows = list_activities(exchange, None, {"activity_types": ",".join(names), "direction": "asc"})
    return [{k: row[k] for k in row if k not in ("id", "status", "description")} for row in rows]


def cash(exchange: Exchange) -> Decimal:
    exchange.catch_up()
    return exchange.books.cash


# --- corporate actions -----------------------------------------------------------------------------------------------


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
        page = market_data.bar_page(exchange, query, crypto=False)["bars"]
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
                                                key=lambda row: next(i for i, a in enumerate(actions(exchange))
                                                                     if a.symbol == row[0]))
    ]  # fmt: skip
    assert {action.state for action in actions(exchange)} == {"done"}


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
    with sqlite3.connect(path) as old:  # what the first layout did not have
        for statement in (
            "DROP INDEX orders_parent", "ALTER TABLE orders DROP COLUMN parent", "DROP TABLE corporate_action",
            "DROP TABLE halt", "DROP TABLE watchlist", "DROP TABLE locate", "PRAGMA user_version = 1",
        ):  # fmt: skip
            old.execute(statement)
    old.close()
    exchange = open_exchange(ExchangeOptions(path, speed=0))
    assert get_position(exchange, "AAPL")["qty"] == "10"
    exchange.close()


# --- charges ---------------------------------------------------------------------------------------------------------


def live(exchange: Exchange, **changes: bool) -> None:
    exchange.behaviour = exchange.behaviour._replace(**(changes or {"charges": True}))


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


# --- locates, margin, switches ---------------------------------------------------------------------------------------


def test_hard_to_borrow_names_are_sold_short_with_a_locate(exchange: Exchange) -> None:
    live(exchange)
    words = 'asset "AMC" cannot be sold short'
    assert refused(lambda: send(exchange, "sell", "AMC", qty="150")) == (422, 42210000, words)
    (quote,) = locates.quotes(exchange, {"symbols": "AMC,AAPL,ZZZ"})["quotes"]  # type: ignore[misc] # one row
    assert quote["symbol"] == "AMC"
    for body, message in (
        ({"symbol": "AMC", "qty": "150"}, "qty must be a multiple of 100"),
        ({"symbol": "AAPL", "qty": "100"}, "easy_to_borrow"),
        ({"symbol": "ZZZ", "qty": "100"}, 'asset "ZZZ" not found'),
        ({"symbol": "AMC", "qty": "100", "limit_price": "0.00001"}, "limit_price_exceeded"),
    ):
        assert refused(lambda body=body: locates.locate(exchange, body))[2] == message
    before = cash(exchange)
    located = locates.locate(exchange, {"symbol": "AMC", "qty": 200})
    assert before - cash(exchange) == 200 * Decimal(str(quote["price"]))
    send(exchange, "sell", "AMC", qty="150")
    exchange.clock.advance(1)
    assert get_position(exchange, "AMC")["qty"] == "-150"
    assert locates.listed(exchange) == [{**located, "remaining_qty": "50"}]
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


def test_configurations_without_and_with_the_fields_of_old(exchange: Exchange) -> None:
    assert exchange.configurations() == {
        "suspend_trade": False, "no_shorting": False, "fractional_trading": True, "max_margin_multiplier": "4",
        "trade_confirm_email": "all", "ptp_no_exception_entry": False, "max_options_trading_level": 0,
        "disable_overnight_trading": False,
    }  # fmt: skip
    assert exchange.configure({"trade_confirm_email": "none"})["trade_confirm_email"] == "none"
    old = {"pattern_day_trader", "daytrade_count", "daytrading_buying_power"}
    assert not old & exchange.account().keys()
    live(exchange, legacy_day_trading=True)
    assert exchange.configurations().items() >= {"dtbp_check": "entry", "pdt_check": "entry"}.items()
    assert {key: exchange.account()[key] for key in old} == {
        "pattern_day_trader": False, "daytrade_count": 0, "daytrading_buying_power": "0",
    }  # fmt: skip
    for _ in range(4):
        held(exchange)
        held(exchange, side="sell")
    account = exchange.account()
    assert (account["pattern_day_trader"], account["daytrade_count"]) == (True, 4)
    exchange.clock.advance(10 * DAY)
    assert exchange.account()["daytrade_count"] == 0


def test_assets_tell_where_they_trade(exchange: Exchange) -> None:
    attributes = {name: get_asset(exchange, name)["attributes"] for name in ("AAPL", "NVR", "BTCUSD", "TWTR")}
    assert attributes == {
        "AAPL": ["fractional_eh_enabled", "overnight_tradable"], "NVR": [], "BTCUSD": [], "TWTR": [],
    }  # fmt: skip


# --- history and activities ------------------------------------------------------------------------------------------


def test_daily_history_is_what_the_closes_were_and_adds_up(exchange: Exchange) -> None:
    held(exchange, "100")
    exchange.clock.advance(5 * DAY)
    found = portfolio_history(exchange, {"period": "1W", "timeframe": "1D", "cashflow_types": "ALL"})
    equity, stamps = found["equity"], found["timestamp"]
    assert isinstance(equity, list)
    assert isinstance(stamps, list)
    days = [exchange.store.day_equity_before(date.fromordinal(d).toordinal() + 1) for d in
            range(date(2026, 11, 20).toordinal(), date(2026, 11, 25).toordinal())]  # fmt: skip
    closes = [float(round(row[1], 2)) for row in dict.fromkeys(days) if row]
    assert equity[-len(closes) - 1 : -1] == closes
    assert equity[-1] == float(str(exchange.account()["equity"]))
    assert found["base_value"] == 100_000.0
    assert found["profit_loss"] == [round(value - 100_000, 2) for value in equity]
    assert found["timeframe"] == "1D"


def test_a_deposit_is_a_flow_and_no_profit(exchange: Exchange) -> None:
    exchange.clock.advance(HOUR)
    with exchange.request() as at:
        exchange.books.fund(at, Decimal(5000), "extra")
    exchange.clock.advance(HOUR)
    found = portfolio_history(exchange, {"period": "1D", "timeframe": "1H", "cashflow_types": "CSD"})
    equity, profit = found["equity"], found["profit_loss"]
    assert isinstance(equity, list)
    assert isinstance(profit, list)
    assert (equity[0], equity[-1], set(profit)) == (100_000.0, 105_000.0, {0.0})
    flows = found["cashflow"]
    assert isinstance(flows, dict)
    assert sum(flows["CSD"]) == 5000
    assert kinds(exchange, "CSD")[-1]["net_amount"] == "5000"


@pytest.mark.parametrize("reporting", ["market_hours", "extended_hours", "continuous"])
def test_intraday_history_ends_at_the_present(exchange: Exchange, reporting: str) -> None:
    held(exchange, "100")
    exchange.clock.advance(3 * HOUR)
    query = {"period": "1D", "timeframe": "15Min", "intraday_reporting": reporting}
    found = portfolio_history(exchange, query)
    stamps, equity = found["timestamp"], found["equity"]
    assert isinstance(stamps, list)
    assert isinstance(equity, list)
    assert stamps == sorted(set(stamps))
    assert {b - a for a, b in pairwise(stamps) if b - a < 3600} == {900}
    assert equity[-1] == float(str(exchange.account()["equity"]))
    assert len({*equity}) > 5


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"period": "1X"}, "invalid period: 1X"),
        ({"timeframe": "2D"}, "invalid timeframe: 2D"),
        ({"period": "3M", "timeframe": "1H"}, "intraday timeframes are limited to 30 days"),
        ({"start": "2026-11-01", "end": "2026-11-02", "period": "1D"},
         "only two of start, end and period can be specified"),
        ({"start": "2026-12-01"}, "start must be before end"),
        ({"pnl_reset": "never"}, "invalid pnl_reset"),
    ],
)  # fmt: skip
def test_wrong_history_requests(exchange: Exchange, query: dict[str, str], words: str) -> None:
    assert refused(lambda: portfolio_history(exchange, query)) == (422, 40010001, words)


def test_activities_are_filtered_by_category_type_order_and_date(exchange: Exchange) -> None:
    held(exchange)
    exchange.clock.advance(3 * DAY)
    order = send(exchange, qty="1")
    exchange.clock.advance(1)

    def found(**query: str) -> list[object]:
        return [row["activity_type"] for row in list_activities(exchange, None, query)]

    assert found(category="trade_activity") == ["FILL", "FILL"]
    assert found(category="non_trade_activity") == ["CSD"]
    assert found(order_id=str(order["id"])) == ["FILL"]
    assert found(date="2026-11-20") == ["FILL"]
    assert found(after="2026-11-21") == ["FILL"]
    assert [row["symbol"] for row in list_activities(exchange, "FILL", {"page_size": "1"})] == ["AAPL"]
    assert refused(lambda: found(category="odd"))[2] == "invalid category"
    both = "category and activity_types cannot be combined"
    assert refused(lambda: found(category="trade_activity", activity_types="DIV"))[2] == both


# --- through the real client -----------------------------------------------------------------------------------------


@pytest.fixture
def client(running: RunningExchange) -> TradingClient:
    return TradingClient("key", "secret", url_override=running.url)


def test_watchlists_through_the_client(client: TradingClient, running: RunningExchange) -> None:
    made = client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["AAPL", "BTC/USD"]))
    assert [asset.symbol for asset in made.assets] == ["AAPL", "BTC/USD"]
    assert client.add_asset_to_watchlist_by_id(made.id, "KO").assets[-1].symbol == "KO"
    assert [a.symbol for a in client.remove_asset_from_watchlist_by_id(made.id, "AAPL").assets] == ["BTC/USD", "KO"]
    renamed = client.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="ours", symbols=["MSFT"]))
    assert (renamed.name, [a.symbol for a in renamed.assets]) == ("ours", ["MSFT"])
    assert client.get("/watchlists:by_name", {"name": "ours"})["id"] == str(made.id)
    assert [(row.name, row.assets) for row in client.get_watchlists()] == [("ours", None)]
    exchange = running.exchange
    assert refused(lambda: watchlists.create(exchange, {"name": "ours"}))[2] == "watchlist name must be unique"
    assert refused(lambda: watchlists.create(exchange, {"name": "x", "symbols": ["ZZZ"]}))[0] == 422
    assert refused(lambda: watchlists.add(exchange, "id", str(made.id), {"symbol": "MSFT"}))[2] == "duplicate symbol"
    client.delete_watchlist_by_id(made.id)
    assert client.get_watchlists() == []
    assert refused(lambda: watchlists.get(exchange, "name", "ours"))[0] == 404


def test_every_order_type_and_class_through_the_client(client: TradingClient, running: RunningExchange) -> None:
    buy = {"symbol": "MSFT", "qty": 2, "side": OrderSide.BUY, "time_in_force": Force.GTC}
    exits = {"take_profit": TakeProfitRequest(limit_price=900), "stop_loss": StopLossRequest(stop_price=200)}
    stop = client.submit_order(StopOrderRequest(stop_price=900, **buy))
    limit = client.submit_order(StopLimitOrderRequest(stop_price=900, limit_price=910, **buy))
    bracket = client.submit_order(MarketOrderRequest(order_class=OrderClass.BRACKET, **buy, **exits))
    assert [leg.status.value for leg in bracket.legs] == ["held", "held"]
    running.clock.advance(2)
    nested = client.get_order_by_id(bracket.id, GetOrderByIdRequest(nested=True))
    assert (nested.status.value, [leg.status.value for leg in nested.legs]) == ("filled", ["new", "new"])
    moved = client.replace_order_by_id(nested.legs[1].id, ReplaceOrderRequest(stop_price=210))
    assert (moved.stop_price, moved.replaces) == ("210", nested.legs[1].id)
    running.clock.advance(2)
    assert client.get_order_by_id(nested.legs[1].id).replaced_by == moved.id
    own = {"symbol": "AAPL", "qty": 10, "side": OrderSide.SELL, "time_in_force": Force.DAY}
    oco = client.submit_order(LimitOrderRequest(order_class=OrderClass.OCO, **own, **exits))
    assert (oco.type, len(oco.legs)) == (OrderType.LIMIT, 1)
    trailing = client.submit_order(
        TrailingStopOrderRequest(trail_percent=5, **{**own, "symbol": "JPM", "time_in_force": Force.GTC})
    )
    assert trailing.hwm is not None
    late = client.submit_order(
        LimitOrderRequest(limit_price=1, extended_hours=True, **{**buy, "symbol": "KO", "time_in_force": Force.DAY})
    )
    assert late.extended_hours is True
    running.clock.advance(2)
    listed = client.get_orders(GetOrdersRequest(nested=True))
    assert {o.id for o in listed} == {stop.id, limit.id, oco.id, trailing.id, late.id}
    assert len(client.cancel_orders()) == 8


def test_history_and_configurations_through_the_client(client: TradingClient, running: RunningExchange) -> None:
    found = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1M", timeframe="1D", cashflow_types="ALL"))
    assert len(found.timestamp) == len(found.equity) == len(found.profit_loss)
    assert client.get_portfolio_history().timeframe == "1D"
    configuration = client.get_account_configurations()
    assert (configuration.pdt_check, configuration.dtbp_check) == (None, None)
    configuration.fractional_trading = False
    assert client.set_account_configurations(configuration).fractional_trading is False
    running.exchange.behaviour = running.exchange.behaviour._replace(legacy_day_trading=True)
    assert client.get_account_configurations().pdt_check is not None
    assert client.get_account().daytrade_count == 0
    quotes = client.get("/locates/quotes", {"symbols": "AMC"}, api_version="v1")
    assert [row["symbol"] for row in quotes["quotes"]] == ["AMC"]
    assert client._request("POST", "/locates", {"symbol": "AMC", "qty": 100}, api_version="v1")["qty"] == "100"
    assert [row["symbol"] for row in client.get("/locates", api_version="v1")] == ["AMC"]
    assert list_positions(running.exchange)
