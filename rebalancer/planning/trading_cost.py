"""What trading a name costs one way, as planning counts it: what was learned, and the venue's fee for crypto."""

from __future__ import annotations

from typing import Final

from rebalancer.core.facts import TradingCosts
from rebalancer.core.venue_rules import VenueRules

UNKNOWN: Final = -1.0
BP: Final = 10_000.0


def trading_cost(costs: TradingCosts | None, symbol: str, venue: VenueRules) -> float:
    """The fraction of the value traded, from 0 to 1; `UNKNOWN` while nothing has been learned. A negative cost, prices
    that moved in our favour, counts as none. The fees on sales of stocks, a few hundredths of a basis point to a third
    of one, are left out."""
    if costs is None:
        return UNKNOWN
    learned = max(costs.by_symbol.get(symbol, costs.usual), 0.0) / BP
    fee = float(venue.crypto_fee_max) if venue.asset_class(symbol) == "crypto" else 0.0
    return min(learned + fee, 1.0)
