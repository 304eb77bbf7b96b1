"""What a book bets on: its betas to the market, sectors, momentum and low volatility, by regression on daily returns.

Each factor is the return of a basket that can be built from the closes at hand. The market's beta is that of the book
on the market alone; every other beta is that of the book on the market and this one factor. So the rows overlap, and
they do not add up. Baskets are ranked by closes before the return that they earn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple

import numpy as np

from rebalancer.performance.finite import FLAT
from rebalancer.performance.returns import Series
from rebalancer.performance.risk.common import Common, Course, Matrix

Kind = Literal["market", "sector", "momentum", "low_volatility", "size"]

SECTORS_MOST: Final = 3
SECTOR_NAMES_LEAST: Final = 3
SIDE_LEAST: Final = 3  # names on each side of a basket
MOMENTUM_FROM: Final = 126  # sessions before: half a year,
MOMENTUM_TO: Final = 21  # without the last month, which tends to reverse
VOLATILITY_DAYS: Final = 60
NO_SIZES: Final = "no data: trading volumes are not stored"


class Bet(NamedTuple):
    """The book's beta to one factor: how many percent of equity it moved while the factor moved 1 %, with its standard
    error. `name`: of a sector. `days`: the daily returns that are there; `because`: why there is no beta."""

    kind: Kind
    name: str = ""
    beta: float | None = None
    error: float | None = None
    days: int = 0
    because: str = ""


class Universe(NamedTuple):
    """The names that baskets are built from, with their closes. sectors: of the names that have one."""

    courses: Mapping[str, Course]
    sectors: Mapping[str, str]


def bets(
    weights: Mapping[str, float],
    together: Common,
    market: str,
    sessions: Sequence[date],
    universe: Universe,
    least: int,
) -> tuple[Bet, ...]:
    """The bets of a book: market, its largest sectors, momentum, low volatility and size.

    weights: signed fractions of equity. together: returns of the names held and of the market, which has the name
    `market` in it. sessions: days with a close of the market, oldest first. least: daily returns that a beta needs.
    """
    at = together.names.index(market)
    other = together.returns[:, at]
    names = [name for name in together.names if name != market]
    book = np.delete(together.returns, at, axis=1) @ np.array([weights[name] for name in names], dtype=np.float64)
    baskets = _Baskets(together, sessions, universe)

    def beside(kind: Kind, factor: Series, words: str, name: str = "") -> Bet:
        known = np.isfinite(factor)
        if words or int(known.sum()) < least:
            return Bet(kind, name, days=int(known.sum()), because=words or needs(least, int(known.sum())))
        return _fitted(kind, name, book[known], [other[known], factor[known]])

    rows = [_fitted("market", "", book, [other])]
    if len(book) < least:
        rows = [Bet("market", days=len(book), because=needs(least, len(book)))]
    for sector in _largest(weights, universe.sectors):
        basket, words = baskets.sector(sector)
        rows.append(beside("sector", basket - other, words, sector))
    rows.append(beside("momentum", *baskets.ranked(_momentum)))
    rows.append(beside("low_volatility", *baskets.ranked(_calm)))
    return (*rows, Bet("size", because=NO_SIZES))


def unknown_bets(because: str) -> tuple[Bet, ...]:
    """The same rows while there is nothing to compare with."""
    kinds: tuple[Kind, ...] = ("market", "momentum", "low_volatility")
    return (*(Bet(kind, because=because) for kind in kinds), Bet("size", because=NO_SIZES))


def needs(least: int, days: int) -> str:
    """The words for too short a history."""
    return f"needs {least} days, has {days}"


def _largest(weights: Mapping[str, float], sectors: Mapping[str, str]) -> list[str]:
    """The sectors with the most gross value, the largest first."""
    gross: dict[str, float] = {}
    for name in sorted(weights):
        if name in sectors:
            gross[sectors[name]] = gross.get(sectors[name], 0.0) + abs(weights[name])
    return sorted(gross, key=lambda sector: (-gross[sector], sector))[:SECTORS_MOST]


class _Baskets:
    """Returns of baskets over the steps of the book's returns; NaN where there is none."""

    def __init__(self, together: Common, sessions: Sequence[date], universe: Universe) -> None:
        self._names, self._sectors = sorted(universe.courses), universe.sectors
        nothing = float("nan")
        rows = [[universe.courses[name].get(day, nothing) for name in self._names] for day in sessions]
        self._closes = np.array(rows, dtype=np.float64).reshape(len(sessions), len(self._names))
        place = {day: i for i, day in enumerate(sessions)}
        self._starts = [place[day] for day in together.starts]
        self._returns = self._closes[[place[day] for day in together.days]] / self._closes[self._starts] - 1.0

    def sector(self, sector: str) -> tuple[Series, str]:
        """The mean return of a sector's names, and why there is none."""
        own = self._returns[:, [i for i, name in enumerate(self._names) if self._sectors.get(name) == sector]]
        known = np.isfinite(own)
        count = known.sum(axis=1)
        total = np.where(known, own, 0.0).sum(axis=1)
        mean = np.divide(total, count, out=np.full(len(own), np.nan), where=count >= SECTOR_NAMES_LEAST)
        few = f"needs {SECTOR_NAMES_LEAST} names of this sector, has {own.shape[1]}"
        return mean, few if own.shape[1] < SECTOR_NAMES_LEAST else ""

    def ranked(self, measure: Callable[[Matrix], Series]) -> tuple[Series, str]:
        """The mean return of the third of the names with the highest measure less that of the lowest third, and why
        there is none. measure: of the closes up to the beginning of a step, for every name."""
        found = np.full(len(self._starts), np.nan)
        for step, start in enumerate(self._starts):
            value = measure(self._closes[: start + 1])
            known = np.flatnonzero(np.isfinite(value) & np.isfinite(self._returns[step]))
            third = known.size // 3
            if third >= SIDE_LEAST:
                order = known[np.argsort(value[known], kind="stable")]
                found[step] = self._returns[step, order[-third:]].mean() - self._returns[step, order[:third]].mean()
        few = f"needs {3 * SIDE_LEAST} names, has {len(self._names)}"
        return found, few if len(self._names) < 3 * SIDE_LEAST else ""


