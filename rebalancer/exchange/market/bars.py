"""Bars of any width, aggregated from the same nodes that quotes and trades come from: one trade a node."""

from __future__ import annotations

from itertools import groupby
from operator import mul
from typing import Final

import numpy as np

from rebalancer.exchange.calendar import TradingSession, midnight_new_york
from rebalancer.exchange.market.adjustment import adjusted_bar
from rebalancer.exchange.market.frames import DAY, Frame
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import STEP, NodePath
from rebalancer.exchange.market.prices import DAY_MICROS, Bar, Market, midnight_utc
from rebalancer.exchange.market.windows import FIRST, Run, Whole, is_whole, paths_of, traded, windows

_EVERYTHING: Final = 2**40


def bars(market: Market, listing: Listing, frame: Frame, start: int, end: int, now: int) -> list[Bar]:
    """Bars that begin in [start, end], oldest first, made of nothing later than `now`; the last may be forming."""
    runs = windows(market, listing, frame, start, end, now, _EVERYTHING, newest_first=False)
    return [bar for run in runs for bar in run_bars(market, listing, frame, run, start, end, now)]


def latest_bar(market: Market, listing: Listing, frame: Frame, now: int) -> Bar:
    """The bar that the latest trade belongs to; of a frame that is at most a day."""
    assert frame.width or frame == DAY, frame
    session = market.session(listing, market.halts.priced_at(listing.symbol, now))
    if (newest := _newest(market, listing, frame.width, session, now)) is not None:
        return newest
    found = run_bars(market, listing, frame, (session,), FIRST, now, now)
    if found:
        return found[-1]
    for run in windows(market, listing, frame, FIRST, session.open - 1, now, 1, newest_first=True):
        if found := run_bars(market, listing, frame, run, FIRST, now, now):
            return found[-1]
    raise AssertionError(f"{listing.symbol} has never traded")


