"""Pages of past bars, trades, quotes and auctions: sorted by symbol and time, `limit` counting across symbols.

Only what a page shows is computed, a few sessions at a time. The exchange's lock is held for one such step only, so
that a long page keeps nobody else waiting; what has happened does not change between two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from rebalancer.exchange import data_parameters as data
from rebalancer.exchange.calendar import midnight_new_york, new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.data_parameters import Place, Span
from rebalancer.exchange.market.bars import run_bars
from rebalancer.exchange.market.frames import DAY, NODE, Frame
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.prices import Market, crypto_session
from rebalancer.exchange.market.ticks import run_auctions, run_ticks
from rebalancer.exchange.market.windows import Run, nodes_of, windows
from rebalancer.exchange.market_rows import Row, auction_day, bar_row, quote_of, trade_of
from rebalancer.exchange.parameters import Parameters

WORK_MAX: Final = 16_000_000  # nodes computed for one page: about a second; 10 000 days of equities
Asked = list[tuple[str, Listing]]


class _Dated(Protocol):
    @property
    def at(self) -> int: ...


T = TypeVar("T", bound=_Dated)


class Page(NamedTuple):
    """Rows by symbol, and the token of the next page."""

    rows: dict[str, list[Row]]
    following: str | None


def bar_pages(exchange: Exchange, asked: Asked, parameters: Parameters) -> Page:
    """A page of bars. Raises ApiError 400."""
    frame, mode = data.timeframe(parameters), data.adjustment(parameters)
    return _page(
        exchange,
        asked,
        data.span_of(parameters),
        frame,
        lambda market, listing, run, start, end, now: run_bars(market, listing, frame, run, start, end, now, mode),
        bar_row,
    )


def trade_pages(exchange: Exchange, asked: Asked, parameters: Parameters) -> Page:
    """A page of trades. Raises ApiError 400."""
    return _page(exchange, asked, data.span_of(parameters), NODE, run_ticks, trade_of)


def quote_pages(exchange: Exchange, asked: Asked, parameters: Parameters) -> Page:
    """A page of quotes. Raises ApiError 400."""
    return _page(exchange, asked, data.span_of(parameters), NODE, run_ticks, quote_of)


def auction_pages(exchange: Exchange, asked: Asked, parameters: Parameters) -> Page:
    """A page of days with their auctions. Raises ApiError 400."""
    return _page(exchange, asked, data.span_of(parameters), DAY, run_auctions, auction_day)


def _page(
    exchange: Exchange,
    asked: Asked,
    span: Span,
    frame: Frame,
    compute: Callable[[Market, Listing, Run, int, int, int], list[T]],
    show: Callable[[Listing, T], Row],
) -> Page:
    with exchange.reading() as now:
        pass
    found: dict[str, list[Row]] = {}
    left, work = span.limit, 0
    for name, listing in sorted(asked):
        if span.place is not None and name < span.place.symbol:
            continue
        start, end = _bounds(span, name, listing, now)
        rows: list[T] = []
        following: Place | None = None
        for run in windows(exchange.market, listing, frame, start, end, now, left + 1, newest_first=span.newest_first):
            if work + nodes_of(run) > WORK_MAX and (rows or found):
                following = Place(name, _beyond(rows, start, end, newest_first=span.newest_first))
                break
            work += nodes_of(run)
            with exchange.lock:
                some = compute(exchange.market, listing, run, start, end, now)
            rows += reversed(some) if span.newest_first else some
            if len(rows) > left:
                following = Place(name, rows[left].at)
                del rows[left:]
                break
        if rows:
            found[name] = [show(listing, row) for row in rows]
            left -= len(rows)
        if following is not None:
            return Page(found, following.token)
    return Page(found, None)


def _bounds(span: Span, name: str, listing: Listing, now: int) -> tuple[int, int]:
    """First and last moment of one symbol's rows on this page."""
    today = crypto_session(now).open if listing.is_crypto else midnight_new_york(new_york_day(now))
    start = today if span.start is None else span.start
    end = now if span.end is None else min(span.end, now)
    if span.place is None or span.place.symbol != name:
        return start, end
    return (start, min(end, span.place.at)) if span.newest_first else (max(start, span.place.at), end)


def _beyond(rows: list[T], start: int, end: int, *, newest_first: bool) -> int:
    """Where a page goes on that ended before its limit."""
    if not rows:
        return end if newest_first else start
    return rows[-1].at - 1 if newest_first else rows[-1].at + 1
