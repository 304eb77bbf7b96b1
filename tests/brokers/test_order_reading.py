"""What orders and activities become; one that cannot be read is never left out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.brokers.alpaca.order_reading import STATUS_WORDS, state_of
from rebalancer.brokers.protocol import Activity, BrokerFill, BrokerOrder
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.outcomes import OrderState
from tests.brokers.making import an_order, order_object, scripted
from tests.support.scripted_server import reply


@pytest.mark.parametrize("word", sorted(STATUS_WORDS | {"a_word_of_next_year", ""}))
def test_every_status_word_has_a_state(word: str) -> None:
    final = {
        "filled": OrderState.FILLED,
        "canceled": OrderState.CANCELED,
        "expired": OrderState.EXPIRED,
        "replaced": OrderState.REPLACED,
        "rejected": OrderState.REFUSED,
    }
    assert state_of(word) is final.get(word, OrderState.OPEN)


def test_orders() -> None:
    rows = [
        order_object(a_field_of_next_year=1),
        order_object(
            id="2",
            client_order_id="c-2",
            symbol="BTC/USD",
            asset_class="crypto",
            qty=None,
            notional="200.55",
            type="limit",
            limit_price="61000.5",
            filled_qty="0.00321",
            filled_avg_price="60999.1",
            status="replaced",
            filled_at="2026-11-20T10:36:00-05:00",
            replaced_by="3",
            submitted_at=None,
        ),
        order_object(id="4", symbol="AAPL261218C00200000", asset_class="us_option"),
        order_object(id="5", symbol="", asset_class="", order_class="mleg"),
        order_object(id="6", client_order_id="c-6", status="a_new_word"),
    ]
    first = BrokerOrder(
        id="7b08df51-c1ac-453c-99f9-323a5f075f0d",
        client_order_id=an_order().client_order_id,
        symbol="AAPL",
        asset_class="us_equity",
        side="buy",
        type="market",
        qty=Decimal(12),
        notional=None,
        limit_price=None,
        filled_qty=Decimal(0),
        filled_avg_price=None,
        status="pending_new",
        state=OrderState.OPEN,
        submitted_at=datetime(2026, 11, 20, 15, 35, 3, 577215, UTC),
        filled_at=None,
    )
    second = BrokerOrder(
        id="2",
        client_order_id="c-2",
        symbol="BTC/USD",
        asset_class="crypto",
        side="buy",
        type="limit",
        qty=None,
        notional=Decimal("200.55"),
        limit_price=Decimal("61000.5"),
        filled_qty=Decimal("0.00321"),
        filled_avg_price=Decimal("60999.1"),
        status="replaced",
        state=OrderState.REPLACED,
        submitted_at=datetime(2026, 11, 20, 15, 35, 3, 664468, UTC),
        filled_at=datetime(2026, 11, 20, 15, 36, tzinfo=UTC),
        replaced_by="3",
    )
    third = first._replace(id="6", client_order_id="c-6", status="a_new_word", is_understood=False)
    with scripted([reply(200, json.dumps(rows))]) as (broker, server):
        assert broker.orders(None) == (first, second, third)
    assert server.requests[0].path == "/v2/orders?status=open&direction=asc&limit=500"


@pytest.mark.parametrize(
    "changes", [{"id": None}, {"side": "hold"}, {"qty": "x"}, {"asset_class": "shares"}, {"status": 1}]
)
def test_an_order_that_cannot_be_read_is_not_left_out(changes: dict[str, Any]) -> None:
    with (
        scripted([reply(200, json.dumps([order_object(), order_object(**changes)]))]) as (broker, _),
        pytest.raises(BrokerUnavailable, match="list of orders"),
    ):
        broker.orders(None)


def test_activities() -> None:
    fill = {
        "activity_type": "FILL",
        "id": "20261120103509981::a",
        "type": "fill",
        "qty": "2",
        "price": "174.78",
        "side": "buy",
        "symbol": "AAPL",
        "order_id": "o-1",
        "transaction_time": "2026-11-20T15:35:09.981482Z",
    }
    rows = [
        fill,
        {**fill, "id": "b", "side": "sell_short", "symbol": "BTCUSD"},
        {"activity_type": "DIV", "id": "c", "date": "2026-11-19", "net_amount": "1.02", "symbol": "T", "qty": "2"},
        {"activity_type": "FEE", "id": "d", "date": "2026-11-19", "net_amount": "-0.03", "a_new_field": 1},
    ]
    after = datetime(2026, 11, 19, 21, tzinfo=UTC)
    with scripted([reply(200, json.dumps(rows))]) as (broker, server):
        fills, others = broker.activities(after)
    at = datetime(2026, 11, 20, 15, 35, 9, 981482, UTC)
    assert fills == (
        BrokerFill("20261120103509981::a", "o-1", "AAPL", Decimal(2), Decimal("174.78"), at),
        BrokerFill("b", "o-1", "BTC/USD", Decimal(-2), Decimal("174.78"), at),
    )
    assert others == (
        Activity("c", "DIV", "T", Decimal(2), Decimal("1.02"), date(2026, 11, 19)),
        Activity("d", "FEE", None, Decimal(0), Decimal("-0.03"), date(2026, 11, 19)),
    )
    assert server.requests[0].path == (
        "/v2/account/activities?after=2026-11-19T21%3A00%3A00Z&direction=asc&page_size=100"
    )
