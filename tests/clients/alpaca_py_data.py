"""The market-data calls of alpaca-py in model mode: every method that has an endpoint here."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.historical.screener import ScreenerClient

from alpaca.common.enums import Sort
from alpaca.data.enums import Adjustment, DataFeed, MarketType, MostActivesBy
from alpaca.data.models import Bar, Orderbook, Quote, Snapshot, Trade
from alpaca.data.models.corporate_actions import CorporateActionsSet
from alpaca.data.models.screener import MostActives, Movers
from alpaca.data.requests import (
    CorporateActionsRequest,
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
    MarketMoversRequest,
    MostActivesRequest,
    NewsRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient

from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.starter import RunningExchange


def market_data(_: TradingClient, running: RunningExchange) -> None:
    stocks = StockHistoricalDataClient("key", "secret", url_override=running.url)
    crypto = CryptoHistoricalDataClient(url_override=running.url)
    day = {"timeframe": TimeFrame.Day, "start": datetime(2026, 11, 16, tzinfo=UTC)}
    past = {"start": datetime(2026, 11, 19, 15, tzinfo=UTC), "end": datetime(2026, 11, 19, 15, 5, tzinfo=UTC)}
    stock, pair = "AAPL", "BTC/USD"
    answers: list[Any] = [
        stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=stock)),
        stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=stock)),
        stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=stock)),
        stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=stock)),
        stocks.get_stock_bars(StockBarsRequest(symbol_or_symbols=stock, **day)).data,
        stocks.get_stock_trades(StockTradesRequest(symbol_or_symbols=stock, **past)).data,
        stocks.get_stock_quotes(StockQuotesRequest(symbol_or_symbols=stock, limit=7, **past)).data,
        crypto.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=pair)),
        crypto.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols=pair)),
        crypto.get_crypto_latest_bar(CryptoLatestBarRequest(symbol_or_symbols=pair)),
        crypto.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols=pair)),
        crypto.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=pair)),
        crypto.get_crypto_bars(CryptoBarsRequest(symbol_or_symbols=pair, **day)).data,
        crypto.get_crypto_trades(CryptoTradesRequest(symbol_or_symbols=pair, **past)).data,
        crypto.get_crypto_quotes(CryptoQuoteRequest(symbol_or_symbols=pair, **past)).data,
    ]
    assert [list(answer) for answer in answers] == [[stock]] * 7 + [[pair]] * 8
    kinds = [Quote, Trade, Bar, Snapshot, Bar, Trade, Quote, Quote, Trade, Bar, Orderbook, Snapshot, Bar, Trade, Quote]
    found = [next(iter(answer.values())) for answer in answers]
    assert [{type(one) for one in (rows if isinstance(rows, list) else [rows])} for rows in found] == [
        {kind} for kind in kinds
    ]
    assert [len(rows) for rows in found if isinstance(rows, list)] == [5, 21, 7, 5, 21, 21]
    assert found[10].bids[0].price < found[10].asks[0].price


def every_frame(_: TradingClient, running: RunningExchange) -> None:
    """Every unit that the client can ask for, with every adjustment, feed and order."""
    stocks = StockHistoricalDataClient("key", "secret", url_override=running.url)
    start = datetime(2026, 9, 1, tzinfo=UTC)
    for unit, amounts in (("Minute", (1, 59)), ("Hour", (1, 23)), ("Day", (1,)), ("Week", (1,)), ("Month", (1, 12))):
        for amount in amounts:
            frame = TimeFrame(amount, TimeFrameUnit[unit])
            asked = StockBarsRequest(symbol_or_symbols=["AAPL", "KO"], timeframe=frame, start=start, limit=5)
            bars = stocks.get_stock_bars(asked).data
            assert (unit == "Month" and amount == 12) or sum(map(len, bars.values())) == 5
    for name, words in (("adjustment", Adjustment), ("feed", DataFeed), ("sort", Sort)):
        for word in words:
            asked = StockBarsRequest(symbol_or_symbols="KO", timeframe=TimeFrame.Day, start=start, **{name: word})
            assert len(stocks.get_stock_bars(asked).data["KO"]) == 58


def announcements_and_screens(_: TradingClient, running: RunningExchange) -> None:
    announce_dividend(running.exchange, "KO", date(2026, 11, 24), date(2026, 12, 1), Decimal("0.51"))
    announce_split(running.exchange, "NFLX", date(2026, 11, 24), 2, 1)
    announce_split(running.exchange, "AMC", date(2026, 11, 24), 1, 10)
    client = CorporateActionsClient("key", "secret", url_override=running.url)
    span = {"start": date(2026, 11, 20), "end": date(2026, 11, 30)}
    found = client.get_corporate_actions(CorporateActionsRequest(**span))
    assert isinstance(found, CorporateActionsSet)
    assert {kind: [one.symbol for one in rows] for kind, rows in found.data.items()} == {
        "cash_dividends": ["KO"],
        "forward_splits": ["NFLX"],
        "reverse_splits": ["AMC"],
    }
    (dividend,) = found.data["cash_dividends"]
    assert (dividend.rate, dividend.ex_date, dividend.payable_date) == (0.51, date(2026, 11, 24), date(2026, 12, 1))
    news = NewsClient("key", "secret", url_override=running.url).get_news(NewsRequest(symbols="AAPL", limit=5))
    assert (news.data["news"], news.next_page_token) == ([], None)
    screener = ScreenerClient("key", "secret", url_override=running.url)
    actives = screener.get_most_actives(MostActivesRequest(top=5, by=MostActivesBy.VOLUME))
    assert isinstance(actives, MostActives)
    volumes = [one.volume for one in actives.most_actives]
    assert volumes == sorted(volumes, reverse=True)
    for market in MarketType:
        movers = screener.get_market_movers(MarketMoversRequest(market_type=market, top=50))
        assert isinstance(movers, Movers)
        changes = [one.percent_change for one in (*movers.gainers, *reversed(movers.losers))]
        assert changes == sorted(changes, reverse=True)
        assert movers.market_type == market
