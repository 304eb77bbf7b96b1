"""Past trades and quotes: one of each at every node, the same that the stream sends and that bars are made of."""

from __future__ import annotations

from typing import NamedTuple

from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.prices import DAY_MICROS, Market, Tick, midnight_utc, tick_at
from rebalancer.exchange.market.windows import Run, paths_of, traded


class Auction(NamedTuple):
    """The first print of a session and the last, None as long as it is not known; `at` is 00:00 UTC of its day."""

    at: int
    day: int
    open: Tick | None
    close: Tick | None


def run_ticks(market: Market, listing: Listing, run: Run, start: int, end: int, now: int) -> list[Tick]:
    """The ticks of a run in [start, end], oldest first."""
    found: list[Tick] = []
    for some, path in paths_of(market, listing, run):
        for row, session in enumerate(some):
            nodes, at = traded(market, listing, session, path.trade.shape[1], now)
            inside = (at >= start) & (at <= end)
            found += [tick_at(path, row, node, session.open) for node in nodes[inside].tolist()]
    return found


def run_auctions(market: Market, listing: Listing, run: Run, start: int, end: int, now: int) -> list[Auction]:
    """The auctions of a run's sessions from the day of `start` to that of `end`; none where a halt stood in the way."""
    found: list[Auction] = []
    for some, path in paths_of(market, listing, run):
        last = path.trade.shape[1] - 1
        for row, session in enumerate(some):
            known = {0, last} & set(traded(market, listing, session, last + 1, now)[0].tolist())
            prints = [tick_at(path, row, node, session.open) if node in known else None for node in (0, last)]
            at = midnight_utc(session.day)
            if start - start % DAY_MICROS <= at <= end and known:
                found.append(Auction(at, session.day, *prints))
    return found
