"""The real alpaca-py, in model mode, against every endpoint: what its models accept is what Alpaca sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoSnapshotRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, AssetStatus, OrderSide, OrderStatus, PositionSide, QueryOrderStatus
from alpaca.trading.enums import TimeInForce as Force
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
)

from rebalancer.exchange.market.listing import listings
from rebalancer.exchange.opening import STARTER
from rebalancer.exchange.starter import RunningExchange


@pytest.fixture
def client(running: RunningExchange) -> TradingClient:
    return TradingClient("key", "secret", url_override=running.url)


@pytest.fixture
def stocks(running: RunningExchange) -> StockHistoricalDataClient:
    return StockHistoricalDataClient("key", "secret", url_override=running.url)


@pytest.fixture
def crypto(running: RunningExchange) -> CryptoHistoricalDataClient:
    return CryptoHistoricalDataClient(url_override=running.url)


def market(symbol: str = "MSFT", **fields: Any) -> MarketOrderRequest:
    fields = {"qty": 2, "side": OrderSide.BUY, "time_in_force": Force.DAY, **fields}
    return MarketOrderRequest(symbol=symbol, **fields)


def ended(client: TradingClient, running: RunningExchange, order: Order) -> Order:
    running.clock.advance(5)
    return client.get_order_by_id(order.id)


def test_account_and_configurations(client: TradingClient) -> None:
    account = client.get_account()
    assert (account.status.value, account.currency, account.multiplier) == ("ACTIVE", "USD", "2")
    assert account.last_equity == "100000"
    configuration = client.get_account_configurations()
    configuration.suspend_trade = True
    assert client.set_account_configurations(configuration).suspend_trade is True
    assert client.get_account().trade_suspended_by_user is True


def test_assets(client: TradingClient) -> None:
    active = client.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY))
    assert len(active) == sum(one.tradable and not one.is_crypto for one in listings().values())
    assert "TWTR" not in {asset.symbol for asset in active}
    coins = client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert [(coin.symbol, coin.shortable, coin.min_trade_increment) for coin in coins] == [
        (name, False, 1e-9) for name, one in listings().items() if one.is_crypto
    ]
    names = ("AAPL", str(client.get_asset("AAPL").id), "BTCUSD", "BTC%2FUSD")
    assert [client.get_asset(name).symbol for name in names] == ["AAPL", "AAPL", "BTC/USD", "BTC/USD"]
    with pytest.raises(APIError) as caught:
        client.get_asset("ZZZ")
    assert (caught.value.status_code, caught.value.code) == (404, 40410000)


def test_clock_and_calendar(client: TradingClient) -> None:
    clock = client.get_clock()
    assert clock.is_open
    assert clock.next_close == datetime(2026, 11, 20, 21, tzinfo=UTC)
    assert clock.next_open == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    days = client.get_calendar(GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 30)))
    assert [(day.date.day, day.close.hour) for day in days] == [(25, 16), (27, 13), (30, 16)]  # Thanksgiving, half day


def test_an_order_from_submission_to_fill(client: TradingClient, running: RunningExchange) -> None:
    order = client.submit_order(market(client_order_id="mine", position_intent="buy_to_open"))
    assert isinstance(order, Order)
    assert (order.status, order.client_order_id, order.qty) == (OrderStatus.PENDING_NEW, "mine", "2")
    filled = ended(client, running, order)
    assert (filled.status, filled.filled_qty) == (OrderStatus.FILLED, "2")
    assert client.get_order_by_client_id("mine").id == order.id
    position = client.get_open_position("MSFT")
    assert (position.qty, position.avg_entry_price, position.side) == ("2", filled.filled_avg_price, PositionSide.LONG)
    fills = client.get("/account/activities/FILL", {"order_id": str(order.id)})
    assert sum(int(row["qty"]) for row in fills) == 2


def test_orders_are_listed_and_cancelled(client: TradingClient, running: RunningExchange) -> None:
    request = LimitOrderRequest(
        symbol="KO", qty=1, side=OrderSide.BUY, time_in_force=Force.GTC, limit_price=10.1, client_order_id="far"
    )
    first = client.submit_order(request)
    second = client.submit_order(request.model_copy(update={"client_order_id": "farther"}))
    assert [o.client_order_id for o in client.get_orders()] == ["farther", "far"]
    client.cancel_order_by_id(first.id)
    assert ended(client, running, first).status == OrderStatus.CANCELED
    answers = client.cancel_orders()
    assert [(answer.id, answer.status) for answer in answers] == [(second.id, 200)]
    running.clock.advance(1)
    query = GetOrdersRequest(
        status=QueryOrderStatus.CLOSED, symbols=["KO"], limit=500, after=datetime(2026, 11, 20, tzinfo=UTC)
    )
    assert {o.status for o in client.get_orders(query)} == {OrderStatus.CANCELED}
    assert client.get_orders() == []


def test_positions_are_closed(client: TradingClient, running: RunningExchange) -> None:
    client.submit_order(market("BTC/USD", qty=None, notional=500, time_in_force=Force.GTC))
    running.clock.advance(5)
    held = {p.symbol: p.qty for p in client.get_all_positions()}
    assert sorted(held) == sorted(["BTCUSD", *STARTER])
    shares = Decimal(held["AAPL"])
    half = client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    assert (Decimal(half.qty), half.side) == (shares / 2, OrderSide.SELL)
    running.clock.advance(5)
    one = client.close_position("AAPL", ClosePositionRequest(qty="1.5"))
    assert one.qty == "1.5"
    running.clock.advance(5)
    assert Decimal(client.get_open_position("AAPL").qty) == shares / 2 - Decimal("1.5")
    answers = client.close_all_positions(cancel_orders=True)
    assert {(answer.symbol, answer.status) for answer in answers} == {(symbol, 200) for symbol in held}
    running.clock.advance(5)
    assert client.get_all_positions() == []
    with pytest.raises(APIError) as caught:
        client.get_open_position("AAPL")
    assert (caught.value.status_code, caught.value.message) == (404, "position does not exist")


def test_refusals_reach_the_sdk(client: TradingClient) -> None:
    with pytest.raises(APIError) as caught:
        client.submit_order(market(qty=100_000))
    assert (caught.value.status_code, caught.value.code) == (403, 40310000)
    assert caught.value.message == "insufficient buying power"


def test_activities_are_paged(client: TradingClient) -> None:
    def walk(direction: str) -> Iterator[dict[str, Any]]:
        token = {}
        while page := client.get("/account/activities", {"page_size": 2, "direction": direction, **token}):
            assert len(page) <= 2
            yield from page
            token = {"page_token": page[-1]["id"]}

    rows = list(walk("asc"))
    assert [row["activity_type"] for row in rows] == ["CSD", *["FILL"] * len(STARTER)]
    assert list(walk("desc")) == rows[::-1]
    fill = rows[1]
    assert (fill["symbol"], fill["leaves_qty"], fill["transaction_time"]) == ("AAPL", "0", "2026-11-19T21:00:00Z")
    UUID(fill["id"].partition("::")[2])
    assert client.get("/account/activities/FILL", {"after": fill["transaction_time"]}) == []
    assert len(client.get("/account/activities/FILL", {"date": "2026-11-19"})) == len(STARTER)


def test_stock_data_agrees_with_itself(stocks: StockHistoricalDataClient, running: RunningExchange) -> None:
    names = ["AAPL", "XOM", "ZZZ", "TWTR"]
    quotes = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=names, feed="iex"))
    trades = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=names))
    latest = stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=names))
    whole = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=names))
    assert set(quotes) == set(trades) == set(latest) == set(whole) == {"AAPL", "XOM"}
    for name, snapshot in whole.items():
        assert 0 < quotes[name].bid_price < quotes[name].ask_price
        assert quotes[name].bid_price <= trades[name].price <= quotes[name].ask_price
        assert snapshot.latest_quote == quotes[name]
        assert snapshot.minute_bar == latest[name]
        assert snapshot.daily_bar.close == snapshot.minute_bar.close == trades[name].price
        assert snapshot.previous_daily_bar.timestamp == datetime(2026, 11, 19, 5, tzinfo=UTC)


def test_stock_bars_are_paged_without_gaps(stocks: StockHistoricalDataClient, running: RunningExchange) -> None:
    def closes(limit: int | None, minutes: int) -> dict[str, list[tuple[datetime, float]]]:
        frame = TimeFrame(minutes, TimeFrameUnit.Minute)
        request = StockBarsRequest(
            symbol_or_symbols=["AAPL", "MSFT"], timeframe=frame, start=datetime(2026, 11, 18, tzinfo=UTC), limit=limit
        )
        found = stocks.get_stock_bars(request).data
        return {name: [(bar.timestamp, bar.close) for bar in rows] for name, rows in found.items()}

    whole = closes(None, 5)
    assert {name: len(rows) for name, rows in whole.items()} == {"AAPL": 164, "MSFT": 164}
    paths = len(running.request_log)
    assert closes(70, 5) != whole  # the SDK stops at the limit; the raw pages below go on
    assert len(running.request_log) > paths
    token, pages, seen = "", 0, dict[str, list[float]]()
    while True:
        query = {"symbols": "AAPL,MSFT", "timeframe": "5Min", "start": "2026-11-18T00:00:00Z", "limit": 70}
        page = stocks.get("/stocks/bars", {**query, "page_token": token} if token else query)
        for name, rows in page["bars"].items():
            seen.setdefault(name, []).extend(row["c"] for row in rows)
        pages += 1
        token = page["next_page_token"]
        if not token:
            break
    assert pages == 5
    assert seen == {name: [close for _, close in rows] for name, rows in whole.items()}


def test_years_of_daily_bars(stocks: StockHistoricalDataClient) -> None:
    request = StockBarsRequest(
        symbol_or_symbols="AAPL", timeframe=TimeFrame.Day, start=datetime(2023, 11, 20), end=datetime(2026, 11, 20)
    )
    rows = stocks.get_stock_bars(request).data["AAPL"]
    assert len(rows) == 753
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in rows)
    descending = stocks.get(
        "/stocks/bars", {"symbols": "AAPL", "timeframe": "1Day", "start": "2026-11-16", "sort": "desc"}
    )
    assert [row["t"][:10] for row in descending["bars"]["AAPL"]] == [f"2026-11-{day}" for day in (20, 19, 18, 17, 16)]


def test_crypto_data(crypto: CryptoHistoricalDataClient) -> None:
    names = ["BTC/USD", "ETH/USD"]
    quotes = crypto.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=names))
    trades = crypto.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols=names))
    whole = crypto.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=names))
    assert set(quotes) == set(trades) == set(whole) == set(names)
    assert whole["BTC/USD"].daily_bar.close == trades["BTC/USD"].price
    hours = CryptoBarsRequest(
        symbol_or_symbols="BTC/USD",
        timeframe=TimeFrame.Hour,
        start=datetime(2026, 11, 14),
        end=datetime(2026, 11, 15, 23),
    )
    assert len(crypto.get_crypto_bars(hours).data["BTC/USD"]) == 48  # a weekend
    with pytest.raises(APIError, match="does not match"):
        crypto.get("/crypto/us/latest/quotes", {"symbols": "BTCUSD"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit": 10001}, "invalid limit: larger than the allowed maximum of 10000"),
        ({"limit": "x"}, "invalid limit: x"),
        ({"timeframe": "7Day"}, "invalid timeframe: 7Day"),
        ({"start": "soon"}, "Invalid format for parameter start: soon is neither an RFC 3339 time nor a date"),
        ({"symbols": ""}, "symbols is required"),
        ({"page_token": "%%%"}, "invalid page_token"),
        ({"sort": "up"}, "invalid sort: up"),
    ],
)
def test_wrong_data_parameters(stocks: StockHistoricalDataClient, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(APIError) as caught:
        stocks.get("/stocks/bars", {"symbols": "AAPL", "timeframe": "1Day", **changes})
    assert (caught.value.status_code, caught.value.message) == (400, message)


def test_sixteen_threads_lose_and_repeat_nothing(running: RunningExchange) -> None:
    """Every acknowledged order exists once; of equal ids sent at the same time exactly one is accepted."""
    accepted: list[str] = []
    refused: list[tuple[str, str]] = []

    def work(thread: int) -> None:
        client = TradingClient("key", "secret", url_override=running.url)
        for number in range(6):
            own, shared = f"t{thread}-{number}", f"shared-{number}"
            for client_order_id in (own, shared):
                try:
                    order = client.submit_order(market("KO", qty=1, client_order_id=client_order_id))
                    accepted.append(order.client_order_id)
                except APIError as error:
                    refused.append((client_order_id, error.message))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted([f"t{n}-{i}" for n in range(16) for i in range(6)] + [f"shared-{i}" for i in range(6)])
    assert sorted(accepted) == expected
    assert sorted(refused) == sorted([(f"shared-{i}", "client_order_id must be unique") for i in range(6)] * 15)
    running.clock.advance(60)
    client = TradingClient("key", "secret", url_override=running.url)
    assert client.get_open_position("KO").qty == str(len(expected))
    running.exchange.books.ledger.audit()
