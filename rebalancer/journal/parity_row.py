"""The measurement of an evening as the journal has it; its key is the day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Any, Final

from rebalancer.core.facts import TradingCosts

PARITY: Final = "parity"


def trading_costs_of_body(body: Mapping[str, Any]) -> TradingCosts | None:
    """The trading costs learned until then; None where there were no orders, and in a measurement from before they were
    learned. Raises KeyError, TypeError or ValueError for a body that is none."""
    found = body.get("trading_costs")
    if found is None:
        return None
    by_symbol = {str(symbol): _finite(cost) for symbol, cost in found["by_symbol"].items()}
    return TradingCosts(
        date.fromisoformat(found["as_of"]),
        int(found["orders"]),
        _finite(found["usual"]),
        dict(sorted(by_symbol.items())),
    )


def _finite(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"a trading cost is {number}")
    return number
