"""The orders of one pair, as the broker tells them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rebalancer.brokers.protocol import BrokerOrder, ReadBroker
from rebalancer.core.errors import BrokerUnavailable


def pair_rows(broker: ReadBroker, ids: Sequence[str], listed: Mapping[str, BrokerOrder]) -> list[BrokerOrder]:
    """Take them from a list that has been read or asked for one by one. One that the broker does not know
    any more raises BrokerUnavailable: it had it once."""
    found = []
    for order_id in ids:
        row = listed.get(order_id) or broker.order(order_id)
        if row is None:
            raise BrokerUnavailable(f"the broker had order {order_id} and now does not know it")
        found.append(row)
    return found
