"""A market that plays back recorded bars: the same quotes, trades and bars every time.

Inside a bar the price goes from the open by way of the low and the high (a falling bar: the high, then the low) to the
close, so that bars made of these prices again are the recorded ones. Where nothing was recorded the last price stands.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    price = np.full(count, before, dtype=np.int64)
    volume = np.ones(count, dtype=np.int64)
    for index in range(first, last):
        start = int((one.at[index] - begin) // STEP) if one.width else 0
        stop = min(start + one.width // STEP, steps) if one.width else count
        bar = _inside(one, index, stop - start)
        price[start:stop] = bar.price
        volume[start:stop] = bar.volume
        price[stop:] = one.close[index]
    if one.width and not crypto:
        volume[-1] = 0  # the closing print belongs to the last bar, which has its volume already
    return _Nodes(price, volume)


def _inside(one: Recording, index: int, count: int) -> _Nodes:
    """The nodes of one bar: its four prices, straight lines between them, and its volume in equal parts."""
    opened, closed = int(one.open[index]), int(one.close[index])
    if count < len("ohlc"):  # a bar that the close cuts short
        return _Nodes(np.full(count, closed, dtype=np.int64), np.ones(count, dtype=np.int64))
    low, high = int(one.low[index]), int(one.high[index])
    turns = (low, high) if closed >= opened else (high, low)
    places = (0, count // 3, 2 * count // 3, count - 1)
    price = np.rint(np.interp(np.arange(count), places, (opened, *turns, closed))).astype(np.int64)
    total = max(int(one.volume[index]), 1)
    volume = np.full(count, total // count, dtype=np.int64)
    volume[0] += total % count
    return _Nodes(price, volume)


def _on_days(one: Recording, crypto: bool) -> Recording:
    """Daily bars stamped as the market stamps its own: midnight in New York, or UTC for crypto."""
    if one.width or crypto:
        return one
    return one._replace(at=np.asarray([_stamp(int(at)) for at in one.at], dtype=np.int64))


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
