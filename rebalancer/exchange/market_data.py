"""Market data requests: quotes, trades, bars and snapshots of stocks and crypto, in the data API's JSON.

Prices are JSON numbers here, and symbols that are not known are simply absent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from rebalancer.exchange import parameters as read
from rebalancer.exchange.calendar import MICROS, midnight_new_york, moment_of, new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_parameter
from rebalancer.exchange.faults.quotes import bent_quote, moment_quoted
from rebalancer.exchange.market.adjustment import MODES, adjusted_bar
from rebalancer.exchange.market.bars import Bar, bars, frame_of, latest_bar
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import STEP
from rebalancer.exchange.market.prices import Tick, crypto_session
from rebalancer.exchange.parameters import Parameters
from rebalancer.values import time_text

LIMIT_DEFAULT: Final = 1000
LIMIT_MAX: Final = 10_000
_MINUTE: Final = 60 * MICROS
_PAIR: Final = re.compile(r"[A-Z]+x?/[A-Z]+")
Row = dict[str, object]


def latest(exchange: Exchange, kind: str, parameters: Parameters, *, crypto: bool) -> dict[str, Row]:
    """The latest `quotes`, `trades` or `bars` by symbol, under that key."""
    makers: tuple[Callable[[Exchange, Listing, int], Row], ...] = (quote_row, trade_row, _minute_bar)
    make = dict(zip(("quotes", "trades", "bars"), makers, strict=True))
    with exchange.reading() as at:
        return {kind: {name: make[kind](exchange, row, at) for name, row in _asked(exchange, parameters, crypto)}}


def snapshots(exchange: Exchange, parameters: Parameters, *, crypto: bool) -> dict[str, Row]:
    """Latest trade and quote, minute bar, daily bar and the daily bar before, by symbol."""
    with exchange.reading() as at:
        return {name: _snapshot(exchange, listing, at) for name, listing in _asked(exchange, parameters, crypto)}


def bar_page(exchange: Exchange, parameters: Parameters, *, crypto: bool) -> Row:
    """One page of bars, sorted by symbol and time; `limit` counts across symbols. Raises ApiError 400."""
    frame = frame_of(parameters.get("timeframe", ""))
    if frame is None:
        raise bad_parameter(f"invalid timeframe: {parameters.get('timeframe', '')[:20]}")
    sort = parameters.get("sort", "") or "asc"
    if sort not in ("asc", "desc"):
        raise bad_parameter("invalid sort: must be asc or desc")
    mode = parameters.get("adjustment", "") or "raw"
    if mode not in MODES:
        raise bad_parameter(f"invalid adjustment: {mode[:20]}")
    limit = _limit(parameters)
    token = _read_token(parameters.get("page_token", ""))
    with exchange.reading() as at:
        today = crypto_session(at).open if crypto else midnight_new_york(new_york_day(at))
        start, end = _moment(parameters, "start", today), min(_moment(parameters, "end", at), at)
        found: dict[str, list[Row]] = {}
        left = limit
        following: str | None = None
        for name, listing in sorted(_asked(exchange, parameters, crypto)):
            if token is not None and name < token[0]:
                continue
            since = token[1] if token is not None and name == token[0] else None
            rows = _bars(exchange, listing, frame, (start, end, at), since, sort, left + 1)
            if len(rows) > left:
                following = _token(name, rows[left].at)
                rows = rows[:left]
            if rows:
                found[name] = [bar_row(listing, adjusted_bar(exchange.market, listing, row, mode, at)) for row in rows]
                left -= len(rows)
            if following is not None:
                break
        return {"bars": found, "next_page_token": following}


def _bars(
    exchange: Exchange,
    listing: Listing,
    frame: int,
    span: tuple[int, int, int],
    since: int | None,
    sort: str,
    most: int,
) -> list[Bar]:
    """At most so many bars, from the page's first on."""
    start, end, now = span
    if sort == "asc":
        return bars(exchange.market, listing, frame, start if since is None else since, end, now, most)
    return bars(exchange.market, listing, frame, start, end if since is None else since, now)[::-1][:most]


