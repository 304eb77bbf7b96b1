"""The rules that a simulation does not apply."""

from __future__ import annotations

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules


def refuse_what_is_not_simulated(rules: Rules) -> None:
    """Raise BadDocument for a rule that a simulation does not apply."""
    if rules.selection.at_most or rules.selection.withdraw:
        raise _not_simulated("selection.at_most and selection.withdraw", "they belong to one run: leave them out")
    if rules.signals.consensus.quorum > 1:
        raise _not_simulated("signals.consensus.quorum above 1", "a file of scores is one source: set it to 1")
    if rules.risk_management.correlation_groups == "stable":
        raise _not_simulated("risk_management.correlation_groups: stable", "set it to daily")
    flat, shorts = rules.risk_management.flat_by_minutes_before_close, rules.position_sizing.allow_short
    if rules.execution.order_type == "limit" and flat is not None and shorts:
        what = "flat_by_minutes_before_close with limit orders and short positions"
        raise _not_simulated(what, "set order_type to market, or allow_short to false")


def _not_simulated(what: str, instead: str) -> BadDocument:
    return BadDocument("backtest", f"{what} cannot be simulated yet", instead)
