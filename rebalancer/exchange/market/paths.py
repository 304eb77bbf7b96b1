"""The path of prices inside sessions: one node every 15 seconds, from the session's open to its close.

Each step is the same weighted sum of factors as the daily return, with a volatility that is high after the open and
before the close. The finished walk is tilted so that it ends exactly at the session's close, which keeps daily and
intraday data consistent. Prices become whole ticks here; everything downstream is integer arithmetic.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.market.daily import BASE_DAY, CRYPTO_DAY, DailyPath, mix
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.noise import Floats, draws, normals, stream_key, uniforms

Ticks = NDArray[np.int64]
STEP: Final = 15 * MICROS
TICKS_PER_USD: Final = 100
EQUITY_NODES: Final = 1560  # draws reserved a day: a full session of 6.5 hours
_FACTOR_VALUES_MAX: Final = 4_000_000  # 32 MB
CRYPTO_NODES: Final = CRYPTO_DAY * MICROS // STEP


class NodePath(NamedTuple):
    """Prices of one instrument over one or more days: arrays (days, nodes), node k standing 15 k seconds after open.

    Prices are in ticks of one cent. An equity's last node is the closing print; a crypto day has none, since the next
    day's first node follows at once.
    """

    bid: Ticks
    ask: Ticks
    trade: Ticks
    volume: Ticks


def node_path(factors: Factors, listing: Listing, daily: DailyPath, days: tuple[int, ...], nodes: int) -> NodePath:
    """Compute the nodes of sorted days, each with the same number of steps."""
    width = CRYPTO_NODES if listing.is_crypto else EQUITY_NODES
    assert 0 < nodes <= width
    first, count = days[0] - BASE_DAY, days[-1] - days[0] + 1
    rows = np.asarray(days, dtype=np.int64) - days[0]
    own = draws(stream_key(factors.seed, "nodes", listing.symbol), first, count, width)[rows, :nodes]
    steps = mix(
        listing,
        factors.rows("market" if not listing.is_crypto else "market crypto", first, count, width)[rows, :nodes],
        factors.rows(f"sector {listing.sector}", first, count, width)[rows, :nodes],
        normals(own),
    )
    at = np.asarray([daily.row(day) for day in days])
    shares, ends = _profile(nodes, flat=listing.is_crypto)
    steps *= np.sqrt(shares)
    steps *= daily.deviations[at][:, None]
    opens, closes = daily.opens[at][:, None], daily.closes[at][:, None]
    price = np.empty((len(days), nodes + 1))
    price[:, :1], walk = opens, price[:, 1:]
    np.cumsum(steps, axis=1, out=walk)
    walk += 1.0
    walk *= opens
    walk += np.multiply(closes - walk[:, -1:], ends, out=steps)
    quantity = _volumes(listing, daily.volumes[at], own, shares)
    if listing.is_crypto:
        price, quantity = price[:, :-1], quantity[:, :-1]
    return in_ticks(listing, price, quantity)


def in_ticks(listing: Listing, price: Floats, volume: Ticks) -> NodePath:
    """Quotes and trades around prices in USD, in whole cents."""
    mid = np.maximum(price, 0.05)
    mid *= TICKS_PER_USD
    half = listing.spread_bp * 0.5e-4
    side = mid * (1.0 - half)
    bid = np.floor(side, out=side).astype(np.int64)
    ask = np.ceil(np.multiply(mid, 1.0 + half, out=side), out=side).astype(np.int64)
    np.maximum(ask, bid + 1, out=ask)
    trade = np.rint(mid, out=mid).astype(np.int64)
    np.minimum(np.maximum(trade, bid, out=trade), ask, out=trade)
    return NodePath(bid, ask, trade, volume)


def _volumes(listing: Listing, relative: Floats, own: NDArray[np.uint64], shares: Floats) -> Ticks:
    """Whole shares (or millionths of a coin) traded at each node; the opening node repeats the first step's."""
    unit = 1_000_000 if listing.is_crypto else 1
    amounts = uniforms(own)
    amounts *= 1.2
    amounts += 0.4
    amounts *= shares
    amounts *= relative[:, None] * listing.daily_volume * unit
    np.maximum(amounts, 1.0, out=amounts)
    found = np.empty((amounts.shape[0], amounts.shape[1] + 1), dtype=np.int64)
    found[:, 1:] = amounts  # cut to whole numbers
    found[:, 0] = found[:, 1]
    return found


@cache
def _profile(nodes: int, *, flat: bool) -> tuple[Floats, Floats]:
    """Each step's share of the session's variance (U-shaped unless flat) and the running total, which ends at 1."""
    middle = (np.arange(nodes) + 0.5) * (2.0 / nodes) - 1.0
    weight = np.ones(nodes) if flat else 0.5 + 1.5 * middle * middle
    shares = weight * (1.0 / float(np.sum(weight)))
    return shares, np.cumsum(shares)


class Factors:
    """The market's and the sectors' draws, kept for the names that share them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._kept: OrderedDict[tuple[str, int, int, int], Floats] = OrderedDict()
        self._size = 0

    def rows(self, name: str, first: int, count: int, width: int) -> Floats:
        """A factor's draws of `count` days from `first` on, shape (count, width)."""
        key = (name, first, count, width)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = normals(draws(stream_key(self.seed, "nodes", name), first, count, width))
            self._size += found.size
            while self._size > _FACTOR_VALUES_MAX:
                self._size -= self._kept.popitem(last=False)[1].size
        return found
