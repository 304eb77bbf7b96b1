"""Instructions aligned to bars, without look-ahead: an instruction counts from the first bar at or after its time.

Target weights come as books: each replaces the one before it as a whole, and holds until the next. Scores come as
events: each replaces the one before it of its name, and holds for `signals.max_age_minutes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.research.market import Flags, Floats, Instructions, Integers, Market

MINUTE: Final = 60 * 1_000_000_000  # nanoseconds
MICROSECOND: Final = 1_000  # nanoseconds
NAMES_SHOWN: Final = 5


class Books(NamedTuple):
    """Target weights: `ns` ascending, `weights` of shape (books, symbols); NaN is no opinion."""

    ns: Integers
    symbols: tuple[str, ...]
    weights: Floats


class Events(NamedTuple):
    """Scores, one each: time, place in `symbols`, score, confidence. `is_day`: the time is the end of a day, and the
    score counts as issued at the bar where it arrives. stop, goal: the prices that it names, NaN for none."""

    ns: Integers
    symbols: tuple[str, ...]
    name: Integers
    score: Floats
    confidence: Floats
    is_day: bool = False
    stop: Floats | None = None
    goal: Floats | None = None


class Aligned(NamedTuple):
    """`changed`: the bars at which something new begins to count. `unused`: instructions after the last bar. `stale`:
    bars and names at which what was said had become too old."""

    instructions: Instructions
    changed: Flags
    unused: int
    stale: int = 0


def availability(market: Market, ns: Integers) -> Integers:
    """The first bar at or after each time; the number of bars where there is none."""
    return np.searchsorted(market.times, ns, side="left").astype(np.int64)


def align_books(market: Market, books: Books, place: str, max_age_minutes: float | None = None) -> Aligned:
    """Align target weights. max_age_minutes: after which they no longer count; None never. Raises BadDocument when none
    begins to count, or a name has no prices."""
    columns = _columns(market, books.symbols, np.nansum(np.abs(books.weights), axis=0) > 0, place)
    bars = availability(market, books.ns)
    usable = bars < len(market.times)
    _refuse_nothing(usable, market, place)
    at = np.full(len(market.times), -1, dtype=np.int64)
    at[bars[usable]] = np.flatnonzero(usable)  # of several at one bar the last stands
    changed = at >= 0
    at = np.maximum.accumulate(at)
    value = np.full(market.close.shape, np.nan)
    known, kept = at >= 0, columns >= 0
    value[np.ix_(known, columns[kept])] = books.weights[at[known]][:, kept]
    said = whole_microseconds(books.ns[np.maximum(at, 0)])
    stale = 0
    if max_age_minutes is not None:
        old = known & (market.times - said > max_age_minutes * MINUTE)
        stale = int((~np.isnan(value[old])).sum())
        value[old] = np.nan
    return Aligned(Instructions("targets", value, said=said), changed, int((~usable).sum()), stale)


def align_events(market: Market, events: Events, max_age_minutes: float, place: str) -> Aligned:
    """Align scores. Raises BadDocument as `align_books` does."""
    columns = _columns(market, events.symbols, np.ones(len(events.symbols), dtype=bool), place)[events.name]
    bars = availability(market, events.ns)
    usable = bars < len(market.times)
    _refuse_nothing(usable, market, place)
    order = np.flatnonzero(usable)[np.argsort(events.ns[usable], kind="stable")]
    row, column = bars[order], columns[order]
    shape = market.close.shape
    which = np.full(shape, -1, dtype=np.int64)
    which[row, column] = order  # assigned in the order of time: of several at one bar the newest stands
    changed: Flags = np.any(which >= 0, axis=1)
    since = np.where(which >= 0, np.arange(shape[0])[:, None], -1)
    since = np.maximum.accumulate(since, axis=0)
    known = since >= 0
    source = np.take_along_axis(which, np.maximum(since, 0), axis=0)
    issued = market.times[np.maximum(since, 0)] if events.is_day else events.ns[np.maximum(source, 0)]
    fresh = known & (market.times[:, None] - issued <= max_age_minutes * MINUTE)
    value, confidence = np.full(shape, np.nan), np.full(shape, np.nan)
    value[fresh], confidence[fresh] = events.score[source[fresh]], events.confidence[source[fresh]]
    named: list[Floats | None] = [None, None]
    for k, prices in enumerate((events.stop, events.goal)):
        if prices is not None:
            named[k] = np.full(shape, np.nan)
            named[k][fresh] = prices[source[fresh]]  # type: ignore[index]  # made above
    found = Instructions("scores", value, confidence, whole_microseconds(issued), *named)
    return Aligned(found, changed, int((~usable).sum()), int((known & ~fresh).sum()))


def named_prices(prices: Sequence[Decimal | None]) -> Floats | None:
    """Prices that signals name, NaN for none; None when none names any."""
    if all(price is None for price in prices):
        return None
    return np.array([np.nan if price is None else float(price) for price in prices])


def whole_microseconds(ns: Integers) -> Integers:
    """Times without what a datetime cannot hold."""
    return ns - ns % MICROSECOND


def _columns(market: Market, symbols: Sequence[str], matters: Flags, place: str) -> Integers:
    """The column of every name in the market; -1 for one without prices whose weights are all zero."""
    known = {symbol: i for i, symbol in enumerate(market.symbols)}
    missing = [symbol for symbol, counts in zip(symbols, matters, strict=True) if counts and symbol not in known]
    if len(missing) == len(symbols) or not set(symbols) & known.keys():
        hint = f"prices are of {_listed(market.symbols)}, instructions of {_listed(symbols)}"
        raise BadDocument(place, "has no name in common with the prices", hint)
    if missing:
        problem = f"{len(missing)} names have no prices: {_listed(missing)}"
        raise BadDocument(place, problem, "add their prices, or leave them out")
    return np.array([known.get(symbol, -1) for symbol in symbols], dtype=np.int64)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _refuse_nothing(usable: Flags, market: Market, place: str) -> None:
    if not usable.any():
        raise BadDocument(place, "begins after the last bar of the prices", "give prices and instructions of one time")
    assert len(market.times)
