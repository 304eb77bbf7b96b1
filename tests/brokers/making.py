"""What the tests of the adapter share: a broker on a scripted server, an order, Alpaca's objects."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.core.decisions import Order
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Broker as BrokerRules
from rebalancer.core.values import text_of
from tests.support.scripted_server import ScriptedServer, Step

KEY, SECRET = "PKCANARYKEY0000000", "canarySecret/0123456789"
CREDENTIALS = Credentials(KEY, SECRET)


class FakeTime:
    """A clock that only moves when someone waits."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


def rules(**changes: Any) -> BrokerRules:
    """Limits that a busy machine keeps to: a test whose server is silent says itself how long that may last."""
    return BrokerRules(**{"requests_per_minute": 10_000, **changes})


@contextmanager
def scripted(
    steps: Iterable[Step],
    *,
    repeat_last: bool = False,
    clock: FakeTime | None = None,
    leap_seconds: float = 0.0,
    **changes: Any,
) -> Iterator[tuple[AlpacaBroker, ScriptedServer]]:
    """A broker whose waits between attempts take no time, on a server that follows the script. leap_seconds: so much
    time passes, on the broker's clock, with each request that has arrived."""
    with ScriptedServer(steps, repeat_last=repeat_last) as server:
        endpoints = Endpoints(server.url)
        if clock is None:

            def leaping() -> float:
                return time.monotonic() + leap_seconds * len(server.requests)

            broker = AlpacaBroker(
                CREDENTIALS, endpoints, rules(**changes), monotonic=leaping, wait=lambda seconds: None
            )
        else:
            broker = AlpacaBroker(CREDENTIALS, endpoints, rules(**changes), monotonic=clock.monotonic, wait=clock.wait)
        try:
            yield broker, server
        finally:
            broker.close()


def an_order(**changes: Any) -> Order:
    order = Order(
        client_order_id="reb-20261120T1535-i-AAPL-1",
        phase="increase",
        symbol="AAPL",
        side="buy",
        qty=Decimal("12"),
        notional=Decimal("2280.00"),
        type="market",
        limit_price=None,
        time_in_force="day",
        position_intent="buy_to_open",
        price=Decimal("190.00"),
        reserve=Decimal("0"),
        drift=0.01,
        because=stated("a test"),
    )
    return order._replace(**changes)


def order_object(order: Order | None = None, **changes: Any) -> dict[str, Any]:
    """Alpaca's object of an order, as it answers a POST."""
    order = order or an_order()
    return {
        "id": "7b08df51-c1ac-453c-99f9-323a5f075f0d",
        "client_order_id": order.client_order_id,
        "created_at": "2026-11-20T15:35:03.664468435Z",
        "updated_at": "2026-11-20T15:35:03.664468435Z",
        "submitted_at": "2026-11-20T15:35:03.577215743Z",
        "filled_at": None,
        "replaced_by": None,
        "asset_class": "us_equity",
        "symbol": order.symbol,
        "notional": None,
        "qty": text_of(order.qty),
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": None if order.limit_price is None else text_of(order.limit_price),
        "status": "pending_new",
        "extended_hours": False,
        "legs": None,
        **changes,
    }


def order_text(order: Order | None = None, **changes: Any) -> str:
    return json.dumps(order_object(order, **changes))


CLOCK = json.dumps(
    {
        "timestamp": "2026-11-20T10:35:02.123456789-05:00",
        "is_open": True,
        "next_open": "2026-11-23T09:30:00-05:00",
        "next_close": "2026-11-20T16:00:00-05:00",
    }
)
