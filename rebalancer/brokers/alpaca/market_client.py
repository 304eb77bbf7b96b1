"""Request prices in as few calls as the URL length allows, stocks and crypto separately."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus

from rebalancer.brokers.alpaca.answers import Refused
from rebalancer.brokers.alpaca.client import Client
from rebalancer.brokers.alpaca.fields import UnreadableField, table
from rebalancer.brokers.alpaca.market_reading import read_bars, read_quote
from rebalancer.brokers.protocol import DailyCloses, DayBar
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Quote
from rebalancer.core.new_york import in_new_york
from rebalancer.core.values import symbol_of
from rebalancer.core.venue_rules import ALPACA, AssetClass

URL_LENGTH_MAX: Final = 12_000
BARS_A_PAGE: Final = 10_000
_INVALID_SYMBOL: Final = re.compile(r"invalid symbol:? ([A-Z0-9./-]+)")
_DROPPED_MAX: Final = 10
_CALENDAR_DAYS_PER_TRADING_DAY: Final = 1.5  # 365 / 252, rounded up
_HOLIDAYS: Final = 7
STOCKS: Final = "/stocks"
_CRYPTO: Final = "/crypto/us"
_VERSIONS: Final = {STOCKS: "v2", _CRYPTO: "v1beta3"}


def ask_quotes(asking: Client, symbols: Sequence[str], feed: str) -> tuple[Quote, ...]:
    """The latest quote and trade of each symbol that has any, by symbol. A bad row drops only its own symbol."""
    found = []
    for side, names in _by_side(symbols):
        for some in url_parts(names):
            for name, body in _snapshots(asking, side, some, feed).items():
                try:
                    quote = read_quote(name, body)
                except UnreadableField:
                    continue
                if quote is not None and name in some:
                    found.append(quote)
    return tuple(sorted(found, key=lambda quote: quote.symbol))


def ask_daily_closes(asking: Client, symbols: Sequence[str], days: int, feed: str, now: datetime) -> DailyCloses:
    """The last `days` completed days. Stocks are adjusted for splits and dividends.

    If any symbol is a stock, only days on which the stock market traded count; crypto alone has every day.
    Today's bar is never included: it is incomplete, and two plans made on the same day would differ.
    """
    found: dict[str, dict[date, DayBar]] = {}
    axis: set[date] = set()
    for side, names in _by_side(symbols):
        today = (in_new_york(now) if side == STOCKS else now).date()
        start = today - timedelta(days=math.ceil(days * _CALENDAR_DAYS_PER_TRADING_DAY) + _HOLIDAYS)
        got: dict[str, dict[date, DayBar]] = {}
        for some in url_parts(names):
            for page in _bar_pages(asking, side, some, feed, start, today):
                for name, bars in page.items():
                    got.setdefault(name, {}).update({day: bar for day, bar in bars.items() if day < today})
        found |= got
        if side == STOCKS or not axis:
            axis = {day for bars in got.values() for day in bars}
    rows = tuple(sorted(axis))[-days:]
    names_in_order = tuple(sorted(set(symbols)))
    return DailyCloses(
        symbols=names_in_order,
        days=rows,
        closes={name: tuple(_close(found.get(name, {}), day) for day in rows) for name in names_in_order},
        bars={name: tuple(bars[day] for day in sorted(bars)[-days:]) for name, bars in sorted(found.items()) if bars},
    )


def _close(bars: Mapping[date, DayBar], day: date) -> float:
    return bars[day].close if day in bars else math.nan


def url_parts(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Split symbols into as few lists as possible that each fit into one URL; an encoded comma takes three bytes."""
    some: list[str] = []
    size = 0
    for name in symbols:
        length = len(quote_plus(name)) + 3
        if some and size + length > URL_LENGTH_MAX:
            yield some
            some, size = [], 0
        some.append(name)
        size += length
    if some:
        yield some


def _by_side(symbols: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Symbols by endpoint, stocks first. Names that are not symbols, such as the CUSIP of an old right, are left out:
    they have no price."""
    sides: dict[str, list[str]] = {STOCKS: [], _CRYPTO: []}
    for name in sorted(set(symbols)):
        try:
            known = symbol_of(name) == name
        except ValueError:
            known = False
        if known:
            sides[_CRYPTO if ALPACA.asset_class(name) == "crypto" else STOCKS].append(name)
    return ((side, names) for side, names in sides.items() if names)


def _snapshots(asking: Client, side: str, names: list[str], feed: str) -> dict[str, Any]:
    params = {"feed": feed} if side == STOCKS else {}
    body = ask_by_symbol(asking, side, "/snapshots", names, params)
    answer = dict(table(body, "snapshots"))
    return answer if side == STOCKS else dict(table(answer.get("snapshots"), "snapshots"))


def _bar_pages(
    asking: Client, side: str, names: list[str], feed: str, start: date, end: date
) -> Iterator[dict[str, dict[date, DayBar]]]:
    kind: AssetClass = "us_equity" if side == STOCKS else "crypto"
    params = {"timeframe": "1Day", "start": start.isoformat(), "end": end.isoformat(), "limit": str(BARS_A_PAGE)}
    if side == STOCKS:
        params |= {"adjustment": "all", "feed": feed}
    seen: set[str] = set()
    while True:
        page, token = read_bars(ask_by_symbol(asking, side, "/bars", names, params), kind)
        yield page
        if token is None:
            return
        if token in seen:
            raise UnreadableField("the list of bars repeats itself")
        seen.add(token)
        params["page_token"] = token


def ask_by_symbol(asking: Client, side: str, path: str, names: list[str], params: dict[str, str]) -> Any:
    """Read one page. A symbol that the data host rejects by name is dropped, so that the others still get prices."""
    left = list(names)
    for _ in range(_DROPPED_MAX + 1):
        try:
            return asking.read(side + path, {"symbols": ",".join(left), **params}, "data", _VERSIONS[side]).body
        except Refused as refused:
            named = _INVALID_SYMBOL.search(refused.message)
            if named is None or named[1] not in left or len(left) == 1:
                raise
            left.remove(named[1])
    raise BrokerUnavailable(f"{side}{path}: the broker rejected more than {_DROPPED_MAX} symbols")