def _newest(market: Market, listing: Listing, width: int, session: TradingSession, now: int) -> Bar | None:
    """The last bar of a session without a halt, from its own nodes alone; the day's when the width is 0. None where all
    of them are needed."""
    if any(halt.start < session.close and halt.end > session.open for halt in market.halts.of(listing.symbol)):
        return None
    is_whole_day = not width and session.close <= now
    if is_whole_day and (kept := market.day_bar(listing, session)) is not None:
        return kept
    path = market.path(listing, session)
    count = path.trade.shape[1]
    last = min((now - session.open) // STEP, count - 1)
    if last < 0:
        return None
    if width:
        start = session.open - session.open % DAY_MICROS  # as in `_inside`
        at = min(session.open + last * STEP, session.close - 1)
        begin = start + (at - start) // width * width
        first = max(-((session.open - begin) // STEP), 0)
    else:
        begin, first = _midnight(listing, session.day), 0
    if begin < FIRST:
        return None
    if width:
        trade, volume = path.trade[0, first : last + 1].tolist(), path.volume[0, first : last + 1].tolist()
        high, low, amount = max(trade), min(trade), sum(volume)
        value = sum(map(mul, trade, volume))
    else:
        high, low, amount, value = market.so_far(listing, session).at(last)
    close = int(path.trade[0, last])
    vwap = float(value) / float(amount) if amount > 0 else float(close)
    found = Bar(begin, int(path.trade[0, first]), high, low, close, amount, last + 1 - first, vwap)
    if is_whole_day:
        market.keep_day_bar(listing, session, found)
    return found


def run_bars(
    market: Market, listing: Listing, frame: Frame, run: Run, start: int, end: int, now: int, mode: str = "raw"
) -> list[Bar]:
    """The bars of a run of sessions that begin in [start, end], oldest first, adjusted. A bar needs a trade."""
    if frame.width:
        found = [
            bar
            for some, path in paths_of(market, listing, run)
            for row, session in enumerate(some)
            for bar in _inside(market, listing, frame.width, session, path, row, now)
        ]
        return [adjusted_bar(market, listing, bar, mode, now) for bar in found if start <= bar.at <= end]
    days = [(day, adjusted_bar(market, listing, bar, mode, now)) for day, bar in _days(market, listing, run, now)]
    if frame == DAY:
        found = [bar for _, bar in days]
    else:
        groups = groupby(days, key=lambda one: frame.first_day(one[0].day))
        found = [_together(_midnight(listing, first), [bar for _, bar in some]) for first, some in groups]
    return [bar for bar in found if start <= bar.at <= end]


def _days(market: Market, listing: Listing, run: Run, now: int) -> list[tuple[TradingSession, Bar]]:
    """The bar of each day, those of whole days from memory if they were computed before."""
    whole = {session for session in run if is_whole(market, listing, session, now)}
    found = {session: bar for session in whole if (bar := market.day_bar(listing, session)) is not None}
    missing = tuple(session for session in run if session not in found)
    for some, path in paths_of(market, listing, missing):
        stamps = [_midnight(listing, session.day) for session in some]
        bars_of_whole = _whole_days(path, stamps) if any(session in whole for session in some) else []
        for row, session in enumerate(some):
            if session in whole:
                found[session] = bars_of_whole[row]
                market.keep_day_bar(listing, session, found[session])
            elif made := _inside(market, listing, 0, session, path, row, now):
                found[session] = made[0]
    return [(session, found[session]) for session in run if session in found]


def _whole_days(path: NodePath, stamps: list[int]) -> list[Bar]:
    """One bar a row."""
    trade, volume = path.trade, path.volume
    amounts = volume.sum(axis=1)
    opens, closes = trade[:, 0], trade[:, -1]
    vwaps = _average((trade * volume).sum(axis=1), amounts, closes)
    columns = (opens, trade.max(axis=1), trade.min(axis=1), closes, amounts)
    lists: list[list[int]] = [column.tolist() for column in columns]
    count = trade.shape[1]
    return [
        Bar(at, o, h, low, c, v, count, vwap) for at, o, h, low, c, v, vwap in zip(stamps, *lists, vwaps, strict=True)
    ]


def _inside(
    market: Market, listing: Listing, width: int, session: TradingSession, path: NodePath, row: int, now: int
) -> list[Bar]:
    """The bars of one session, from its nodes up to `now`; one bar when the width is 0."""
    nodes, at = traded(market, listing, session, path.trade.shape[1], now)
    if not len(nodes):
        return []
    trade, volume = path.trade[row, nodes], path.volume[row, nodes]
    if width == 0:
        begins, stamps = np.zeros(1, dtype=np.int64), [_midnight(listing, session.day)]
    else:
        at = np.minimum(at, session.close - 1)  # the closing print belongs to the last bar
        start = session.open - session.open % DAY_MICROS  # frames are counted from midnight UTC
        buckets = (at - start) // width
        begins = np.concatenate(([0], np.flatnonzero(np.diff(buckets)) + 1))
        stamps = [start + int(bucket) * width for bucket in buckets[begins]]
    ends = np.append(begins[1:], len(nodes)) - 1
    amounts = np.add.reduceat(volume, begins)
    columns = (
        trade[begins],
        np.maximum.reduceat(trade, begins),
        np.minimum.reduceat(trade, begins),
        trade[ends],
        amounts,
        ends - begins + 1,
    )
    lists = [column.tolist() for column in columns]
    vwaps = _average(np.add.reduceat(trade * volume, begins), amounts, trade[ends])
    return [Bar(*row) for row in zip(stamps, *lists, vwaps, strict=True)]


def _average(values: Whole, amounts: Whole, closes: Whole) -> list[float]:
    """Values by amount; the close where a recording has prices and no volume."""
    found: list[float] = np.where(amounts > 0, values / np.maximum(amounts, 1), closes).tolist()
    return found


def _together(at: int, parts: list[Bar]) -> Bar:
    """Several bars as one."""
    volume = sum(part.volume for part in parts)
    value = sum(part.vwap * part.volume for part in parts)
    return Bar(
        at,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        volume,
        sum(part.trades for part in parts),
        value / volume if volume else float(parts[-1].close),
    )


def _midnight(listing: Listing, day: int) -> int:
    """The time stamp of a daily bar: midnight in New York, or UTC for crypto."""
    return midnight_utc(day) if listing.is_crypto else midnight_new_york(day)
