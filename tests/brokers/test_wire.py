"""What an order looks like on the wire: its decimals are the order's, digit for digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.brokers.making import KEY, SECRET, an_order, order_object, scripted
from tests.support.scripted_server import Seen, answer

QUANTITIES = st.decimals(min_value="1e-9", max_value=10**11, places=9, allow_nan=False).filter(lambda qty: qty > 0)
PRICES = st.decimals(min_value="0.0001", max_value=10**7, places=4, allow_nan=False)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(qty=QUANTITIES, price=PRICES, exponent=st.booleans())
def test_decimals_arrive_as_they_were_decided(qty: Decimal, price: Decimal, exponent: bool) -> None:
    order = an_order(qty=qty.normalize() if exponent else qty, type="limit", limit_price=price)
    with scripted([answer(lambda seen: order_object(order))]) as (broker, server):
        assert broker.submit(order).kind == "accepted"
    body = json.loads(server.requests[0].body, parse_float=refuse_number, parse_int=refuse_number)
    assert Decimal(body["qty"]) == qty
    assert Decimal(body["limit_price"]) == price
    assert "E" not in body["qty"] + body["limit_price"]


def refuse_number(text: str) -> Any:
    raise AssertionError(f"{text} went out as a JSON number")


def test_the_whole_request() -> None:
    def accept(seen: Seen) -> Any:
        return order_object()

    with scripted([answer(accept)]) as (broker, server):
        broker.submit(an_order())
    seen = server.requests[0]
    assert (seen.method, seen.path) == ("POST", "/v2/orders")
    assert seen.json() == {
        "symbol": "AAPL",
        "qty": "12",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": "reb-20261120T1535-i-AAPL-1",
        "position_intent": "buy_to_open",
    }
    assert seen.headers["apca-api-key-id"] == KEY
    assert seen.headers["apca-api-secret-key"] == SECRET
    assert seen.headers["user-agent"].startswith("APCA-PY/0.44")
    assert seen.headers["cache-control"] == "no-cache"
    assert seen.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": Decimal(0)},
        {"qty": Decimal(-1)},
        {"qty": Decimal("Infinity")},
        {"qty": Decimal("1e12")},
        {"client_order_id": ""},
        {"client_order_id": "x" * 49},
        {"limit_price": Decimal(1)},
        {"type": "limit"},
        {"type": "limit", "limit_price": Decimal(0)},
    ],
)
def test_an_order_without_sense_does_not_leave(changes: dict[str, Any]) -> None:
    with (
        scripted([]) as (broker, server),
        pytest.raises(AssertionError),
    ):
        broker.submit(an_order(**changes))
    assert server.requests == []
