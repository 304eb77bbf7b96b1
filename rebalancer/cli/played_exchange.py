"""The embedded exchange as a simulated day plays it: the session steps its clock, and may see it from within."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from rebalancer.core.facts import Quote

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange


class ExchangeWithin:
    """A `session.unchanged.MarketWithin` on the embedded exchange of this process."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def revision(self) -> int | None:
        """Grows with every change but that of a price; None while rules of faults are in force."""
        from rebalancer.exchange import within

        return within.revision(self._exchange)

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        """As the broker's `quotes`, by symbol: a side of zero is none."""
        from rebalancer.exchange import within

        found = within.newest(self._exchange, sorted(set(symbols)))
        return tuple(Quote(one.symbol, _side(one.bid), _side(one.ask), _side(one.last), one.at) for one in found)


def _side(price: Decimal) -> Decimal | None:
    return price if price > 0 else None