def _asked(exchange: Exchange, parameters: Parameters, crypto: bool) -> list[tuple[str, Listing]]:
    names = list(dict.fromkeys(read.names(parameters, "symbols")))
    if not names:
        raise bad_parameter("symbols is required")
    for name in names:
        if crypto and not _PAIR.fullmatch(name):
            raise bad_parameter(f"invalid symbol: {name[:24]} does not match ^[A-Z]+x?/[A-Z]+$")
    listed = exchange.market.listings
    return [(n, row) for n in names if (row := listed.get(n)) and row.tradable and row.is_crypto == crypto]


def _limit(parameters: Parameters) -> int:
    text = parameters.get("limit", "")
    if not text:
        return LIMIT_DEFAULT
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise bad_parameter(f"invalid limit: {text[:20]}")
    if int(text) > LIMIT_MAX:
        raise bad_parameter(f"invalid limit: larger than the allowed maximum of {LIMIT_MAX}")
    return int(text)


def _moment(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    found = read.read_moment(text)
    if found is None:
        raise bad_parameter(f"invalid {name}: {text[:40]}")
    return found


def _token(name: str, at: int) -> str:
    return base64.urlsafe_b64encode(f"{name}|{at}".encode()).decode()


def _read_token(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    try:
        name, _, at = base64.urlsafe_b64decode(text).decode().partition("|")
        return name, int(at)
    except (ValueError, binascii.Error):
        raise bad_parameter("invalid page_token") from None


def _snapshot(exchange: Exchange, listing: Listing, at: int) -> Row:
    today = latest_bar(exchange.market, listing, 0, at)
    before = latest_bar(exchange.market, listing, 0, exchange.market.session(listing, at).open - 1)
    return {
        "latestTrade": trade_row(exchange, listing, at),
        "latestQuote": quote_row(exchange, listing, at),
        "minuteBar": _minute_bar(exchange, listing, at),
        "dailyBar": bar_row(listing, today),
        "prevDailyBar": bar_row(listing, before),
    }


def _minute_bar(exchange: Exchange, listing: Listing, at: int) -> Row:
    return bar_row(listing, latest_bar(exchange.market, listing, _MINUTE, at))


def quote_row(exchange: Exchange, listing: Listing, at: int) -> Row:
    """The quote of a moment, or what a fault makes of it."""
    rule = exchange.faults.on_quote(listing.symbol)
    tick = exchange.market.tick(listing, moment_quoted(rule, at))
    row: Row = {
        "t": time_text(moment_of(tick.at)),
        "ap": tick.ask / 100,
        "as": tick.ask_size,
        "bp": tick.bid / 100,
        "bs": tick.bid_size,
    }
    row = bent_quote(rule, row)
    return row if listing.is_crypto else {**row, "ax": "V", "bx": "V", "c": ["R"], "z": "C"}


def trade_row(exchange: Exchange, listing: Listing, at: int) -> Row:
    """The latest trade of a moment."""
    tick = exchange.market.tick(listing, moment_quoted(exchange.faults.on_trade(listing.symbol), at))
    row: Row = {
        "t": time_text(moment_of(tick.at)),
        "p": tick.trade / 100,
        "s": _size(listing, tick),
        "i": tick.at // STEP,
    }
    return {**row, "tks": "B"} if listing.is_crypto else {**row, "x": "V", "c": ["@"], "z": "C"}


def _size(listing: Listing, tick: Tick) -> float | int:
    return tick.trade_size / 1_000_000 if listing.is_crypto else tick.trade_size


def bar_row(listing: Listing, bar: Bar) -> Row:
    """One bar."""
    return {
        "t": time_text(moment_of(bar.at)),
        "o": bar.open / 100,
        "h": bar.high / 100,
        "l": bar.low / 100,
        "c": bar.close / 100,
        "v": bar.volume / 1_000_000 if listing.is_crypto else bar.volume,
        "n": bar.trades,
        "vw": round(bar.vwap / 100, 6),
    }
