"""Bars in the units of today: earlier prices scaled by the splits and dividends that have become effective since."""

from __future__ import annotations

from typing import Final

from rebalancer.exchange.calendar import new_york_day
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.prices import Bar, Market

MODES: Final = ("raw", "split", "dividend", "all")


def adjusted_bar(market: Market, listing: Listing, bar: Bar, mode: str, now: int) -> Bar:
    """The bar as `split`, `dividend` or `all` adjustments show it at a moment; `raw` leaves it as it traded."""
    rows = market.adjustments.get(listing.symbol, ())
    if mode == "raw" or not rows:
        return bar
    prices, shares = 1.0, 1.0
    day, today = new_york_day(bar.at), market.sessions.last_opened(now).day
    for row in rows:
        if not day < row.ex_day <= today:
            continue
        if mode in ("split", "all"):
            prices, shares = prices * row.factor, shares / row.factor
        if mode in ("dividend", "all") and row.dividend:
            path = market.daily(listing)
            prices *= 1.0 - row.dividend / float(path.closes[path.row(row.ex_day) - 1])
    if prices == shares == 1.0:
        return bar
    low_to_high = {name: round(getattr(bar, name) * prices) for name in ("open", "high", "low", "close")}
    return bar._replace(**low_to_high, volume=round(bar.volume * shares), vwap=bar.vwap * prices)
