"""Prices to rows of features with labels.

A row stands for one symbol on one day t. Its features rest on closes up to day t, so they are known before the next
session; its label is the move from the close of bar t+1 to that of bar t+1+horizon, in units of the symbol's own
volatility, above (1) or below (0) the median of that day's names. With fewer than five names the move itself counts.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import BadDocument
from rebalancer.core.venue_rules import ALPACA
from rebalancer.research.market import Integers, Market
from rebalancer.research.price_files import PriceHistory
from rebalancer.signals.model.features import DAYS_OF_YEAR, NAMES, WINDOW, Floats, features_of, windows_of

NAMES_LEAST: Final = 5  # of a day, for its median and its rank correlation


class Samples(NamedTuple):
    """Rows in ascending order of day, then symbol.

    features: shape (rows, features). bar: of day t; label_bar: the last bar that the label rests on; name: place in
    `symbols`. move: in units of volatility, less the median of the day; label: 1 where it is above zero, else 0.
    """

    symbols: tuple[str, ...]
    days: tuple[date, ...]
    features: Floats
    bar: Integers
    label_bar: Integers
    name: Integers
    move: Floats
    label: Floats
    horizon: int
    sha256: str


def samples_of(history: PriceHistory, horizon: int) -> Samples:
    """Every row that has its year of closes and its label. Raises BadDocument for prices that are not daily, and when
    there is no row."""
    market = _of_stocks(history)
    bars = len(market.times)
    parts: list[tuple[Floats, Integers, Integers, Floats]] = []
    for place in range(len(market.symbols)):
        known = np.flatnonzero(np.isfinite(market.close[:, place]))
        closes = np.ascontiguousarray(market.close[known, place])
        for first, windows in windows_of(closes):
            bar = known[first : first + len(windows)]
            has_label = bar + 1 + horizon < bars
            start, end = np.minimum(bar + 1, bars - 1), np.minimum(bar + 1 + horizon, bars - 1)
            both = np.isfinite(market.close[start, place]) & np.isfinite(market.close[end, place]) & has_label
            if not both.any():
                continue
            features, bar, start, end = features_of(windows[both]), bar[both], start[both], end[both]
            daily = np.exp(features[:, NAMES.index("volatility")]) / np.sqrt(DAYS_OF_YEAR)
            moves = np.isfinite(daily)  # its price did
            move = np.log(market.close[end, place] / market.close[start, place]) / (daily * np.sqrt(horizon))
            parts.append((features[moves], bar[moves], np.full(int(moves.sum()), place), move[moves]))
    if not sum(len(part[1]) for part in parts):
        problem = (
            f"has no name with {WINDOW + 1 + horizon} daily closes: {WINDOW} for the features, {horizon + 1} after"
        )
        raise BadDocument(history.place, problem, "give it at least two years of prices")
    features, bar, name, move = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((name, bar))
    bar, name, move = bar[order].astype(np.int64), name[order].astype(np.int64), move[order]
    move = _above_median(bar, move)
    return Samples(
        market.symbols,
        tuple(date.fromordinal(int(day)) for day in market.day),
        features[order],
        bar,
        bar + 1 + horizon,
        name,
        move,
        (move > 0).astype(np.float64),
        horizon,
        _hash(market),
    )


def _above_median(bar: Integers, move: Floats) -> Floats:
    found = move.copy()
    starts = np.flatnonzero(np.diff(bar, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(bar)], strict=True):
        if end - start >= NAMES_LEAST:
            found[start:end] -= np.median(move[start:end])
    return found


def _of_stocks(history: PriceHistory) -> Market:
    """The daily closes of the names that the model can be asked about."""
    market = history.market
    if not history.is_daily:
        hint = "use one close a day; the features are of days"
        raise BadDocument(history.place, "has several bars a day", hint)
    kept: NDArray[np.bool_] = np.array([ALPACA.asset_class(name) == "us_equity" for name in market.symbols])
    if not kept.any():
        raise BadDocument(history.place, "has crypto pairs alone", "the model is for stocks and funds")
    symbols = tuple(name for name, keeps in zip(market.symbols, kept, strict=True) if keeps)
    close = market.close[:, kept]
    rows = np.isfinite(close).any(axis=1)
    return market._replace(
        symbols=symbols, close=close[rows], times=market.times[rows], day=market.day[rows],
        is_last_of_day=market.is_last_of_day[rows], open=None, volume=None, vwap=None,
    )  # fmt: skip


def _hash(market: Market) -> str:
    """Of the closes that were used, with their days and names."""
    found = hashlib.sha256("\n".join(market.symbols).encode())
    found.update(np.ascontiguousarray(market.day, dtype="<i8").tobytes())
    found.update(np.ascontiguousarray(market.close, dtype="<f8").tobytes())
    return found.hexdigest()
