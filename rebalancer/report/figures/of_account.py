"""The figures of the account at one moment: equity, cash, and the distance from the high-water mark.

Light: `status` has 300 ms and imports this.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.performance.drawdown import below_mark
from rebalancer.report.figures.figure import Figures


class Standing(NamedTuple):
    """The account at one moment, USD; None is "not known"."""

    equity: Decimal | None
    cash: Decimal | None
    mark: Decimal | None


def add_standing(figures: Figures, scope: str, now: Standing) -> None:
    """Add `equity`, `cash`, `cash_share` of equity, `mark` and `below_mark`."""
    equity = now.equity
    figures.add("equity", scope, equity, "usd")
    figures.add("cash", scope, now.cash, "usd")
    known = equity is not None and equity > ZERO and now.cash is not None
    figures.add("cash_share", scope, now.cash / equity if known and equity and now.cash is not None else None, "share")
    figures.add("mark", scope, now.mark, "usd")
    figures.add("below_mark", scope, below_mark(equity, now.mark), "percent")
