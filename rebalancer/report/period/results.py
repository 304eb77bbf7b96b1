"""Records of the results of a period: performance, closed days, and the bridge from the first equity to the last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.performance.history import Drawdown, HistogramBar, Year


class BridgeLine(NamedTuple):
    """One step from the equity at the beginning to the equity at the end. USD."""

    label: str
    amount: Decimal


class BridgeSection(NamedTuple):
    """The sources and uses of money: opening + all lines + unexplained = closing, to the cent. `by_prices`: price moves
    are computed from positions and prices; otherwise they are the remainder once all else is known."""

    opening: Decimal
    lines: tuple[BridgeLine, ...]
    unexplained: Decimal
    closing: Decimal
    by_prices: bool = False

    @property
    def adds_up(self) -> bool:
        """Whether the lines add up to the closing equity."""
        return self.opening + sum((line.amount for line in self.lines), ZERO) + self.unexplained == self.closing


class Contribution(NamedTuple):
    """Profit or loss of one symbol over the period, USD."""

    symbol: str
    amount: Decimal


class Ratio(NamedTuple):
    """One performance figure with its name; None when there is too little data. `unit`: "%" has a sign, "share" is a
    fraction without one. `id` is that of the figure, "" when it stands nowhere else."""

    label: str
    value: float | None
    unit: Literal["%", "share", "", "USD", "days"]
    note: str = ""
    id: str = ""


class BookDay(NamedTuple):
    """The book at the end of one day, USD at its closing prices: `long` and `short` are the values of all positions,
    zero or more, and `sectors` the sums of absolute values by sector."""

    day: date
    equity: Decimal
    cash: Decimal
    long: Decimal
    short: Decimal
    sectors: Mapping[str, Decimal]


class Performance(NamedTuple):
    """The time-weighted performance of the account: the value of one dollar after each day. `drawdown` is the lowest
    point of the day below the high-water mark, `benchmark` is on the scale of `growth`; one value per day. `total`
    (time-weighted) and `money_weighted` cover all the time since the records began; `benchmark_change` covers the days
    of the period that the account has, None when a close of them is missing."""

    days: tuple[date, ...]
    growth: tuple[float, ...]
    drawdown: tuple[float, ...]
    benchmark_name: str
    benchmark: tuple[float | None, ...]
    months: tuple[Year, ...]
    ratios: tuple[Ratio, ...]
    rolling_volatility: tuple[float | None, ...] = ()
    rolling_sharpe: tuple[float | None, ...] = ()
    falls: tuple[Drawdown, ...] = ()
    distribution: tuple[HistogramBar, ...] = ()
    since: date | None = None
    total: float | None = None
    money_weighted: float | None = None
    benchmark_change: float | None = None
    rolling_beta: tuple[float | None, ...] = ()


class ClosedBooks(NamedTuple):
    """The accounts of one day as they were closed: how many fills were counted, and every difference in words."""

    day: date
    at: datetime
    fills: int
    differences: tuple[str, ...]
