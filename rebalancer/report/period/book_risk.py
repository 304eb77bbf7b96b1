"""Records of the risk of the positions held."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from rebalancer.performance.risk.factors import Bet
from rebalancer.performance.risk.pairs import CorrelatedPair


class Risk(NamedTuple):
    """The risk of the positions held at the end. Exposures and `volatility` (annualised) are fractions of equity;
    shares, `top_five`, `hhi` and `covered` are fractions of the gross value. `effective` is 1 / `hhi`, a number of
    names.

    `volatility`, `pairs` and `beta` refer to `covered`, over `days` daily returns from `first` to `last`; `beta_days`
    are those that the benchmark has too. Names without enough closes are `left_out`; those without a price are
    `unpriced` and not included in any figure. `because` says why the volatility is not known. `correlations` has one
    row for each of the names `correlated`, the largest holding first: its correlation with every name up to itself.
    `bets` are the betas of the covered positions to the market and other factors; the first one is `beta`.
    """

    names: int
    net: float | None
    gross: float | None
    largest: str = ""
    largest_share: float | None = None
    top_five: float | None = None
    hhi: float | None = None
    effective: float | None = None
    volatility: float | None = None
    estimator: str = ""
    pairs: tuple[CorrelatedPair, ...] = ()
    benchmark: str = ""
    beta: float | None = None
    beta_days: int = 0
    days: int = 0
    first: date | None = None
    last: date | None = None
    covered: float | None = None
    left_out: tuple[str, ...] = ()
    correlated: tuple[str, ...] = ()
    correlations: tuple[tuple[float | None, ...], ...] = ()
    unpriced: tuple[str, ...] = ()
    because: str = ""
    bets: tuple[Bet, ...] = ()
