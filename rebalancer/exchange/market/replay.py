"""A market that plays back recorded bars: the same quotes, trades and bars every time.

Inside a bar the price goes from the open by way of the low and the high (a falling bar: the high, then the low) to the
close, so that bars made of these prices again are the recorded ones. Where nothing was recorded the last price stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from rebalancer.exchange.calendar import SessionTable, TradingSession, midnight_new_york, new_york_day
from rebalancer.exchange.market.listing import Listing, listings
from rebalancer.exchange.market.paths import STEP, NodePath, in_ticks
from rebalancer.exchange.market.prices import DayBars, Market, crypto_session
from rebalancer.exchange.market.replay_files import DAY, Column, Recording

_SPREAD_BP: Final = 2.0  # of names that the simulated market does not know


class ReplayMarket(Market):
    """Recorded prices of the recorded symbols; no other is listed."""

    def __init__(
        self,
        seed: int,
        sessions: SessionTable,
        recordings: Mapping[str, Recording],
        known: Mapping[str, Listing] | None = None,
    ) -> None:
        """known: what is known of names, the built-in listing by default."""
        known = listings() if known is None else known
        super().__init__(seed, sessions, {symbol: _listing(one, known) for symbol, one in sorted(recordings.items())})
        self._day_bars = DayBars()  # of these recordings alone
        self._recordings = {
            symbol: _on_days(one, self.listings[symbol].is_crypto) for symbol, one in recordings.items()
        }

    def first_session(self) -> TradingSession:
        """The first session with a recorded bar. Raises ValueError when no bar lies in any."""
        firsts: list[int] = []
        for symbol, one in self._recordings.items():
            if self.listings[symbol].is_crypto:
                firsts.append(int(one.at[0]))
                continue
            for at in one.at.tolist():
                session = self._session_of(one, at)
                if session is not None:
                    firsts.append(session.open)
                    break
        if not firsts:
            raise ValueError("the recorded bars lie outside every trading session of 2018 to 2032")
        return self.sessions.next_close(min(firsts))

    def _session_of(self, one: Recording, at: int) -> TradingSession | None:
        if one.width:
            return self.sessions.current(at)
        found = self.sessions.between(new_york_day(at), new_york_day(at))
        return found[0] if found else None

    def paths(self, listing: Listing, days: tuple[int, ...], steps: int) -> NodePath:
        """The nodes of sorted days: arrays of shape (days, nodes)."""
        one = self._recordings[listing.symbol]
        rows = [_day(one, day, self._begin(listing, day), steps, crypto=listing.is_crypto) for day in days]
        price = np.stack([row.price for row in rows]).astype(np.float64) / 100
        return in_ticks(listing, price, np.stack([row.volume for row in rows]))

    def _begin(self, listing: Listing, day: int) -> int:
        if listing.is_crypto:
            return crypto_session(midnight_new_york(day)).open
        (session,) = self.sessions.between(day, day)
        return session.open


class _Nodes(NamedTuple):
    """One day's nodes, 15 seconds apart: prices in cents and what was traded."""

    price: Column
    volume: Column


def _day(one: Recording, day: int, begin: int, steps: int, *, crypto: bool) -> _Nodes:
    """Lay a day's bars out on its nodes. An equity has one node more, its closing print."""
    count = steps if crypto else steps + 1
    if one.width:
        first, last = np.searchsorted(one.at, (begin, begin + steps * STEP))
    else:
        stamp = begin if crypto else midnight_new_york(day)
        first, last = np.searchsorted(one.at, (stamp, stamp + 1))
    before = int(one.close[first - 1]) if first else int(one.open[0])
    bars = slice(first, last)
    starts = (one.at[bars] - begin) // STEP if one.width else np.zeros(last - first, dtype=np.int64)
    stops = np.minimum(starts + one.width // STEP, steps) if one.width else np.full(last - first, count)
    standing = np.concatenate(([before], one.close[bars]))  # the price after so many bars, until the next one begins
    price = standing[np.searchsorted(stops, np.arange(count), side="right")]
    volume = np.ones(count, dtype=np.int64)
    lengths = stops - starts
    for length in np.unique(lengths).tolist():  # one, and another where the close cuts a bar short
        some = np.flatnonzero(lengths == length)
        nodes = (starts[some][:, None] + np.arange(length)).ravel()
        inside = _inside(one, first + some, length)
        price[nodes], volume[nodes] = inside.price.ravel(), inside.volume.ravel()
    if one.width and not crypto:
        volume[-1] = 0  # the closing print belongs to the last bar, which has its volume already
    return _Nodes(price, volume)


def _inside(one: Recording, bars: Column, count: int) -> _Nodes:
    """The nodes of bars of one length, shape (bars, count): their four prices, straight lines between them, and their
    volume in equal parts."""
    opened, closed = one.open[bars][:, None], one.close[bars][:, None]
    if count < len("ohlc"):  # a bar that the close cuts short
        shape = (len(bars), count)
        return _Nodes(np.broadcast_to(closed, shape), np.ones(shape, dtype=np.int64))
    low, high = one.low[bars][:, None], one.high[bars][:, None]
    rises = closed >= opened
    turns = np.concatenate((opened, np.where(rises, low, high), np.where(rises, high, low), closed), axis=1)
    places = np.asarray((0, count // 3, 2 * count // 3, count - 1))
    nodes = np.arange(count)
    leg = np.minimum(np.searchsorted(places, nodes, side="right") - 1, len(places) - 2)
    slopes = np.diff(turns, axis=1) / np.diff(places)
    price = np.rint(slopes[:, leg] * (nodes - places[leg]) + turns[:, leg]).astype(np.int64)
    price[:, -1] = turns[:, -1]
    total = np.maximum(one.volume[bars], 1)[:, None]
    volume = np.repeat(total // count, count, axis=1)
    volume[:, :1] += total % count
    return _Nodes(price, volume)


def _on_days(one: Recording, crypto: bool) -> Recording:
    """Daily bars stamped as the market stamps its own: midnight in New York, or UTC for crypto."""
    if one.width or crypto:
        return one
    return one._replace(at=np.asarray([_stamp(at) for at in one.at.tolist()], dtype=np.int64))


@lru_cache(100_000)  # names share their days
def _stamp(at: int) -> int:
    """A plain date was read as midnight UTC, which is the evening before in New York."""
    day = crypto_session(at).day if at % DAY == 0 else new_york_day(at)
    return midnight_new_york(day)


def _listing(one: Recording, known: Mapping[str, Listing]) -> Listing:
    row = known.get(one.symbol)
    if row is not None:
        return row._replace(tradable=True)
    crypto = "/" in one.symbol
    return Listing(
        one.symbol, one.symbol, "Recorded", float(one.close[-1]) / 100, 0.3, 0.5, 0.3, _SPREAD_BP, 1_000_000,
        "CRYPTO" if crypto else "NASDAQ", "crypto" if crypto else "us_equity",
    )  # fmt: skip
