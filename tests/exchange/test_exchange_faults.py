"""Every fault, seen through the real adapter: what the client concludes, and what was really done."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Endpoints
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.outcomes import OrderState
from rebalancer.exchange.faults.refusals import REFUSALS
from rebalancer.exchange.faults.rules import faults_of
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.brokers.making import CREDENTIALS, KEY, SECRET, an_order, rules

KEYS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
POST = "POST /v2/orders"


@pytest.fixture(scope="module")
def whole() -> Iterator[RunningExchange]:
    options = ExchangeOptions(
        key=KEY, secret=SECRET, rate_limit_per_minute=0, partial_fill_probability=0, fill_latency_seconds=0.0
    )
    with start_exchange(options) as server:
        yield server


@pytest.fixture
def server(whole: RunningExchange) -> Iterator[RunningExchange]:
    yield whole
    whole.exchange.faults.clear()


@pytest.fixture
def broker(server: RunningExchange) -> Iterator[AlpacaBroker]:
    yield from opened(server, 60)


@pytest.fixture
def impatient(server: RunningExchange) -> Iterator[AlpacaBroker]:
    """For answers that never come."""
    yield from opened(server, 0.3)


def opened(server: RunningExchange, seconds: float) -> Iterator[AlpacaBroker]:
    """A broker that waits so many seconds for an answer."""
    patience = rules(total_timeout_seconds=seconds, read_timeout_seconds=seconds)
    broker = AlpacaBroker(CREDENTIALS, Endpoints(server.url), patience, wait=lambda _: None)
    yield broker
    broker.close()


def strike(server: RunningExchange, kind: str, **fields: Any) -> None:
    """Put one rule in force."""
    server.exchange.faults.put(faults_of({"rules": [{"kind": kind, **fields}]}, str).rules)


_NUMBER = iter(range(10_000))


def fresh() -> str:
    return f"fault-{next(_NUMBER)}"


def eventually(holds: Callable[[], object]) -> None:
    for _ in range(30_000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to hold")


# --- orders: what the client may conclude, and whether the order is there --------------------------------------------

SUBMITS: list[tuple[str, dict[str, Any], str, str, bool]] = [
    ("lost_before", {}, "unknown", "connection_lost", False),
    ("lost_after", {}, "unknown", "connection_lost", True),
    ("hang", {}, "unknown", "timeout", False),
    ("hang", {"booked": True}, "unknown", "timeout", True),
    ("drip", {"bytes_per_second": 50, "request": POST}, "unknown", "timeout", True),
    ("rate_limit", {"request": POST}, "not_sent", "rate_limited", False),
    ("http_error", {"request": POST}, "unknown", "http_502", False),
    ("http_error", {"request": POST, "status": 504, "booked": True}, "unknown", "http_504", True),
    ("http_error", {"request": POST, "status": 500, "json": True}, "unknown", "http_500", False),
    ("malformed", {"request": POST}, "unknown", "unreadable", True),
    ("truncated", {"request": POST}, "unknown", "connection_lost", True),
    ("truncated", {"request": POST, "share": 0}, "unknown", "connection_lost", True),
    ("delivered_twice", {}, "unknown", "duplicate_id", True),
    ("unknown_enum", {"request": POST}, "accepted", "accepted", True),
    ("missing_field", {"request": POST, "field": "id"}, "unknown", "unreadable", True),
    ("set_field", {"request": POST, "field": "side", "value": "sell"}, "unknown", "contradiction", True),
    ("human_trade", {"order": {"symbol": "KO", "qty": 1, "side": "buy"}}, "accepted", "accepted", True),
]


@pytest.mark.parametrize(("kind", "fields", "outcome", "reason", "booked"), SUBMITS)
def test_a_submission_that_goes_wrong(
    server: RunningExchange,
    broker: AlpacaBroker,
    impatient: AlpacaBroker,
    kind: str,
    fields: dict[str, Any],
    outcome: str,
    reason: str,
    booked: bool,
) -> None:
    strike(server, kind, **fields)
    name = fresh()
    asked = impatient if kind in ("hang", "drip") else broker
    result = asked.submit(an_order(client_order_id=name, qty=Decimal(1)))
    assert (result.kind, result.reason) == (outcome, reason)
    server.exchange.faults.clear()
    assert (broker.find_order(name) is not None) is booked


@pytest.mark.parametrize(("answer", "reason"), [("reset", "connection_lost"), ("504", "http_504")])
def test_a_late_booking_comes_after_the_look_up(
    server: RunningExchange, broker: AlpacaBroker, answer: str, reason: str
) -> None:
    strike(server, "late", seconds=30, answer=answer)
    name = fresh()
    assert broker.submit(an_order(client_order_id=name, qty=Decimal(1))).reason == reason
    assert broker.find_order(name) is None
    server.clock.advance(31)
    eventually(lambda: broker.find_order(name))


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_every_known_refusal_is_definite_or_says_to_look(
    server: RunningExchange, broker: AlpacaBroker, reason: str
) -> None:
    strike(server, "refuse", reason=reason)
    name = fresh()
    result = broker.submit(an_order(client_order_id=name, qty=Decimal(1)))
    expected = {"duplicate_id": "unknown", "rate_limited": "not_sent", "internal": "unknown"}
    assert result.kind == expected.get(reason, "refused"), result
    server.exchange.faults.clear()
    assert broker.find_order(name) is None


def test_the_venue_rejects_what_the_broker_accepted(server: RunningExchange, broker: AlpacaBroker) -> None:
    strike(server, "venue_reject", symbols=["AAPL"])
    name = fresh()
    assert broker.submit(an_order(client_order_id=name, qty=Decimal(1))).kind == "accepted"
    eventually(lambda: (order := broker.find_order(name)) is not None and order.state is OrderState.REFUSED)
    last = json.loads(server.exchange.events.after(server.exchange.events.last() - 1)[0].body)
    assert (last["event"], last["order"]["client_order_id"]) == ("rejected", name)
    assert last["order"]["failed_at"] is not None


def test_a_partial_fill_on_demand(server: RunningExchange, broker: AlpacaBroker) -> None:
    strike(server, "partial_fill")
    name = fresh()
    broker.submit(an_order(client_order_id=name, qty=Decimal(10)))
    server.clock.advance(5)
    eventually(lambda: (order := broker.find_order(name)) is not None and order.state is OrderState.FILLED)
    fills = [
        json.loads(one.body)["event"]
        for one in server.exchange.events.after(0, 100_000)
        if json.loads(one.body)["order"]["client_order_id"] == name
    ]
    assert fills[-2:] == ["partial_fill", "fill"]


@pytest.mark.parametrize(("partial", "end"), [(False, OrderState.FILLED), (True, OrderState.CANCELED)])
def test_a_fill_beats_the_cancellation(
    server: RunningExchange, broker: AlpacaBroker, partial: bool, end: OrderState
) -> None:
    strike(server, "cancel_race", partial=partial)
    name, limit = fresh(), Decimal("1.01")
    low = an_order(client_order_id=name, type="limit", limit_price=limit, qty=Decimal(10))
    sent = broker.submit(low).order
    assert sent is not None
    server.clock.advance(1)
    broker.positions()
    broker.cancel(sent.id)
    eventually(lambda: (order := broker.find_order(name)) is not None and order.state is end)
    order = broker.find_order(name)
    assert order is not None
    assert (order.filled_qty == 10) is not partial
    assert 0 < order.filled_qty <= 10
    assert order.filled_avg_price == limit


# --- reads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("lost_before", {"request": "GET /v2/account"}), ("http_error", {"status": 503}), ("rate_limit", {}),
     ("truncated", {}),
     ("malformed", {}), ("drip", {"bytes_per_second": 20}), ("hang", {"request": "GET /v2/account"}),
     ("missing_field", {"field": "equity"}), ("set_field", {"field": "equity", "value": "NaN"})],
)  # fmt: skip
def test_a_read_that_always_fails_is_unavailable(
    server: RunningExchange, impatient: AlpacaBroker, kind: str, fields: dict[str, Any]
) -> None:
    strike(server, kind, **fields)
    with pytest.raises(BrokerUnavailable):
        impatient.account()


@pytest.mark.parametrize("kind", ["lost_before", "http_error", "rate_limit", "truncated"])
def test_a_read_is_repeated_after_one_fault(server: RunningExchange, broker: AlpacaBroker, kind: str) -> None:
    strike(server, kind, request="GET /v2/account", times=1)
    assert broker.account().equity > 0
    assert server.exchange.faults.state()[0]["fired"] == 1


@pytest.mark.parametrize(
    ("flags", "word"),
    [({"trading_blocked": True}, "trading_blocked"), ({"account_blocked": True}, "account_blocked"),
     ({"trade_suspended_by_user": True}, "trade_suspended_by_user"),
     ({"status": "ACCOUNT_CLOSED"}, "status:ACCOUNT_CLOSED")],
)  # fmt: skip
def test_flags_show_and_block(server: RunningExchange, broker: AlpacaBroker, flags: dict[str, Any], word: str) -> None:
    strike(server, "account_flags", set=flags)
    assert broker.account().restrictions == (word,)
    result = broker.submit(an_order(client_order_id=fresh(), qty=Decimal(1)))
    assert (result.kind, result.reason in ("unauthorized", "suspended")) == ("refused", True)
    assert requests.get(f"{server.url}/v2/orders", headers=KEYS, timeout=300).status_code == 200


def test_positions_lag_behind_fills(server: RunningExchange, broker: AlpacaBroker) -> None:
    def held() -> dict[str, Decimal]:
        return {one.symbol: one.qty for one in broker.positions() if one.symbol in ("NKE", "GE")}

    broker.submit(an_order(client_order_id=fresh(), symbol="GE", qty=Decimal(3)))
    eventually(lambda: held() == {"GE": 3})
    server.clock.advance(120)
    strike(server, "positions_lag", seconds=60)
    broker.submit(an_order(client_order_id=fresh(), symbol="NKE", qty=Decimal(5)))
    broker.submit(
        an_order(client_order_id=fresh(), symbol="GE", side="sell", qty=Decimal(3), position_intent="sell_to_close")
    )
    eventually(lambda: not server.exchange.is_busy)
    assert held() == {"GE": 3}
    one = requests.get(f"{server.url}/v2/positions/NKE", headers=KEYS, timeout=300)
    assert (one.status_code, one.json()["code"]) == (404, 40410000)
    assert requests.get(f"{server.url}/v2/positions/GE", headers=KEYS, timeout=300).json()["qty"] == "3"
    server.clock.advance(61)
    assert held() == {"NKE": 5}


def test_young_orders_are_not_found_yet(server: RunningExchange, broker: AlpacaBroker) -> None:
    strike(server, "orders_lag", seconds=10)
    name, since = fresh(), broker.now() - timedelta(seconds=2)
    broker.submit(an_order(client_order_id=name, qty=Decimal(1)))
    assert broker.find_order(name) is None
    assert name not in {order.client_order_id for order in broker.orders(since)}
    server.clock.advance(11)
    assert broker.find_order(name) is not None
    assert name in {order.client_order_id for order in broker.orders(since)}


def test_a_list_without_the_order_that_is_found_by_id(server: RunningExchange, broker: AlpacaBroker) -> None:
    strike(server, "orders_lag", request="GET /v2/orders")
    name, since = fresh(), broker.now() - timedelta(seconds=2)
    broker.submit(an_order(client_order_id=name, qty=Decimal(1)))
    assert broker.find_order(name) is not None
    assert name not in {order.client_order_id for order in broker.orders(since)}


def test_a_skewed_clock(server: RunningExchange, broker: AlpacaBroker) -> None:
    for seconds in (100.0, -100.0):
        strike(server, "clock_skew", seconds=seconds, name="skew")
        off = broker.clock().now - server.clock.now()
        assert abs(off.total_seconds() - seconds) < 5


def test_quotes_not_to_be_believed(server: RunningExchange, broker: AlpacaBroker) -> None:
    def quote() -> Any:
        return broker.quotes(["AAPL"])[0]

    true = quote()
    strike(server, "crossed_quote", name="q", symbols=["AAPL"])
    assert quote().bid > quote().ask
    assert broker.quotes(["MSFT"])[0].bid < broker.quotes(["MSFT"])[0].ask
    strike(server, "zero_quote", name="q")
    assert (quote().bid, quote().ask) == (None, None)
    strike(server, "absurd_quote", name="q", factor=100)
    assert quote().bid > true.ask * 90
    strike(server, "stale_price", name="q", seconds=600)
    assert timedelta(seconds=590) < broker.now() - quote().at < timedelta(seconds=620)
    strike(server, "stale_quote", name="q", seconds=600)
    assert broker.now() - quote().at < timedelta(seconds=20)  # the trade is fresh


def test_a_strange_word_in_a_list(server: RunningExchange, broker: AlpacaBroker) -> None:
    name, since = fresh(), broker.now() - timedelta(seconds=2)
    strike(server, "unknown_enum", request="GET /v2/orders")
    broker.submit(an_order(client_order_id=name, type="limit", limit_price=Decimal("1.01"), qty=Decimal(1)))
    newest = broker.orders(since)[0]
    assert not newest.state.is_final


def test_a_burst_begins_and_ends_where_the_rule_says(server: RunningExchange) -> None:
    strike(server, "rate_limit", request="GET /v2/clock", skip=2, times=3)
    codes = [requests.get(f"{server.url}/v2/clock", headers=KEYS, timeout=300).status_code for _ in range(7)]
    assert codes == [200, 200, 429, 429, 429, 200, 200]


def test_a_rate_limit_may_say_when_to_come_back(server: RunningExchange) -> None:
    strike(server, "rate_limit", retry_after=7)
    answer = requests.get(f"{server.url}/v2/clock", headers=KEYS, timeout=300)
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (429, "7", 42910000)
