"""alpaca-py in model mode against every route that it has a method for, and both of its streams.

Model mode is the strict one: its models refuse a missing field, an unknown word or a wrong type for a whole list.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.trading.stream import TradingStream

from alpaca.data.models import Quote
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import CorporateActionType, OrderClass, OrderSide, OrderStatus, QueryOrderStatus
from alpaca.trading.enums import TimeInForce as Force
from alpaca.trading.models import Order, TradeUpdate
from alpaca.trading.requests import (
    ClosePositionRequest,
    CreateWatchlistRequest,
    GetCalendarRequest,
    GetCorporateAnnouncementsRequest,
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

from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.openapi.calls import CALLS
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.clients.alpaca_py_data import announcements_and_screens, every_frame, market_data

CRYPTO: Final = "/v1beta3/crypto/us"
LACKING: Final = {  # routes for which alpaca-py 0.44 has no method
    "GET /v2/account/activities",
    "GET /v2/account/activities/{activity_type}",
    "GET /v2/events/trades",
    "GET /v2beta1/events/activities",
    "GET /openapi.json",
    "GET /v2/stocks/auctions",
    "GET /v2/stocks/meta/exchanges",
    "GET /v2/stocks/meta/conditions/{ticktype}",
    *(call for call in CALLS if call.startswith("GET /v2/stocks/{symbol}/")),
    *(call for call in CALLS if call.startswith("GET /v1beta1/crypto/")),
    "GET /v3/clock",
    "GET /v3/calendar/{market}",
    "GET /v1/locates/quotes",
    "GET /v1/locates",
    "GET /v1/locates/{locate_id}",
    "POST /v1/locates",
    *(f"{method} /v2/watchlists:by_name" for method in ("GET", "PUT", "POST", "DELETE")),
}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningExchange]:
    options = ExchangeOptions(
        holdings="starter", rate_limit_per_minute=0, fill_latency_seconds=0.004, partial_fill_probability=0
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    with start_exchange(options) as server:
        yield server
    patch.undo()


@pytest.fixture
def client(running: RunningExchange) -> TradingClient:
    return TradingClient("key", "secret", url_override=running.url)


def later(running: RunningExchange) -> None:
    running.clock.advance(5)


def buy(kind: type[Any] = MarketOrderRequest, **fields: Any) -> Any:
    return kind(**{"symbol": "MSFT", "qty": 2, "side": OrderSide.BUY, "time_in_force": Force.DAY, **fields})


def account_and_reference(client: TradingClient, _: RunningExchange) -> None:
    assert client.get_account().status.value == "ACTIVE"
    configuration = client.get_account_configurations()
    assert client.set_account_configurations(configuration) == configuration
    assets = client.get_all_assets()
    assert client.get_asset(str(assets[0].id)) == assets[0]
    assert client.get_clock().is_open
    assert len(client.get_calendar(GetCalendarRequest(start=date(2026, 11, 23), end=date(2026, 11, 27)))) == 4


def orders_of_every_type(client: TradingClient, running: RunningExchange) -> None:
    market = client.submit_order(buy(client_order_id="one"))
    assert isinstance(market, Order)
    orders = [
        client.submit_order(request)
        for request in (
            buy(LimitOrderRequest, limit_price=20, time_in_force=Force.GTC),
            buy(StopOrderRequest, symbol="KO", stop_price=5000),
            buy(StopLimitOrderRequest, symbol="KO", stop_price=5000, limit_price=5001),
            buy(TrailingStopOrderRequest, symbol="AAPL", qty=1, side=OrderSide.SELL, trail_percent=9),
            buy(
                LimitOrderRequest,
                symbol="XOM",
                limit_price=20,
                order_class=OrderClass.BRACKET,
                take_profit=TakeProfitRequest(limit_price=30),
                stop_loss=StopLossRequest(stop_price=10),
            ),
        )
    ]
    later(running)
    assert client.get_order_by_client_id("one").status == OrderStatus.FILLED
    nested = GetOrderByIdRequest(nested=True)
    found = [client.get_order_by_id(order.id, nested) for order in orders if isinstance(order, Order)]
    assert [order.status for order in found] == [OrderStatus.NEW] * 5
    assert found[4].legs is not None
    assert {leg.status for leg in found[4].legs} == {OrderStatus.HELD}
    replaced = client.replace_order_by_id(found[0].id, ReplaceOrderRequest(limit_price=21))
    assert isinstance(replaced, Order)
    assert replaced.replaces == found[0].id
    later(running)
    listed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, nested=True))
    assert {order.id for order in found} <= {order.id for order in listed if isinstance(order, Order)}
    client.cancel_order_by_id(replaced.id)
    later(running)
    assert {answer.status for answer in client.cancel_orders()} == {200}
    later(running)
    assert client.get_orders() == []


def positions(client: TradingClient, running: RunningExchange) -> None:
    client.submit_order(buy(symbol="BTC/USD", qty=None, notional=500, time_in_force=Force.GTC))
    later(running)
    held = client.get_all_positions()
    assert client.get_open_position("BTCUSD").symbol == "BTCUSD"
    assert isinstance(client.close_position("BTCUSD", ClosePositionRequest(percentage="50")), Order)
    later(running)
    answers = client.close_all_positions(cancel_orders=True)
    assert {(answer.symbol, answer.status) for answer in answers} == {(position.symbol, 200) for position in held}


def history_and_watchlists(client: TradingClient, _: RunningExchange) -> None:
    history = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1M", timeframe="1D"))
    assert len(history.timestamp) == len(history.equity) == len(history.profit_loss)
    made = client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["AAPL"]))
    assert [one.name for one in client.get_watchlists()] == ["mine"]
    grown = client.add_asset_to_watchlist_by_id(made.id, "MSFT")
    assert [asset.symbol for asset in grown.assets] == ["AAPL", "MSFT"]
    assert client.get_watchlist_by_id(made.id) == grown
    assert [a.symbol for a in client.remove_asset_from_watchlist_by_id(made.id, "AAPL").assets] == ["MSFT"]
    assert client.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="ours")).name == "ours"
    client.delete_watchlist_by_id(made.id)
    assert client.get_watchlists() == []


def notices(client: TradingClient, running: RunningExchange) -> None:
    """Announced dividends and splits, by the older calls; the client warns that they are deprecated."""
    announce_dividend(running.exchange, "PG", date(2026, 12, 1), date(2026, 12, 15), Decimal("1.06"))
    announce_split(running.exchange, "NKE", date(2026, 12, 2), 2, 1)
    both = [CorporateActionType.DIVIDEND, CorporateActionType.SPLIT]
    asked = GetCorporateAnnouncementsRequest(ca_types=both, since=date(2026, 12, 1), until=date(2026, 12, 31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = client.get_corporate_announcements(asked)
    assert [(row.initiating_symbol, row.ca_type, row.cash, row.new_rate) for row in found] == [
        ("PG", CorporateActionType.DIVIDEND, 1.06, 1.0), ("NKE", CorporateActionType.SPLIT, 0.0, 2.0),
    ]  # fmt: skip
    assert client.get_corporate_announcement_by_id(found[0].id) == found[0]


PARTS: Final = (
    account_and_reference,
    notices,
    orders_of_every_type,
    market_data,
    every_frame,
    announcements_and_screens,
    positions,
    history_and_watchlists,
)


def test_every_route_that_the_client_has_a_method_for(client: TradingClient, running: RunningExchange) -> None:
    for part in PARTS:
        part(client, running)
    patterns = {call: re.compile(re.sub(r"\{\w+\}", "[^/]+", call.partition(" ")[2])) for call in CALLS}
    log = set(running.request_log)
    sent = {
        call
        for call, pattern in patterns.items()
        if any(call.startswith(f"{method} ") and pattern.fullmatch(path) for method, path in log)
    }
    assert set(CALLS) - sent == LACKING


def consumed(stream: Any, until: Callable[[], bool], poke: Callable[[], object]) -> None:
    """Run a stream in a thread of its own until something has come, poking the exchange now and then."""
    pause = threading.Event()

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK's use of websockets and of its own coroutines at the end
            stream.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    stopping = threading.Thread(target=stream.stop, daemon=True)
    for _ in range(15_000):
        if until() and not stopping.ident:
            stopping.start()  # it waits for one more message
        if not thread.is_alive():
            break
        poke()
        pause.wait(0.02)
    assert until()
    stopping.join(300)
    thread.join(300)
    assert not thread.is_alive()


def test_trading_stream(client: TradingClient, running: RunningExchange) -> None:
    seen: list[TradeUpdate] = []
    stream = TradingStream("key", "secret", url_override=f"ws{running.url[4:]}/stream")

    async def note(update: TradeUpdate) -> None:
        seen.append(update)

    stream.subscribe_trade_updates(note)

    def poke() -> None:
        client.submit_order(buy(symbol="KO", qty=1))
        running.clock.advance(1)

    consumed(stream, lambda: any(update.event == "fill" for update in seen), poke)
    assert all(isinstance(update, TradeUpdate) for update in seen)
    fill = next(update for update in seen if update.event == "fill")
    assert (fill.order.symbol, fill.qty, fill.order.filled_qty) == ("KO", 1.0, "1")


@pytest.mark.parametrize(
    ("kind", "path", "name"), [(StockDataStream, "/v2/iex", "AAPL"), (CryptoDataStream, CRYPTO, "BTC/USD")]
)
def test_price_streams(running: RunningExchange, kind: type[Any], path: str, name: str) -> None:
    seen: list[Quote] = []
    stream = kind("key", "secret", url_override=f"ws{running.url[4:]}{path}")

    async def note(quote: Quote) -> None:
        seen.append(quote)

    stream.subscribe_quotes(note, name)
    consumed(stream, lambda: len(seen) > 1, lambda: running.clock.advance(15))
    assert {(type(quote), quote.symbol) for quote in seen} == {(Quote, name)}
    assert all(0 < quote.bid_price < quote.ask_price for quote in seen)
