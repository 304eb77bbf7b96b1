"""The current orders of one pair at the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rebalancer.brokers.protocol import BrokerOrder, ReadBroker
from rebalancer.core.errors import BrokerUnavailable


def pair_rows(broker: ReadBroker, ids: Sequence[str], listed: Mapping[str, BrokerOrder]) -> list[BrokerOrder]:
    """The pair's orders, from a list that has been read or else looked up one by one. An order that the broker no
    longer knows raises BrokerUnavailable, because the broker once had it."""
    found = []
    for order_id in ids:
        row = listed.get(order_id) or broker.order(order_id)
        if row is None:
            raise BrokerUnavailable(f"the broker had order {order_id} and now does not know it")
        found.append(row)
    return found
