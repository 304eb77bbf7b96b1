"""One order as the gate sees it, with everything that its checks may ask; and how a refusal is told."""

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
    """Which limit said no, and why in words."""

    limit: str
    words: str


class Case(NamedTuple):
    """An order at the gate.

    `stopped` and `latched` say why nothing may leave, None when nothing does; `mine` is the order's own intent;
    `before` are the attempts before it that count, `position_ranges` the worst case without it. `closing_only` marks a
    flatten that a person asked for: it passes kill switch and throttle, but can do nothing except reduce. `pairs`
    counts the pairs of exits that left within a minute, beyond the first of each symbol.
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

    @property
    def standing(self) -> PositionRange:
        """The worst case of its own symbol."""
        return self.standings.get(self.order.symbol, PositionRange())

    @property
    def reduces(self) -> bool:
        """Whether it takes the position toward zero, by what is held: what the order says of itself does not count."""
        held = self.standing.held
        return held.is_finite() and (held > ZERO if self.order.side == "sell" else held < ZERO)

    @property
    def capital(self) -> Decimal:
        """Equity x scaling, USD; NaN when the equity is not a positive number."""
        equity = self.readings.equity
        scaling = Decimal(str(self.rules.position_sizing.capital_scaling))
        return equity * scaling if equity.is_finite() and equity > 0 else Decimal("NaN")
