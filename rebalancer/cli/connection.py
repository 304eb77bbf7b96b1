"""The configured broker, for every command that asks one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError

if TYPE_CHECKING:
    from rebalancer.brokers.factory import Connection
    from rebalancer.session.setup import Setup


@contextmanager
def connected(setup: Setup) -> Iterator[Connection]:
    """Connect to the broker: Alpaca as set in the environment, or the embedded exchange, started here for as long as it
    is needed."""
    from rebalancer.brokers.endpoints import Credentials, Endpoints
    from rebalancer.brokers.factory import Connection

    if setup.mode != "simulated":
        try:
            endpoints = Endpoints.from_environment(setup.environ)
        except ExternalError as error:
            raise BadDocument("environment", str(error)) from None
        from rebalancer.session.live import agree

        allowed = agree(setup, endpoints)
        yield Connection(Credentials.from_environment(setup.environ), allowed)
        return
    from rebalancer.session.setup import refuse_unasked_exchange

    refuse_unasked_exchange(setup)
    from rebalancer.cli.embedded import embedded_exchange

    with embedded_exchange(setup.rules.simulation, setup.state / "exchange.sqlite") as url:
        yield Connection(Credentials("embedded", "embedded"), Endpoints(url))
