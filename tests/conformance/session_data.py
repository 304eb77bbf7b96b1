"""The market-data half of the scripted session."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from rebalancer.exchange.corporate import announce_dividend, announce_split
from tests.conformance.recorder import Recorder

KINDS: Final = ("quotes", "trades", "bars")
STOCKS, CRYPTO, OLD_CRYPTO = "/v2/stocks", "/v1beta3/crypto/{loc}", "/v1beta1/crypto"
DAYS: Final = {"timeframe": "1Day", "start": "2026-11-02"}


def stocks(call: Recorder) -> None:
    """Stocks: latest, snapshots, bars."""
    for kind in KINDS:
        call(
            f"GET /v2/stocks/{kind}/latest",
            "two known, one unknown",
            query={"symbols": "AAPL,MSFT,ZZZZ", "feed": "iex"},
        )
    call("GET /v2/stocks/quotes/latest", "no symbols", status=400)
    call("GET /v2/stocks/quotes/latest", "no keys", status=401, headers={}, query={"symbols": "AAPL"})
    call("GET /v2/stocks/snapshots", "two", query={"symbols": "AAPL,SPY"})
    bars = "GET /v2/stocks/bars"
    days = {"symbols": "AAPL,MSFT", **DAYS}
    call(bars, "days", query=days)
    page = call(bars, "first page", query={**days, "limit": 4})
    call(bars, "second page", query={**days, "limit": 4, "page_token": page["next_page_token"]})
    call(bars, "minutes, newest first", query={**days, "timeframe": "5Min", "sort": "desc", "limit": 20})
    for frame in ("1Week", "3Month"):
        call(bars, f"{frame} bars", query={**days, "timeframe": frame, "start": "2026-01-01"})
    call(bars, "adjusted", query={**days, "adjustment": "all", "feed": "sip", "asof": "-"})
    call(bars, "in a currency", query={**days, "currency": "USD"})
    call(bars, "unknown symbol", query={**days, "symbols": "ZZZZ"})


def stock_pages(call: Recorder) -> None:
    """Past trades, quotes and auctions, and everything for one symbol."""
    for kind in ("trades", "quotes", "auctions"):
        asked = {"symbols": "AAPL,MSFT", "start": "2026-11-18", "end": "2026-11-19", "limit": 3}
        page = call(f"GET {STOCKS}/{kind}", "first page", query=asked)
        token = {"page_token": page["next_page_token"]}
        call(f"GET {STOCKS}/{kind}", "second page", query={**asked, **token})
        one = {"start": "2026-11-18", "limit": 2}
        page = call(f"GET {STOCKS}/{{symbol}}/{kind}", "first page", "AAPL", query=one)
        token = {"page_token": page["next_page_token"]}
        call(f"GET {STOCKS}/{{symbol}}/{kind}", "second page, newest first", "AAPL", query={**one, "sort": "desc"})
        call(f"GET {STOCKS}/{{symbol}}/{kind}", "unknown symbol", "ZZZZ", query=one)
    _one_symbol(call, STOCKS, "AAPL", "ZZZZ")


def crypto(call: Recorder) -> None:
    """Crypto, which needs no keys."""
    root, pairs = CRYPTO, {"symbols": "BTC/USD,ETH/USD"}
    for kind in (*KINDS, "orderbooks"):
        for location in ("us", "us-1", "us-2", "eu-1", "bs-1"):
            call(f"GET {root}/latest/{kind}", f"two pairs, no keys, {location}", location, query=pairs, headers={})
    call(f"GET {root}/latest/quotes", "joined pair", "us", status=400, query={"symbols": "BTCUSD"})
    call(f"GET {root}/latest/quotes", "nowhere", "mars", status=400, query=pairs)
    call(f"GET {root}/snapshots", "two", "us", query=pairs)
    call(f"GET {root}/bars", "hours", "us", query={**pairs, "timeframe": "1Hour", "start": "2026-11-19T00:00:00Z"})
    for kind in ("trades", "quotes"):
        call(f"GET {root}/{kind}", "newest first", "us", query={**pairs, "limit": 3, "sort": "desc"}, headers={})
    call(f"GET {root}/bars", "wrong sort", "us", status=400, query={**pairs, "timeframe": "1Hour", "sort": "up"})


def old_crypto(call: Recorder) -> None:
    """Crypto as it was before v1beta3: joined names, keys, a choice of venues."""
    pairs = {"symbols": "BTCUSD,ETHUSD", "exchange": "CBSE"}
    for kind in KINDS:
        call(f"GET {OLD_CRYPTO}/{kind}/latest", "two", query=pairs)
        timeframe = {"timeframe": "1Hour"} if kind == "bars" else {}
        call(f"GET {OLD_CRYPTO}/{kind}", "a page", query={"symbols": "BTCUSD", "limit": 2, **timeframe})
        if kind != "bars":
            call(f"GET {OLD_CRYPTO}/{{symbol}}/{kind}", "a page", "BTCUSD", query={"exchanges": "CBSE", "limit": 2})
    call(f"GET {OLD_CRYPTO}/snapshots", "two", query=pairs)
    call(f"GET {OLD_CRYPTO}/snapshots", "no keys", status=401, query=pairs, headers={})
    call(f"GET {OLD_CRYPTO}/snapshots", "wrong venue", status=400, query={**pairs, "exchange": "MOON"})
    _one_symbol(call, OLD_CRYPTO, "BTCUSD", "AAPL")


def _one_symbol(call: Recorder, root: str, known: str, unknown: str) -> None:
    for kind in KINDS:
        call(f"GET {root}/{{symbol}}/{kind}/latest", "known", known)
        call(f"GET {root}/{{symbol}}/{kind}/latest", "unknown", unknown, status=404)
    call(f"GET {root}/{{symbol}}/snapshot", "known", known)
    call(f"GET {root}/{{symbol}}/snapshot", "unknown", unknown, status=404)
    call(f"GET {root}/{{symbol}}/bars", "days", known, query={**DAYS, "limit": 3})
    call(f"GET {root}/{{symbol}}/bars", "unknown symbol", unknown, query=DAYS)
    call(f"GET {root}/{{symbol}}/bars", "no timeframe", known, status=400)


def the_rest(call: Recorder) -> None:
    """Codes, announced corporate actions, what moves most."""
    exchange = call.running.exchange
    today = date.fromordinal(exchange.sessions.next_open(exchange.clock.micros()).day)
    announce_dividend(exchange, "KO", today, today, Decimal("0.51"))
    announce_split(exchange, "NFLX", today, 2, 1)
    announce_split(exchange, "AMC", today, 1, 10)
    call(f"GET {STOCKS}/meta/exchanges", "all")
    codes = f"GET {STOCKS}/meta/conditions/{{ticktype}}"
    call(codes, "trades", "trade", query={"tape": "A"})
    call(codes, "quotes", "quote", query={"tape": "C"})
    call(codes, "no tape", "quote", status=400)
    call(codes, "wrong type", "bar", status=400, query={"tape": "C"})
    actions, span = "GET /v1/corporate-actions", {"start": "2026-11-01", "end": "2027-12-31"}
    page = call(actions, "first page", query={**span, "limit": 2})
    call(actions, "second page", query={**span, "limit": 2, "page_token": page["next_page_token"]})
    call(actions, "dividends", query={**span, "types": "cash_dividend", "symbols": "KO,AAPL", "sort": "desc"})
    call(actions, "none today")
    call(actions, "wrong type", status=400, query={"types": "party"})
    for region in ("us", "non_us", "all"):
        call(actions, f"region {region}", query={**span, "region": region, "data_quality": "all"})
    call(actions, "wrong region", status=400, query={**span, "region": "mars"})
    call(actions, "wrong quality", status=400, query={**span, "data_quality": "poor"})
    call(actions, "ids with a filter", status=400, query={"ids": "a", "data_quality": "all"})
    news = "GET /v1beta1/news"
    call(news, "of some symbols", query={"symbols": "AAPL,BTCUSD", "limit": 5, "include_content": "true"})
    call(news, "between two days", query={"start": "2026-11-01", "end": "2026-11-02", "sort": "asc"})
    call(news, "too many", status=400, query={"limit": 51})
    for by in ("volume", "trades"):
        call("GET /v1beta1/screener/stocks/most-actives", by, query={"by": by, "top": 3})
    for market in ("stocks", "crypto"):
        call("GET /v1beta1/screener/{market_type}/movers", market, market, query={"top": 3})
    call("GET /v1beta1/screener/{market_type}/movers", "wrong market", "bonds", status=400)


WRONG: Final = {  # what the data API refuses, by parameter
    "timeframe": ("7Day", "0Min", "60Min", "1min", "Min"),
    "feed": ("moon", "SIP"),
    "currency": ("XYZ", "usd"),
    "sort": ("up",),
    "adjustment": ("some",),
    "limit": ("0", "-1", "10001", "1.5", "many", "99999999999999"),
    "start": ("soon", "2026-13-01", "2026-11-31", "24/11/2026", "1763650800"),
    "end": ("later", "2026-11-20T25:00:00Z"),
    "asof": ("today", "2026-02-30"),
    "page_token": ("%%%", "bm90IGEgdG9rZW4=", "QUFQTHw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),
}


def wrong(call: Recorder) -> None:
    """Bad parameters: 400 and a message without a code, as the data API answers."""
    for name, values in WRONG.items():
        for value in values:
            query = {"symbols": "AAPL", "timeframe": "1Day", name: value}
            refusal = call(f"GET {STOCKS}/bars", f"{name} {value}", status=400, query=query)
            assert set(refusal) == {"message"}, refusal
    backwards = {"symbols": "AAPL", "start": "2026-11-20T15:00:00Z", "end": "2026-11-20T14:59:59Z"}
    for kind in ("trades", "quotes", "auctions"):
        refusal = call(f"GET {STOCKS}/{kind}", "end before start", status=400, query=backwards)
        assert refusal == {"message": "end should not be before start"}
    for kind in ("quotes/latest", "snapshots"):
        call(f"GET {STOCKS}/{kind}", "wrong feed", status=400, query={"symbols": "AAPL", "feed": "moon"})


PARTS: Final = (stocks, stock_pages, crypto, old_crypto, the_rest, wrong)
