"""One order with everything that the pre-trade checks may need, and how a refusal is expressed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Order
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.execution.pretrade.attempts import Attempt
from rebalancer.execution.pretrade.exposure import PositionRange
from rebalancer.execution.pretrade.readings import Readings


class Refusal(NamedTuple):
    """The limit that refused, and why in words."""

    limit: str
    words: str


class Case(NamedTuple):
    """An order under pre-trade check.

    `stopped` (kill switch), `latched` (throttle) and `stopping` (the process is being stopped) say why nothing may be
    sent, None when sending is allowed; `mine` is the order's own intent;
    `before` are the earlier attempts that count, `position_ranges` the worst case without this order. `closing_only`
    marks a flatten that a person requested: it passes kill switch and throttle, but may only reduce positions. `pairs`
    counts the exit pairs sent within a minute, beyond the first of each symbol.
    """

    order: Order
    rules: Rules
    now: datetime
    readings: Readings
    stopped: str | None
    latched: str | None
    mine: Attempt | None
    is_second: bool
    before: tuple[Attempt, ...]
    standings: Mapping[str, PositionRange]
    closing_only: bool
    pairs: int = 0
    stopping: str | None = None

    @property
    def standing(self) -> PositionRange:
        """The worst case of its own symbol, without this order."""
        return self.standings.get(self.order.symbol, PositionRange())

    @property
    def reduces(self) -> bool:
        """Whether it takes the position toward zero, judged by what is held and not by the intent that the order
        states."""
        held = self.standing.held
        return held.is_finite() and (held > ZERO if self.order.side == "sell" else held < ZERO)

    @property
    def capital(self) -> Decimal:
        """Equity x scaling, USD; NaN when the equity is not a positive number."""
        equity = self.readings.equity
        scaling = Decimal(str(self.rules.position_sizing.capital_scaling))
        return equity * scaling if equity.is_finite() and equity > 0 else Decimal("NaN")
