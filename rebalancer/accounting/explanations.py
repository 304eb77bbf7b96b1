"""Find the account activities that explain why positions differ from what was expected.

Only an exact match counts: either the sum of a symbol's unused activities, or a single one of them. A nearly explained
difference is unexplained, and freezes its symbol like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from rebalancer.accounting.activities import moves_shares
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.core.facts import Explanation
from rebalancer.core.values import ZERO


def activity_explanations(
    differences: Mapping[str, Decimal],
    fills: Sequence[BrokerFill],
    others: Sequence[Activity],
    orders_seen: Collection[str],
    used: Collection[str],
) -> tuple[Explanation, ...]:
    """The explanations of these differences, ordered by symbol.

    differences: signed shares. orders_seen: the broker's ids of orders whose fills are already counted. used: ids of
    activities that are already counted, or precede the first reading.
    """
    candidates: dict[str, list[Explanation]] = {}
    for fill in fills:
        if fill.id not in used and fill.order_id not in orders_seen:
            candidates.setdefault(fill.symbol, []).append(Explanation(fill.symbol, fill.qty, "external_trade", fill.id))
    for one in others:
        if one.id not in used and one.symbol is not None and moves_shares(one):
            candidates.setdefault(one.symbol, []).append(Explanation(one.symbol, one.qty, "corporate_action", one.id))
    found: list[Explanation] = []
    for symbol, missing in sorted(differences.items()):
        listed = candidates.get(symbol, [])
        if listed and sum((e.qty for e in listed), ZERO) == missing:
            found += listed
        else:
            found += [e for e in listed if e.qty == missing][:1]
    return tuple(found)
