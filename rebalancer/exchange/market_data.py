"""Market data requests: the latest quotes, trades, bars and order books, and snapshots, of stocks and crypto.

Symbols that are not known are simply absent. Pages of the past are made in `market_pages`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from rebalancer.exchange import data_parameters as data
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_parameter, not_found
from rebalancer.exchange.faults.quotes import bent_quote, moment_quoted
from rebalancer.exchange.market.bars import latest_bar
from rebalancer.exchange.market.frames import DAY, MINUTE
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market_pages import Asked, Page, auction_pages, bar_pages, quote_pages, trade_pages
from rebalancer.exchange.market_rows import Row, bar_row, book_row, quote_of, trade_of
from rebalancer.exchange.parameters import Parameters

_NEWS_LIMITS: Final = (10, 50)
_FLAGS: Final = ("", "true", "false", "1", "0")
Names = Literal["stocks", "pairs", "joined"]
"""How symbols are written: AAPL; BTC/USD; BTCUSD, as in the old crypto API."""


def latest(exchange: Exchange, kind: str, parameters: Parameters, names: Names) -> dict[str, Row]:
    """The latest `quotes`, `trades`, `bars` or `orderbooks` by symbol. Raises ApiError 400."""
    data.common(parameters, crypto=names != "stocks")
    wanted = asked(exchange, parameters, names)
    with exchange.reading() as at:
        return {name: _LATEST[kind](exchange, listing, at) for name, listing in wanted}


def latest_one(exchange: Exchange, kind: str, parameters: Parameters, names: Names) -> Row:
    """The latest of one symbol. Raises ApiError 400 and 404."""
    ((name, row),) = _only(latest(exchange, kind, parameters, names), parameters).items()
    return {"symbol": name, kind.removesuffix("s"): row, **currency(parameters, names)}


def snapshots(exchange: Exchange, parameters: Parameters, names: Names) -> dict[str, Row]:
    """Latest trade and quote, minute bar, daily bar and the daily bar before, by symbol. Raises ApiError 400."""
    data.common(parameters, crypto=names != "stocks")
    wanted = asked(exchange, parameters, names)
    with exchange.reading() as at:
        return {name: _snapshot(exchange, listing, at) for name, listing in wanted}


def snapshot_one(exchange: Exchange, parameters: Parameters, names: Names) -> Row:
    """The snapshot of one symbol. Raises ApiError 400 and 404."""
    ((name, row),) = _only(snapshots(exchange, parameters, names), parameters).items()
    return {"symbol": name, **row, **currency(parameters, names)} if names == "stocks" else row


def page(exchange: Exchange, kind: str, parameters: Parameters, names: Names) -> Row:
    """One page of `bars`, `trades`, `quotes` or `auctions` by symbol. Raises ApiError 400."""
    found = _paged(exchange, kind, parameters, names)
    return {kind: found.rows, "next_page_token": found.following, **currency(parameters, names)}


def page_one(exchange: Exchange, kind: str, parameters: Parameters, names: Names) -> Row:
    """One page of one symbol's rows; none for a symbol that is not known. Raises ApiError 400."""
    found = _paged(exchange, kind, parameters, names)
    (name,) = data.symbols_of(parameters)
    rows = found.rows.get(name, [])
    return {kind: rows, "symbol": name, "next_page_token": found.following, **currency(parameters, names)}


def currency(parameters: Parameters, names: Names) -> dict[str, str]:
    """The currency of stock prices, which is told when it is asked for."""
    return {"currency": "USD"} if parameters.get("currency") and names == "stocks" else {}


def news(parameters: Parameters) -> Row:
    """The news: nobody writes any here, whatever is asked for. Raises ApiError 400."""
    data.span_of(parameters, limit_default=_NEWS_LIMITS[0], limit_max=_NEWS_LIMITS[1])
    for name in ("include_content", "exclude_contentless"):
        if parameters.get(name, "").lower() not in _FLAGS:
            raise bad_parameter(f"invalid {name}: {parameters[name][:40]}")
    return {"news": [], "next_page_token": None}


def asked(exchange: Exchange, parameters: Parameters, names: Names) -> Asked:
    """The symbols asked for that have prices, as they were written. Raises ApiError 400."""
    wanted = data.pairs_of(parameters) if names == "pairs" else data.symbols_of(parameters)
    market = exchange.market
    found = ((name, market.find(name) if names == "joined" else market.listings.get(name)) for name in wanted)
    return [(name, one) for name, one in found if one and one.tradable and one.is_crypto == (names != "stocks")]


def _paged(exchange: Exchange, kind: str, parameters: Parameters, names: Names) -> Page:
    data.common(parameters, crypto=names != "stocks")
    return _PAGES[kind](exchange, asked(exchange, parameters, names), parameters)


def _only(found: Mapping[str, Row], parameters: Parameters) -> Mapping[str, Row]:
    if not found:
        raise not_found(f"symbol not found: {parameters['symbols'][:24]}")
    return found


def _snapshot(exchange: Exchange, listing: Listing, at: int) -> Row:
    before = exchange.market.session(listing, exchange.market.halts.priced_at(listing.symbol, at)).open - 1
    return {
        "latestTrade": trade_row(exchange, listing, at),
        "latestQuote": quote_row(exchange, listing, at),
        "minuteBar": _minute_bar(exchange, listing, at),
        "dailyBar": bar_row(listing, latest_bar(exchange.market, listing, DAY, at)),
        "prevDailyBar": bar_row(listing, latest_bar(exchange.market, listing, DAY, before)),
    }


def _minute_bar(exchange: Exchange, listing: Listing, at: int) -> Row:
    return bar_row(listing, latest_bar(exchange.market, listing, MINUTE, at))


def quote_row(exchange: Exchange, listing: Listing, at: int) -> Row:
    """The quote of a moment, or what a fault makes of it."""
    rule = exchange.faults.on_quote(listing.symbol)
    return bent_quote(rule, quote_of(listing, exchange.market.tick(listing, moment_quoted(rule, at))))


def trade_row(exchange: Exchange, listing: Listing, at: int) -> Row:
    """The latest trade of a moment."""
    moment = moment_quoted(exchange.faults.on_trade(listing.symbol), at)
    return trade_of(listing, exchange.market.tick(listing, moment))


def _book(exchange: Exchange, listing: Listing, at: int) -> Row:
    return book_row(exchange.market.tick(listing, at))


_LATEST: Final[dict[str, Callable[[Exchange, Listing, int], Row]]] = {
    "quotes": quote_row,
    "trades": trade_row,
    "bars": _minute_bar,
    "orderbooks": _book,
}
_PAGES: Final[dict[str, Callable[[Exchange, Asked, Parameters], Page]]] = {
    "bars": bar_pages,
    "trades": trade_pages,
    "quotes": quote_pages,
    "auctions": auction_pages,
}
