"""The market-data half of the scripted session."""

from __future__ import annotations

from typing import Final

from tests.conformance.recorder import Recorder

KINDS: Final = ("quotes", "trades", "bars")


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
    days = {"symbols": "AAPL,MSFT", "timeframe": "1Day", "start": "2026-11-02"}
    call(bars, "days", query=days)
    page = call(bars, "first page", query={**days, "limit": 4})
    call(bars, "second page", query={**days, "limit": 4, "page_token": page["next_page_token"]})
    call(bars, "minutes, newest first", query={**days, "timeframe": "5Min", "sort": "desc", "limit": 20})
    call(bars, "adjusted", query={**days, "adjustment": "all", "feed": "sip", "asof": "-"})
    call(bars, "wrong adjustment", status=400, query={**days, "adjustment": "some"})
    call(bars, "unknown symbol", query={**days, "symbols": "ZZZZ"})
    call(bars, "wrong timeframe", status=400, query={**days, "timeframe": "7Day"})
    call(bars, "limit too large", status=400, query={**days, "limit": 10001})
    call(bars, "unreadable time", status=400, query={**days, "start": "soon"})


def crypto(call: Recorder) -> None:
    """Crypto, which needs no keys."""
    root, pairs = "/v1beta3/crypto/us", {"symbols": "BTC/USD,ETH/USD"}
    for kind in KINDS:
        call(f"GET {root}/latest/{kind}", "two pairs, no keys", query=pairs, headers={})
    call(f"GET {root}/latest/quotes", "joined pair", status=400, query={"symbols": "BTCUSD"})
    call(f"GET {root}/snapshots", "two", query=pairs)
    call(f"GET {root}/bars", "hours", query={**pairs, "timeframe": "1Hour", "start": "2026-11-19T00:00:00Z"})
    call(f"GET {root}/bars", "wrong sort", status=400, query={**pairs, "timeframe": "1Hour", "sort": "up"})


PARTS: Final = (stocks, crypto)
