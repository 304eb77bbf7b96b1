"""Why an order was sent, as a category. Read from the fields that the journal keeps, never from sentences.

target        the position moves to its target weight
cap           a cap, and not the signal, asks for less
neutral       no signal supports the position
flat-by       everything is closed before the close of the market
kill          a person asked for everything to be closed
stop          the stop was reached, watched here or resting at the broker
take-profit   the price target was reached
hand          somebody else placed the order
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rebalancer.core.decisions import DUST
from rebalancer.performance.records import TradeCause

OF_EXITS: Final[Mapping[str, TradeCause]] = {"stop": "stop", "target": "take-profit", "flatten": "kill"}
CAUSE_WORDS: Final[Mapping[TradeCause, str]] = {
    "target": "to target",
    "cap": "cap",
    "neutral": "neutral signal",
    "flat-by": "flat by the close",
    "kill": "flatten",
    "stop": "stop",
    "take-profit": "take-profit",
    "hand": "by hand",
    "": "not known",
}


def cause_of_planned(plan: Mapping[str, Any], rules: Mapping[str, Any], symbol: str, phase: str) -> TradeCause:
    """The category of an order of a plan. plan, rules: the stored documents."""
    target = next((row for row in plan.get("targets", ()) if row["symbol"] == symbol), None)
    if phase != "reduce" or target is None:
        return "target"
    held, weight, raw = (float(target[name]) for name in ("held_weight", "weight", "raw_weight"))
    if abs(float(target["drift"])) <= float(target["band"]) + DUST and weight:
        return "cap"  # within its band nothing but a cap asks for a trade
    if weight == 0:
        return "flat-by" if is_leaving(plan, rules) else "neutral"
    is_same_side = held * raw > 0
    return "cap" if is_same_side and abs(weight) < abs(held) <= abs(raw) * (1 + DUST) else "target"


def is_leaving(plan: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
    """Whether the plan closes everything because the account is to be flat by the close."""
    if rules.get("risk_management", {}).get("flat_by_minutes_before_close") is None:
        return False
    return all(float(row["weight"]) == 0 for row in plan.get("targets", ()))
