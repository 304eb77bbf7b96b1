"""The one place that opens a connection to a broker.

Another broker is a folder with an adapter beside `alpaca/` and a line in `ADAPTERS`. Nothing else imports an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.protocol import ConnectedBroker
from rebalancer.core.rules import Broker as BrokerRules
from rebalancer.ops.clock import seconds_since_boot

Monotonic = Callable[[], float]


class Connection(NamedTuple):
    """How to reach a broker: the key, the address it may be sent to."""

    credentials: Credentials
    endpoints: Endpoints

    def connect(self, rules: BrokerRules, *, monotonic: Monotonic = seconds_since_boot) -> ConnectedBroker:
        """Connect to the broker that `rules.kind` names. Makes no request yet; the caller closes it. Raises
        CredentialsRefused for the live host unless live trading is enabled.

        monotonic: a monotonic clock, in seconds.
        """
        return ADAPTERS[rules.kind](self, rules, monotonic)


Adapter = Callable[[Connection, BrokerRules, Monotonic], ConnectedBroker]


def _alpaca(connection: Connection, rules: BrokerRules, monotonic: Monotonic) -> ConnectedBroker:
    from rebalancer.brokers.alpaca.broker import AlpacaBroker

    return AlpacaBroker(connection.credentials, connection.endpoints, rules, monotonic=monotonic)


# By `broker.kind`. The embedded exchange speaks Alpaca's API; `auto` is one of the two.
ADAPTERS: Mapping[str, Adapter] = {"alpaca": _alpaca, "embedded": _alpaca, "auto": _alpaca}
