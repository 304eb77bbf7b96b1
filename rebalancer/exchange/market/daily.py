"""Opens and closes of every session of every instrument.

One daily return is gap + session return, each the weighted sum of a market, a sector and an own draw, scaled by the
instrument's volatility and a volatility regime shared by all; plus a drift that changes every quarter, which is what
gives the names their trends. Levels are tied to the anchor session, where an instrument closes at its listed level.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from rebalancer.exchange.calendar import LAST_DAY, SessionTable
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.noise import Floats, draws, heavy_tails, normals, stream_key, uniforms

BASE_DAY: Final = 736_695  # 2018-01-01: row 0 of every stream of draws
ANCHOR_DAY: Final = 739_939  # 2026-11-19: the close before the default start
GAP_SHARE: Final = 0.35  # of a day's volatility falls between close and open
SESSION_SHARE: Final = 0.937  # the rest: the squares add up to 1
CRYPTO_DAY: Final = 24 * 3600
_REGIME_DAYS: Final = 30
_DRIFT_DAYS: Final = 91
_DAYS: Final = LAST_DAY.toordinal() - BASE_DAY + 1


class DailyPath(NamedTuple):
    """Arrays over sessions (equities) or calendar days (crypto); `days` are sorted ordinals, prices in USD."""

    days: np.ndarray[tuple[int], np.dtype[np.int64]]
    opens: Floats
    closes: Floats
    deviations: Floats  # of the session return, as a fraction
    volumes: Floats  # relative to the listed daily volume

    def row(self, day: int) -> int:
        """The index of a day, or of the last day before it."""
        return int(np.searchsorted(self.days, day, side="right")) - 1


def daily_path(seed: int, listing: Listing, sessions: SessionTable) -> DailyPath:
    """All sessions of one instrument, from 2018 to the end of the calendar."""
    own = draws(stream_key(seed, "daily", listing.symbol), 0, _DAYS, 4)
    market = _shared(seed, "market" if not listing.is_crypto else "market crypto")
    mixed = mix(listing, market.normals, _shared(seed, "sector", listing.sector).normals, normals(own[:, :2]))
    shocks = heavy_tails(mixed)
    days = np.arange(_DAYS) if listing.is_crypto else np.asarray(sessions.days, dtype=np.int64) - BASE_DAY
    per_year = 365 if listing.is_crypto else 252
    deviation = market.calm[days] * (listing.volatility / per_year**0.5)
    gap_share, session_share = (0.0, 1.0) if listing.is_crypto else (GAP_SHARE, SESSION_SHARE)
    gaps = gap_share * deviation * shocks[days, 0]
    trend = (
        0.05
        + 0.5 * listing.volatility**2
        + 0.6 * listing.volatility * (2.0 * _smooth(uniforms(own[:, 3]), _DRIFT_DAYS) - 1.0)
    )
    returns = gaps + session_share * deviation * shocks[days, 1] + trend[days] / per_year
    closes = np.cumprod(1.0 + np.maximum(returns, -0.5))
    ordinals = days + BASE_DAY
    anchor = int(np.searchsorted(ordinals, ANCHOR_DAY, side="right")) - 1
    closes = closes * (listing.level / closes[anchor])
    before = np.concatenate((closes[:1], closes[:-1]))
    volumes = 0.6 + 0.4 * uniforms(own[:, 2])[days] + 0.35 * np.abs(shocks[days, 1])
    return DailyPath(ordinals, before * (1.0 + gaps), closes, session_share * deviation, volumes)


class _Shared(NamedTuple):
    """What all names of a market or a sector have in common: arrays over calendar days."""

    normals: Floats  # shape (days, 2): the gap's draw and the session's
    calm: Floats  # the volatility regime


@lru_cache(64)
def _shared(seed: int, *names: str) -> _Shared:
    raw = draws(stream_key(seed, "daily", *names), 0, _DAYS, 4)
    return _Shared(normals(raw[:, :2]), 0.65 + 0.9 * _smooth(uniforms(raw[:, 3]), _REGIME_DAYS))


def mix(listing: Listing, market: Floats, sector: Floats, own: Floats) -> Floats:
    """Weighted sum of the three factors, of variance 1."""
    rest = 1.0 - listing.market_weight**2 - listing.sector_weight**2
    assert rest > 0, listing.symbol
    return np.asarray(listing.market_weight * market + listing.sector_weight * sector + rest**0.5 * own)


def _smooth(values: Floats, length: int) -> Floats:
    """Keep every `length`-th value and draw straight lines between them."""
    knots = values[::length]
    position = np.arange(len(values)) / length
    left = position.astype(np.int64)
    right = np.minimum(left + 1, len(knots) - 1)
    share = position - left
    return knots[left] * (1.0 - share) + knots[right] * share