def _momentum(closes: Matrix) -> Series:
    """The change over half a year without its last month."""
    if len(closes) <= MOMENTUM_FROM:
        return np.full(closes.shape[1], np.nan)
    return np.asarray(closes[-1 - MOMENTUM_TO] / closes[-1 - MOMENTUM_FROM])


def _calm(closes: Matrix) -> Series:
    """The negative deviation of the daily returns before: the calmest names have the highest value."""
    if len(closes) <= VOLATILITY_DAYS:
        return np.full(closes.shape[1], np.nan)
    recent = closes[-1 - VOLATILITY_DAYS :]
    return np.asarray(-np.std(recent[1:] / recent[:-1], axis=0))


def _fitted(kind: Kind, name: str, book: Series, factors: Sequence[Series]) -> Bet:
    """The coefficient of the last factor in a least-squares regression of the book on all of them and a constant, with
    its standard error."""
    days = len(book)
    if days <= len(factors) + 1:
        return Bet(kind, name, days=days, because=needs(len(factors) + 2, days))
    own = factors[-1] - factors[-1].mean()
    others = np.column_stack([np.ones(days), *factors[:-1]])
    apart = own - others @ np.linalg.lstsq(others, own, rcond=None)[0]  # what the other factors do not say
    square = float(apart @ apart)
    if square <= max(FLAT**2 * days, FLAT * float(own @ own)):
        words = "its closes do not move" if kind == "market" else "its basket does not move apart from the market"
        return Bet(kind, name, days=days, because=words)
    beta = float(apart @ book) / square
    rest = book - others @ np.linalg.lstsq(others, book, rcond=None)[0] - beta * apart
    error = (float(rest @ rest) / (days - len(factors) - 1) / square) ** 0.5
    return Bet(kind, name, beta, error, days)
