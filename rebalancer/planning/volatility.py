"""The volatility of a name, by the configured measure."""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from typing import Final

from rebalancer.core.facts import Instrument
from rebalancer.core.rules import Rules

TRADING_DAYS_A_YEAR: Final = 252


def volatility_of(instrument: Instrument, price: Decimal | None, rules: Rules) -> float | None:
    """The annualised volatility of a name; None when it is not known.

    `atr` uses the daily average true range as a fraction of the price. It is larger than the standard deviation of
    daily returns: 1.6 times for a random walk.
    """
    if rules.position_sizing.volatility_measure == "returns":
        known = instrument.volatility
        return known if known is not None and known > 0 else None
    if instrument.atr is None or price is None or not instrument.atr > 0:
        return None
    return float(instrument.atr / price) * sqrt(TRADING_DAYS_A_YEAR)
