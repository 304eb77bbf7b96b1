"""Quotes, trades, bars and auctions as the data API's JSON. Prices are numbers here, in dollars."""

from __future__ import annotations

from datetime import date
from typing import Final

from rebalancer.core.values import time_text
from rebalancer.exchange.calendar import moment_of
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import STEP
from rebalancer.exchange.market.prices import Bar, Tick
from rebalancer.exchange.market.ticks import Auction

Row = dict[str, object]
_LEVELS: Final = 10


def quote_of(listing: Listing, tick: Tick) -> Row:
    """Bid and ask."""
    row: Row = {
        "t": time_text(moment_of(tick.at)),
        "ap": tick.ask / 100,
        "as": tick.ask_size,
        "bp": tick.bid / 100,
        "bs": tick.bid_size,
    }
    return row if listing.is_crypto else {**row, "ax": "V", "bx": "V", "c": ["R"], "z": "C"}


def trade_of(listing: Listing, tick: Tick) -> Row:
    """A trade; its number is the count of 15-second steps since 1970."""
    row: Row = {
        "t": time_text(moment_of(tick.at)),
        "p": tick.trade / 100,
        "s": tick.trade_size / 1_000_000 if listing.is_crypto else tick.trade_size,
        "i": tick.at // STEP,
    }
    return {**row, "tks": "B"} if listing.is_crypto else {**row, "x": "V", "c": ["@"], "z": "C"}


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


def auction_day(_: Listing, auction: Auction) -> Row:
    """The opening and the closing print of a day, as the listing market's official ones."""
    return {
        "d": date.fromordinal(auction.day).isoformat(),
        "o": [] if auction.open is None else [_print(auction.open, "O")],
        "c": [] if auction.close is None else [_print(auction.close, "6")],
    }


def _print(tick: Tick, condition: str) -> Row:
    return {
        "t": time_text(moment_of(tick.at)),
        "x": "V",
        "p": tick.trade / 100,
        "s": tick.trade_size,
        "c": condition,
    }


def book_row(tick: Tick) -> Row:
    """An order book around the quote: ten levels a side, a spread apart, larger the further away."""
    spread = tick.ask - tick.bid

    def side(best: int, size: int, away: int) -> list[Row]:
        prices = [best + away * level * spread for level in range(_LEVELS)]
        return [{"p": price / 100, "s": size + level} for level, price in enumerate(prices) if price > 0]

    return {
        "t": time_text(moment_of(tick.at)),
        "b": side(tick.bid, tick.bid_size, -1),
        "a": side(tick.ask, tick.ask_size, 1),
    }
