"""The account through the real client: watchlists, all order types, history, locates."""

from __future__ import annotations

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

from rebalancer.exchange import watchlists
from rebalancer.exchange.positions import list_positions
from rebalancer.exchange.starter import RunningExchange
from tests.exchange.helpers import refused


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
    assert client._request("POST", "/locates", {"symbol": "AMC", "qty": 100}, api_version="v1")["located_qty"] == 100
    assert [row["symbol"] for row in client.get("/locates", api_version="v1")["locates"]] == ["AMC"]
    assert list_positions(running.exchange)
