"""A session of Alpaca's older Python client, alpaca-trade-api 3.2, against the exchange at EXCHANGE_URL.

It needs an environment of its own, since it pins old libraries. Every check raises when it fails; the last line printed
is a JSON summary that the test reads.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from alpaca_trade_api.rest import REST, APIError, TimeFrame
from alpaca_trade_api.stream import Stream

URL = os.environ["EXCHANGE_URL"]
client = REST("key", "secret", base_url=URL)
calls: set[str] = set()
events: set[str] = set()
prices: set[str] = set()
asked = 0


def ask(name: str, /, *values: Any, **named: Any) -> Any:
    global asked
    calls.add(name)
    asked += 1
    return getattr(client, name)(*values, **named)


def refused(status: int, words: str, name: str, *values: Any, **named: Any) -> None:
    try:
        ask(name, *values, **named)
        found = None
    except APIError as error:
        found = error
    assert found is not None, f"{name} went through"
    assert (found.status_code, words in str(found)) == (status, True), found


def until(what: str, holds: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.02)


def settled(identity: str, status: str) -> None:
    until(status, lambda: ask("get_order", identity).status == status)


def account() -> None:
    assert ask("get_account").status == "ACTIVE"
    assert ask("update_account_configurations", no_shorting=True, dtbp_check="both").no_shorting is True
    assert ask("get_account_configurations").dtbp_check == "both"
    ask("update_account_configurations", no_shorting=False, dtbp_check="entry")


def reference() -> None:
    assert ask("get_clock").is_open
    days = ask("get_calendar", start="2026-11-25T00:00:00Z", end="2026-11-30T00:00:00Z")
    assert [str(day.close)[:5] for day in days] == ["16:00", "13:00", "16:00"]
    assert len(ask("list_assets", status="active", asset_class="us_equity")) > 30
    assert ask("get_asset", "BTCUSD").symbol == "BTC/USD"
    refused(404, "not found", "get_asset", "ZZZZ")


def orders() -> None:
    buy = {"symbol": "MSFT", "qty": 1, "side": "buy"}
    first = ask("submit_order", **buy, client_order_id="legacy-1")
    settled(first.id, "filled")
    assert ask("get_order_by_client_order_id", "legacy-1").id == first.id
    refused(422, "client_order_id must be unique", "submit_order", **buy, client_order_id="legacy-1")
    refused(403, "insufficient buying power", "submit_order", **{**buy, "qty": 90_000})
    resting = ask("submit_order", **buy, type="limit", limit_price="10.01", time_in_force="gtc")
    settled(resting.id, "new")
    replaced = ask("replace_order", resting.id, limit_price="10.02")
    assert replaced.replaces == resting.id
    settled(replaced.id, "new")
    ask("cancel_order", replaced.id)
    settled(replaced.id, "canceled")
    exits = {"take_profit": {"limit_price": "30"}, "stop_loss": {"stop_price": "10"}}
    ask("submit_order", "XOM", 1, "buy", "limit", "gtc", limit_price="20", order_class="bracket", **exits)
    assert len(ask("list_orders", status="open", nested=True, symbols=["XOM"])[0].legs) == 2
    ask("cancel_all_orders")
    until("no open orders", lambda: not ask("list_orders", status="open"))


def positions() -> None:
    held = ask("list_positions")
    assert ask("get_position", "MSFT").symbol == "MSFT"
    settled(ask("close_position", "MSFT").id, "filled")
    refused(404, "position does not exist", "get_position", "MSFT")
    assert len(ask("close_all_positions")) == len(held) - 1
    until("no positions", lambda: not ask("list_positions"))


def history() -> None:
    fills = ask("get_activities", "FILL", date="2026-11-20T00:00:00Z", page_size=2)
    assert len(fills) == 2
    assert ask("get_activities", ["FILL", "CSD"], direction="asc", page_token=fills[0].id) is not None
    past = ask("get_portfolio_history", period="1M", timeframe="1D")
    assert len(past.timestamp) == len(past.equity)


def watchlists() -> None:
    made = ask("create_watchlist", "legacy", ["AAPL"])
    ask("add_to_watchlist", made.id, "MSFT")
    assert len(ask("get_watchlist", made.id).assets) == 2
    assert ask("get_watchlist_by_name", "legacy").id == made.id
    ask("delete_from_watchlist", made.id, "AAPL")
    ask("update_watchlist", made.id, name="legacy 2", symbols=["SPY"])
    assert len(ask("get_watchlists")) == 1
    ask("delete_watchlist", made.id)


def data() -> None:
    names, pairs, span = ["AAPL", "MSFT"], ["BTC/USD", "ETH/USD"], ("2026-11-18", "2026-11-19")
    for kind in ("bars", "trades", "quotes"):
        assert sorted(ask(f"get_latest_{kind}", names)) == names
        assert ask(f"get_latest_{kind.removesuffix('s')}", "AAPL")._raw
        assert sorted(ask(f"get_latest_crypto_{kind}", pairs)) == pairs
    assert sorted(ask("get_snapshots", names)) == names
    assert ask("get_snapshot", "AAPL").latest_trade.price > 0
    assert ask("get_crypto_snapshot", "BTC/USD")
    assert sorted(ask("get_crypto_snapshots", pairs)) == pairs
    assert sorted(ask("get_latest_crypto_orderbook", "BTC/USD")) == ["BTC/USD"]
    assert sorted(ask("get_latest_crypto_orderbooks", pairs)) == pairs
    assert len(ask("get_bars", names, TimeFrame.Hour, *span, adjustment="all")) > 10
    assert len(ask("get_bars", "AAPL", TimeFrame.Day, "2026-11-02")) > 10
    assert len(ask("get_trades", "AAPL", *span, limit=50)) == 50
    assert len(ask("get_quotes", names, *span, limit=50)) == 50
    assert len(ask("get_crypto_bars", pairs, TimeFrame.Hour, *span)) > 20
    assert len(ask("get_crypto_trades", "BTC/USD", *span, limit=50)) == 50
    assert len(ask("get_crypto_quotes", "BTC/USD", *span, limit=50)) == 50
    assert ask("get_news", "AAPL", *span) == []


async def on_update(update: Any) -> None:
    events.add(update.event)


async def on_quote(_: Any) -> None:
    prices.add("quote")


async def on_trade(_: Any) -> None:
    prices.add("trade")


async def on_bar(_: Any) -> None:
    prices.add("bar")


async def on_news(_: Any) -> None:
    raise AssertionError("there are no news")


def listen() -> None:
    stream = Stream("key", "secret", base_url=URL, data_stream_url=URL, data_feed="iex")
    stream.subscribe_trade_updates(on_update)
    stream.subscribe_quotes(on_quote, "AAPL")
    stream.subscribe_trades(on_trade, "AAPL", handler_cancel_errors=on_trade, handler_corrections=on_trade)
    stream.subscribe_bars(on_bar, "*")
    stream.subscribe_lulds(on_bar, "AAPL")
    stream.subscribe_statuses(on_bar, "AAPL")
    stream.subscribe_news(on_news, "*")
    asyncio.set_event_loop(asyncio.new_event_loop())
    stream.run()


threading.Thread(target=listen, daemon=True).start()
until("prices on the stream", lambda: prices)
for part in (account, reference, data, orders, positions, history, watchlists):
    part()
until("fills on the stream", lambda: "fill" in events)
until("bars on the stream", lambda: prices == {"quote", "trade", "bar"})
print(
    json.dumps({"asked": asked, "calls": sorted(calls), "events": sorted(events), "prices": sorted(prices)}), flush=True
)
os._exit(0)  # its stream has no orderly end
