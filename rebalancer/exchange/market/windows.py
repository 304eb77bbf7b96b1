"""The sessions that can hold an answer, a few at a time, so that only as much is computed as is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.exchange.calendar import TradingSession, midnight_new_york
from rebalancer.exchange.market.daily import BASE_DAY
from rebalancer.exchange.market.frames import Frame
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import STEP, NodePath
from rebalancer.exchange.market.prices import DAY_MICROS, Market, crypto_session, steps_of

_SESSIONS_MAX: Final = 64
FIRST: Final = midnight_new_york(BASE_DAY + 1)
"""Nothing is older."""
Run = tuple[TradingSession, ...]
Whole = NDArray[np.int64]


def windows(
    market: Market, listing: Listing, frame: Frame, start: int, end: int, now: int, most: int, *, newest_first: bool
) -> Iterator[Run]:
    """Runs of sessions that hold what begins in [start, end] and is known at `now`.

    Each run is in the order of time and large enough for `most` rows of the frame, as far as 64 sessions go; weeks and
    months are never cut in two. The caller stops when it has enough.
    """
    sessions = _sessions(market, listing, frame, start, end, now)
    if frame.width or frame.unit == "day":
        units: list[Run] = [(session,) for session in sessions]
    else:
        units = [tuple(group) for _, group in groupby(sessions, key=lambda session: frame.first_day(session.day))]
    if newest_first:
        units.reverse()
    length = sessions[0].close - sessions[0].open if sessions else DAY_MICROS
    rows = max(length // frame.width, 1) if frame.width else 1
    size = min(most // rows + 1, _SESSIONS_MAX)  # in units; a session of the edge may hold less
    for few in _few(units, size):
        yield tuple(session for unit in (reversed(few) if newest_first else few) for session in unit)


def _few(units: list[Run], size: int) -> Iterator[list[Run]]:
    """So many units at a time, or fewer when their sessions are many."""
    found: list[Run] = []
    for unit in units:
        found.append(unit)
        if len(found) >= size or sum(map(len, found)) >= _SESSIONS_MAX:
            yield found
            found = []
    if found:
        yield found


def _sessions(market: Market, listing: Listing, frame: Frame, start: int, end: int, now: int) -> list[TradingSession]:
    start = max(start, FIRST)
    last = min(end + frame.days_max * DAY_MICROS if not frame.width else end, now)
    if end < start or last < start:
        return []
    first_day, last_day = crypto_session(start), crypto_session(last)
    found: list[TradingSession]
    if listing.is_crypto:
        found = [crypto_session(at) for at in range(first_day.open, last_day.open + 1, DAY_MICROS)]
    else:
        found = list(market.sessions.between(first_day.day - 1, last_day.day + 1))
    if frame.width:
        return [one for one in found if one.close >= start and one.open <= min(end + frame.width, now)]
    return [one for one in found if one.open <= now]


def paths_of(market: Market, listing: Listing, run: Run) -> Iterator[tuple[Run, NodePath]]:
    """The nodes of a run: groups of sessions of equal length, with arrays of shape (sessions, nodes)."""
    for steps, group in groupby(run, key=steps_of):
        whole = tuple(group)
        for first in range(0, len(whole), _SESSIONS_MAX):
            some = whole[first : first + _SESSIONS_MAX]
            if len(some) < 3:
                yield from (((session,), market.path(listing, session)) for session in some)
            else:
                yield some, market.paths(listing, tuple(session.day for session in some), steps)


def nodes_of(run: Run) -> int:
    """How many nodes a run has: what it costs to compute."""
    return sum(steps_of(session) + 1 for session in run)


def is_whole(market: Market, listing: Listing, session: TradingSession, now: int) -> bool:
    """Whether a session is over and no halt lay in it."""
    return session.close <= now and not any(
        halt.start < session.close and halt.end > session.open for halt in market.halts.of(listing.symbol)
    )


def traded(market: Market, listing: Listing, session: TradingSession, count: int, now: int) -> tuple[Whole, Whole]:
    """Which of a session's `count` nodes are known at a moment and lie in no halt, and their times."""
    known = max(min((now - session.open) // STEP + 1, count), 0)
    nodes = np.arange(known, dtype=np.int64)
    at = session.open + nodes * STEP
    for halt in market.halts.of(listing.symbol):
        if halt.start < session.close and halt.end > session.open:
            open_at = (at <= halt.start) | (at >= halt.end)
            nodes, at = nodes[open_at], at[open_at]
    return nodes, at
