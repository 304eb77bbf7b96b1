"""The risk of the positions held at the end of the period: exposure, concentration, volatility, pairs, betas.

The closes are those of the daily history that the plan was made with. Nothing after the period counts, and no request
is made to the broker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.values import ZERO
from rebalancer.market_data.statistics import RETURNS_MIN, RETURNS_USED
from rebalancer.market_data.stored_closes import stored_closes
from rebalancer.performance.risk.common import Common, Course, common_returns
from rebalancer.performance.risk.concentration import concentration
from rebalancer.performance.risk.factors import Bet, Universe, bets, unknown_bets
from rebalancer.performance.risk.pairs import closest_pairs, correlations
from rebalancer.performance.risk.volatility import book_volatility
from rebalancer.report.allocation import known_prices
from rebalancer.report.period.book_risk import Risk
from rebalancer.report.period.parts.execution import shares_now
from rebalancer.report.period.parts.source import Source

PAIRS: Final = 3
ESTIMATOR: Final = "sample deviation (n - 1) of daily simple returns at the weights held, x sqrt(252)"


class Book(NamedTuple):
    """The positions held: signed values in USD by name, the names without a price, and the equity, None when not above
    zero."""

    values: Mapping[str, float]
    unpriced: tuple[str, ...]
    equity: float | None


def risk(source: Source) -> Risk | None:
    """The risk figures of the final positions. None before anything was read."""
    book = _book(source)
    return None if book is None else _with_closes(source, book, _without_closes(book))


def _book(source: Source) -> Book | None:
    """From the closed day, else from what the last cycle read plus every fill since, at its prices and its equity: all
    from the same moment."""
    latest, closing = source.latest, source.closing
    if latest is None and closing is None:
        return None
    prices: dict[str, Decimal] = {} if latest is None else {**known_prices(latest)}
    if closing is not None:
        prices |= closing.prices
        held, equity = {symbol: one.qty for symbol, one in closing.positions.items()}, closing.closing_equity
    else:
        assert latest is not None
        held, equity = dict(shares_now(source, latest)), latest.snapshot.account.equity
    names = sorted(symbol for symbol, qty in held.items() if qty != ZERO)
    priced = [symbol for symbol in names if prices.get(symbol, ZERO) > ZERO]
    return Book(
        {symbol: float(held[symbol] * prices[symbol]) for symbol in priced},
        tuple(symbol for symbol in names if symbol not in priced),
        float(equity) if equity > ZERO else None,
    )


def _without_closes(book: Book) -> Risk:
    values, equity = book.values, book.equity
    exposed = Risk(
        names=len(values),
        net=None if equity is None else sum(values.values()) / equity,
        gross=None if equity is None else sum(map(abs, values.values())) / equity,
        unpriced=book.unpriced,
    )
    spread = concentration(values)
    return exposed if spread is None else exposed._replace(**spread._asdict())


def _with_closes(source: Source, book: Book, found: Risk) -> Risk:
    """The figures that need a history, or the reason why there are none."""
    if not book.values:
        return found._replace(because="no holding has a price" if book.unpriced else "nothing is held")
    if book.equity is None:
        return found._replace(because="the equity is not above zero")
    courses = _courses(source, book.values)
    if not any(courses.values()):
        none = "no closes of the holdings are stored up to this day"
        return found._replace(because=none, bets=unknown_bets(none))
    common = common_returns(courses, RETURNS_MIN, RETURNS_USED)
    if not common.names:
        few = f"no holding has {RETURNS_MIN} daily returns up to this day"
        return found._replace(because=few, left_out=common.left_out, bets=unknown_bets(few))
    gross = sum(map(abs, book.values.values()))
    ranked = tuple(sorted(common.names, key=lambda name: (-abs(book.values[name]), name)))
    rows = _bets(source, book, courses, common)
    return found._replace(
        volatility=book_volatility(
            np.array([*_weights(book, common.names).values()], dtype=np.float64), common.returns
        ),
        estimator=ESTIMATOR,
        pairs=tuple(
            one._replace(opposite=book.values[one.first] * book.values[one.second] < 0)
            for one in closest_pairs(common.names, common.returns, PAIRS)
        ),
        benchmark=source.benchmark.name if source.benchmark.days else "",
        beta=rows[0].beta,
        beta_days=rows[0].days,
        days=len(common.days),
        first=common.days[0],
        last=common.days[-1],
        correlated=ranked,
        correlations=correlations(common.names, common.returns, ranked),
        covered=sum(abs(book.values[name]) for name in common.names) / gross,
        left_out=common.left_out,
        bets=rows,
    )


def _courses(source: Source, names: Iterable[str]) -> dict[str, Course]:
    """Closes up to the last day on record; a name without any has an empty series."""
    last = source.span.last if source.window is None else source.window[1]
    found: dict[str, Course] = {name: {} for name in names}
    for name, closes in stored_closes(source.journal.state, found).items():
        pairs = zip(closes.days, closes.closes, strict=True)
        found[name] = {day: close for day, close in pairs if day <= last}
    return found


def _weights(book: Book, names: Iterable[str]) -> dict[str, float]:
    """Signed fractions of equity."""
    assert book.equity is not None
    return {name: book.values[name] / book.equity for name in names}


def _bets(source: Source, book: Book, courses: Mapping[str, Course], common: Common) -> tuple[Bet, ...]:
    """The bets of the covered positions over the days that the benchmark has too; the market's is the first."""
    if not source.benchmark.days:
        return unknown_bets("no closes of a benchmark are known")
    own = dict(zip(source.benchmark.days, source.benchmark.closes, strict=True))
    beside = "benchmark beside the book"  # not a symbol: the benchmark itself may be held
    together = common_returns({name: courses[name] for name in common.names} | {beside: own}, RETURNS_MIN, RETURNS_USED)
    if together.left_out:
        return unknown_bets(f"needs {RETURNS_MIN} days that the benchmark has too")
    latest = source.latest_known
    instruments = () if latest is None else latest.snapshot.instruments
    sectors = {one.symbol: one.sector for one in instruments if one.sector is not None}
    shares = sorted(one.symbol for one in instruments if one.asset_class == "us_equity")
    universe = Universe(_courses(source, shares), sectors)
    return bets(_weights(book, common.names), together, beside, source.benchmark.days, universe, RETURNS_MIN)
