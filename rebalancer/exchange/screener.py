"""What has moved and been traded most today, from the same daily bars that everybody sees."""

from __future__ import annotations

from typing import Final, NamedTuple

from rebalancer.core.values import time_text
from rebalancer.exchange import data_parameters as data
from rebalancer.exchange.calendar import moment_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_parameter
from rebalancer.exchange.market.adjustment import adjusted_bar
from rebalancer.exchange.market.bars import latest_bar
from rebalancer.exchange.market.frames import DAY
from rebalancer.exchange.market.prices import Bar
from rebalancer.exchange.market_rows import Row, bar_row
from rebalancer.exchange.parameters import Parameters

_MARKETS: Final = ("stocks", "crypto")


class _Day(NamedTuple):
    """A symbol's day so far, with the close before in today's units, in cents."""

    symbol: str
    bar: Bar
    row: Row
    before: int

    @property
    def change(self) -> float:
        return self.bar.close / self.before - 1


def most_actives(exchange: Exchange, parameters: Parameters) -> Row:
    """The stocks with most volume or trades today. Raises ApiError 400."""
    by = data.word(parameters, "by", ("volume", "trades"))
    top = data.count_of(parameters, "top", 10, 100)
    days, at = _days(exchange, "stocks")
    days.sort(key=lambda one: (-(one.bar.volume if by == "volume" else one.bar.trades), one.symbol))
    rows = [{"symbol": one.symbol, "volume": one.row["v"], "trade_count": one.row["n"]} for one in days[:top]]
    return {"most_actives": rows, "last_updated": time_text(moment_of(at))}


def movers(exchange: Exchange, market_type: str, parameters: Parameters) -> Row:
    """The symbols that gained and lost most since the close before. Raises ApiError 400."""
    if market_type not in _MARKETS:
        raise bad_parameter(f"invalid market_type: {market_type[:20]}")
    top = data.count_of(parameters, "top", 10, 50)
    days, at = _days(exchange, market_type)
    gainers = sorted((one for one in days if one.change > 0), key=lambda one: (-one.change, one.symbol))
    losers = sorted((one for one in days if one.change < 0), key=lambda one: (one.change, one.symbol))
    return {
        "gainers": [_moved(one) for one in gainers[:top]],
        "losers": [_moved(one) for one in losers[:top]],
        "market_type": market_type,
        "last_updated": time_text(moment_of(at)),
    }


def _moved(one: _Day) -> Row:
    return {
        "symbol": one.symbol,
        "percent_change": round(one.change * 100, 2),
        "change": (one.bar.close - one.before) / 100,
        "price": one.bar.close / 100,
    }


def _days(exchange: Exchange, market_type: str) -> tuple[list[_Day], int]:
    with exchange.reading() as at:
        market = exchange.market
        found = []
        for symbol, listing in market.listings.items():
            if listing.tradable and listing.is_crypto == (market_type == "crypto"):
                bar = latest_bar(market, listing, DAY, at)
                opened = market.session(listing, market.halts.priced_at(symbol, at)).open
                before = adjusted_bar(market, listing, latest_bar(market, listing, DAY, opened - 1), "split", at)
                found.append(_Day(symbol, bar, bar_row(listing, bar), before.close))
        return found, at
