"""A rebalancing portfolio of Alpaca's Broker API: {"weights": [{"type": "asset", "symbol": "AAPL", "percent": "45"}]}.

Percentages must sum to 100, cash included. `rebalance_conditions` and `cooldown_days` are not applied; a warning says
what stands for them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.values import text_of
from rebalancer.signals.formats.cells import number_of
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.signal_file import SignalFile
from rebalancer.signals.formats.targets import HUNDRED, Given, checked
from rebalancer.signals.signal_row import BadCell

_INSTEAD: Final = {
    "rebalance_conditions": "position_sizing.no_trade_band and execution.interval_minutes",
    "cooldown_days": "execution.interval_minutes",
}


def is_portfolio(document: object) -> bool:
    """Whether a JSON value is a rebalancing portfolio."""
    if not isinstance(document, Mapping) or not isinstance(document.get("weights"), list):
        return False
    return bool(document["weights"]) and all(isinstance(w, Mapping) and "type" in w for w in document["weights"])


def read_portfolio(document: Mapping[str, object], place: str, source: str, as_of: datetime | None) -> SignalFile:
    """Read a portfolio as target weights. Raises BadDocument when its percentages do not sum to 100."""
    weights = document["weights"]
    assert isinstance(weights, list)
    given: list[Given] = []
    total, is_whole = Decimal(0), True
    for row, weight in enumerate(weights, 1):
        kind, percent = weight.get("type"), weight.get("percent")
        cell = percent if isinstance(percent, (str, int, float)) else None
        if kind not in ("cash", "asset"):
            raise BadDocument(f"{place}: weights[{row - 1}].type", f"{str(kind)[:40]!r} is unknown", "cash or asset")
        try:
            total += number_of(cell, ".", "percent").value
        except BadCell as error:
            is_whole = False
            if kind == "cash":
                raise BadDocument(f"{place}: weights[{row - 1}].percent", error.problem, error.hint) from None
        if kind == "asset":
            symbol = weight.get("symbol")
            given.append(Given(row, symbol if isinstance(symbol, str) else None, cell, source))
    if is_whole and total != HUNDRED:
        raise BadDocument(f"{place}: weights", f"sum to {text_of(total)} per cent, not to 100", "cash included")
    warnings = tuple(
        f"{name} is not applied: set {instead}" for name, instead in _INSTEAD.items() if document.get(name)
    )
    notes = {"complete": str(document.get("complete", False)).lower()}
    grid = Grid((), (), place, notes=notes)
    return checked(given, "alpaca_portfolio", grid, ".", as_of, warnings, percent=True, exact=True)
