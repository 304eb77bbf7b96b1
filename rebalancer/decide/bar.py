"""Name the symbols in which nothing may be opened or enlarged in this cycle, each with its reason.

A barred name may still be reduced. It is barred before the caps are projected, so that it takes no room from others:

1. its stop is farther away than `max_stop_distance`;
2. there are `max_positions` already. Existing positions come first, then the largest opinions before any cap; a
   position that is being closed counts until it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import NamedTuple

from rebalancer.decide.admit import Admitted, Prices
from rebalancer.decide.weigh import Weighed
from rebalancer.outcomes import Outcome
from rebalancer.rules import RiskManagement
from rebalancer.values import decimal_near


class Bar(NamedTuple):
    """Why nothing may be opened in a symbol."""

    outcome: Outcome
    because: str


def bar(
    weighed: Sequence[Weighed],
    admitted: Admitted,
    prices: Prices,
    occupied: Set[str],
    passed_over: Set[str],
    risk: RiskManagement,
) -> Mapping[str, Bar]:
    """All barred symbols among the weighed ones.

    occupied: symbols that are held, or may come to be by an open order. passed_over: new names that would end too
    small to trade; they take no place.
    """
    found = (
        {} if risk.max_stop_distance is None else _far_stops(weighed, admitted, prices, risk, risk.max_stop_distance)
    )
    if risk.max_positions is None:
        return found
    new = [w for w in weighed if w.raw != 0 and w.symbol not in occupied and w.symbol not in found]
    ranked = sorted(new, key=lambda w: (-abs(w.raw), w.symbol))
    for symbol in sorted(passed_over):
        found[symbol] = Bar(Outcome.HELD_BELOW_MINIMUM, "under the caps too small to trade: its place goes to another")
    served = [w.symbol for w in ranked if w.symbol not in passed_over]
    free = max(risk.max_positions - len(occupied), 0)
    for symbol in served[free:]:
        found[symbol] = Bar(
            Outcome.DENIED_POSITIONS,
            f"{len(occupied)} of at most {risk.max_positions} positions are held"
            + (f" and {free} are opened with larger opinions" if free else ""),
        )
    return found


def _far_stops(
    weighed: Sequence[Weighed], admitted: Admitted, prices: Prices, risk: RiskManagement, most: float
) -> dict[str, Bar]:
    found: dict[str, Bar] = {}
    for row in weighed:
        distance = stop_distance(row.symbol, admitted, prices, risk, is_long=row.raw >= 0)
        if row.raw != 0 and not distance <= decimal_near(most):
            said = f"the stop is {distance:.2%} away; the limit is {most:.2%}"
            found[row.symbol] = Bar(Outcome.DENIED_STOP_DISTANCE, said)
    return found


def stop_distance(symbol: str, admitted: Admitted, prices: Prices, risk: RiskManagement, *, is_long: bool) -> Decimal:
    """How far away the stop of a position would be, as a fraction of the price: as a signal says, else
    `default_stop_distance`."""
    named = named_stop_distance(symbol, admitted, prices, is_long=is_long)
    return decimal_near(risk.default_stop_distance) if named is None else named


def named_stop_distance(symbol: str, admitted: Admitted, prices: Prices, *, is_long: bool) -> Decimal | None:
    """The same, by the newest signal that names a stop where this position would lose; None without one."""
    price = prices.usable[symbol]
    for signal in admitted.signals.get(symbol, ()):
        if signal.stop_price is not None and (price - signal.stop_price) * (1 if is_long else -1) > 0:
            return abs(price - signal.stop_price) / price
    return None
