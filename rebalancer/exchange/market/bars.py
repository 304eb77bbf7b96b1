"""Bars of any width, aggregated from the same nodes that quotes and trades come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from rebalancer.exchange.calendar import MICROS, TradingSession, midnight_new_york
from rebalancer.exchange.market.daily import BASE_DAY
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import STEP, NodePath
from rebalancer.exchange.market.prices import Market, crypto_session, steps_of

_CHUNK_DAYS: Final = 64
_FIRST: Final = midnight_new_york(BASE_DAY + 1)
_FRAME: Final = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D)")
_MINUTE: Final = 60 * MICROS


class Bar(NamedTuple):
    """Prices in cents, volume in shares (millionths of a coin for crypto), `vwap` in cents, unrounded."""

    at: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int
    vwap: float


def frame_of(text: str) -> int | None:
    """The width of a timeframe in microseconds ("5Min", "1Hour"), 0 for "1Day", None when it is not one."""
    match = _FRAME.fullmatch(text)
    if match is None:
        return None
    count, unit = int(match[1]), match[2][0]
    if unit == "D":
        return 0 if count == 1 else None
    limit, width = (59, _MINUTE) if unit in "MT" else (23, 60 * _MINUTE)
    return count * width if 1 <= count <= limit else None


def bars(
    market: Market, listing: Listing, frame: int, start: int, end: int, now: int, limit: int | None = None
) -> list[Bar]:
    """Bars that begin in [start, end], oldest first, made of nothing later than `now`; the last may be forming.

    With a limit, at most so many.
    """
    now = market.halts.priced_at(listing.symbol, now)
    found: list[Bar] = []
    for session, path, row in _session_paths(market, listing, start, min(end, now)):
        made = _session_bars(session, path, row, frame, listing, now)
        found += [bar for bar in made if start <= bar.at <= end and not _is_halted(market, listing, bar.at, frame)]
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


def latest_bar(market: Market, listing: Listing, frame: int, now: int) -> Bar:
    """The bar that the latest trade belongs to."""
    now = market.halts.priced_at(listing.symbol, now)
    session = market.session(listing, now)
    return _session_bars(session, market.path(listing, session), 0, frame, listing, now)[-1]


def _is_halted(market: Market, listing: Listing, at: int, frame: int) -> bool:
    """Whether nothing traded in all of a bar; a day always has a bar."""
    resumed = market.halts.resumes(listing.symbol, at)
    return frame > 0 and resumed is not None and resumed >= at + frame


def _session_paths(
    market: Market, listing: Listing, start: int, end: int
) -> Iterator[tuple[TradingSession, NodePath, int]]:
    """Sessions that touch the span, with their nodes and row: computed many at a time, which makes daily bars quick."""
    if end < start:
        return
    for _, group in groupby(_span(market, listing, start, end), key=_Chunks()):
        chunk = list(group)
        if len(chunk) < 3:
            yield from ((session, market.path(listing, session), 0) for session in chunk)
            continue
        days = tuple(session.day for session in chunk)
        path = market.paths(listing, days, steps_of(chunk[0]))
        yield from ((session, path, row) for row, session in enumerate(chunk))


class _Chunks:
    """Numbers runs of at most 64 sessions of equal length."""

    def __init__(self) -> None:
        self._number, self._size, self._steps = 0, 0, 0

    def __call__(self, session: TradingSession) -> int:
        if self._size >= _CHUNK_DAYS or steps_of(session) != self._steps:
            self._number, self._size, self._steps = self._number + 1, 0, steps_of(session)
        self._size += 1
        return self._number


def _span(market: Market, listing: Listing, start: int, end: int) -> list[TradingSession]:
    first, last = crypto_session(max(start, _FIRST)), crypto_session(end)
    if listing.is_crypto:
        return [crypto_session(at) for at in range(first.open, last.open + 1, first.close - first.open)]
    return list(market.sessions.between(first.day - 1, last.day + 1))


def _session_bars(
    session: TradingSession, path: NodePath, row: int, frame: int, listing: Listing, now: int
) -> list[Bar]:
    """The bars of one session, from its nodes up to `now`."""
    if session.open > now:
        return []
    known = min((now - session.open) // STEP + 1, path.trade.shape[1])
    trade, volume = path.trade[row, :known], path.volume[row, :known]
    at = session.open + np.arange(known, dtype=np.int64) * STEP
    at[-1] = min(int(at[-1]), session.close - 1)  # the closing print belongs to the last bar
    if frame == 0:
        begins = np.zeros(1, dtype=np.int64)
        stamps = [session.open if listing.is_crypto else midnight_new_york(session.day)]
    else:
        buckets = at // frame
        begins = np.concatenate(([0], np.flatnonzero(np.diff(buckets)) + 1))
        stamps = [int(b) * frame for b in buckets[begins]]
    ends = np.append(begins[1:], known) - 1
    amounts = np.add.reduceat(volume, begins)
    vwaps = np.add.reduceat(trade * volume, begins) / amounts
    columns = (
        trade[begins],
        np.maximum.reduceat(trade, begins),
        np.minimum.reduceat(trade, begins),
        trade[ends],
        amounts,
        (ends - begins + 1) * 8,
    )
    lists = [column.tolist() for column in columns]
    return [Bar(*row) for row in zip(stamps, *lists, vwaps.tolist(), strict=True)]
