"""Crypto fees: maker and taker rates by the volume of 30 days, taken from what is received.

The tier of a UTC day follows from the fills of the 30 days before it, so that it never changes within a day (chosen:
the published table does not say when it is counted). A maker is a limit order that had to wait for its price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange.store import Store

_DAY: Final = 24 * 3600 * 1_000_000
_WINDOW: Final = 30 * _DAY


class Tier(NamedTuple):
    """One row of the table: `below` is its end in USD, None for the last; rates are fractions of what is received."""

    number: int
    below: Decimal | None
    maker: Decimal
    taker: Decimal


_TABLE: Final = (  # thousand USD, basis points
    (100, 15, 25), (500, 12, 22), (1_000, 10, 20), (10_000, 8, 18),
    (25_000, 5, 15), (50_000, 2, 13), (100_000, 2, 12), (None, 0, 10),
)  # fmt: skip
TIERS: Final = tuple(
    Tier(number, None if end is None else Decimal(end) * 1000, Decimal(maker) / 10_000, Decimal(taker) / 10_000)
    for number, (end, maker, taker) in enumerate(_TABLE, start=1)
)


def tier_of(volume: Decimal) -> Tier:
    """The tier of a 30-day volume in USD."""
    return next(tier for tier in TIERS if tier.below is None or volume < tier.below)


class FeeSchedule:
    """The tier of a day, read from the fills once a day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._day, self._tier = -1, TIERS[0]

    def tier(self, at: int) -> Tier:
        """The tier that holds at a moment, microseconds."""
        day = at // _DAY
        if day != self._day:
            self._day, self._tier = day, tier_of(self._volume(day * _DAY))
        return self._tier

    def rate(self, at: int, *, maker: bool) -> Decimal:
        """The fraction that a fill costs."""
        tier = self.tier(at)
        return tier.maker if maker else tier.taker

    def _volume(self, until: int) -> Decimal:
        """USD bought and sold in the 30 days before a moment."""
        return sum((qty * price for qty, price in self._store.crypto_fills(until - _WINDOW, until)), ZERO)
