"""Quotes that should not be believed."""

from __future__ import annotations

from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.faults.rules import Rule

Row = dict[str, object]


def moment_quoted(rule: Rule | None, at: int) -> int:
    """The moment whose quote or trade is given."""
    return (
        at - round(float(rule.parameters["seconds"]) * MICROS)
        if rule is not None and rule.kind.startswith("stale")
        else at
    )


def bent_quote(rule: Rule | None, row: Row) -> Row:
    """The quote as the fault wants it: crossed, zero or absurd."""
    bid, ask = row["bp"], row["ap"]
    assert isinstance(bid, float)
    assert isinstance(ask, float)
    match "" if rule is None else rule.kind:
        case "crossed_quote":
            return {**row, "bp": ask, "ap": bid}
        case "zero_quote":
            return {**row, "bp": 0, "ap": 0, "bs": 0, "as": 0}
        case "absurd_quote":
            assert rule is not None
            factor = float(rule.parameters["factor"])
            return {**row, "bp": round(bid * factor, 2), "ap": round(ask * factor, 2)}
    return row
