"""Send one order and report what is known about it afterwards.

accepted   the broker returned the order, and it matches the one that we sent
refused    the broker rejected it with Alpaca's own error object
not_sent   no byte was sent, or the broker rejected the request unprocessed (429)
unknown    anything else; only a lookup by our own id can tell
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from rebalancer.brokers.alpaca.answers import Answer, NoAnswer
from rebalancer.brokers.alpaca.client import Client
from rebalancer.brokers.alpaca.fields import UnreadableField, table
from rebalancer.brokers.alpaca.order_reading import read_order
from rebalancer.brokers.alpaca.refusals import refusal_of
from rebalancer.brokers.protocol import Allowed, BrokerOrder, ExitPair, SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.values import text_of

CLIENT_ORDER_ID_LENGTH_MAX: Final = 48
_MAGNITUDE_MAX: Final = Decimal(10) ** 12  # anything larger, infinity included, is a mistake


def send_order(asking: Client, order: Order, allowed: Allowed = None) -> SendResult:
    """POST one order once. Asserts that the order is valid; never raises for the broker's response or its absence."""
    return _send(asking, order, order_body(order), allowed)


def send_pair(asking: Client, pair: ExitPair, allowed: Allowed = None) -> SendResult:
    """POST one pair of exits once, as Alpaca's order class "oco". Otherwise as `send_order`."""
    return _send(asking, pair, pair_body(pair), allowed)


def _send(asking: Client, order: Order | ExitPair, body: Mapping[str, object], allowed: Allowed) -> SendResult:
    try:
        answer = asking.post_once("/orders", body, allowed)
    except NoAnswer as silence:
        return SendResult("unknown" if silence.sent else "not_sent", None, silence.reason, silence.message)
    return _result_of(order, answer)


def pair_body(pair: ExitPair) -> dict[str, object]:
    """The JSON object of a pair: the target is the order itself, the stop is its leg."""
    assert Decimal(0) < pair.qty < _MAGNITUDE_MAX, f"quantity {pair.qty} of {pair.symbol}"
    assert pair.qty == pair.qty.to_integral_value(), f"a pair takes whole shares, not {pair.qty} of {pair.symbol}"
    assert 0 < len(pair.client_order_id) <= CLIENT_ORDER_ID_LENGTH_MAX, pair.client_order_id
    apart = (pair.target_price - pair.stop_price) * (1 if pair.side == "sell" else -1)
    assert min(pair.stop_price, pair.target_price, apart) > 0, f"stop {pair.stop_price}, target {pair.target_price}"
    stop = {"stop_price": text_of(pair.stop_price)}
    if pair.stop_limit_price is not None:
        worse = (pair.stop_price - pair.stop_limit_price) * (1 if pair.side == "sell" else -1)
        assert pair.stop_limit_price > 0 <= worse, f"stop {pair.stop_price}, limit {pair.stop_limit_price}"
        stop["limit_price"] = text_of(pair.stop_limit_price)
    return {
        "symbol": pair.symbol,
        "qty": text_of(pair.qty),
        "side": pair.side,
        "type": "limit",
        "time_in_force": "day" if pair.day else "gtc",
        "order_class": "oco",
        "client_order_id": pair.client_order_id,
        "position_intent": "sell_to_close" if pair.side == "sell" else "buy_to_close",
        "take_profit": {"limit_price": text_of(pair.target_price)},
        "stop_loss": stop,
    }


def order_body(order: Order) -> dict[str, str]:
    """The JSON object of an order: every value is a string, so that decimals arrive exactly as decided."""
    assert Decimal(0) < order.qty < _MAGNITUDE_MAX, f"quantity {order.qty} of {order.symbol}"
    assert 0 < len(order.client_order_id) <= CLIENT_ORDER_ID_LENGTH_MAX, order.client_order_id
    assert (order.limit_price is not None) == (order.type == "limit"), f"{order.type} at {order.limit_price}"
    body = {
        "symbol": order.symbol,
        "qty": text_of(order.qty),
        "side": order.side,
        "type": order.type,
        "time_in_force": order.time_in_force,
        "client_order_id": order.client_order_id,
        "position_intent": order.position_intent,
    }
    if order.limit_price is not None:
        assert Decimal(0) < order.limit_price < _MAGNITUDE_MAX, f"limit price {order.limit_price}"
        body["limit_price"] = text_of(order.limit_price)
    return body


def _result_of(order: Order | ExitPair, answer: Answer) -> SendResult:
    if not 200 <= answer.status < 300:
        refusal = refusal_of(answer.status, answer.text)
        return SendResult(refusal.kind, None, refusal.reason, refusal.message)
    if answer.body is None:
        return SendResult("unknown", None, "empty", f"an empty answer with status {answer.status}")
    try:
        placed = read_order(table(answer.body, "order"))
    except UnreadableField as error:
        return SendResult("unknown", None, "unreadable", str(error))
    wrong = _contradiction(order, placed)
    if wrong:
        return SendResult("unknown", placed, "contradiction", wrong)
    return SendResult("accepted", placed, "accepted", f"the broker says {placed.status}" if placed else "")


def _contradiction(order: Order | ExitPair, placed: BrokerOrder | None) -> str:
    """How the broker's order differs from the one that was sent; empty when it does not."""
    if placed is None:
        return "the broker answered with an order in another class of asset"
    pairs = (
        ("client_order_id", order.client_order_id, placed.client_order_id),
        ("symbol", order.symbol, placed.symbol),
        ("side", order.side, placed.side),
        ("qty", order.qty, placed.qty),
    )
    return "; ".join(f"{name}: sent {sent}, the broker has {got}" for name, sent, got in pairs if sent != got)
