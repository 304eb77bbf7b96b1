"""Order requests other than placing one: list, look up, cancel."""

from __future__ import annotations

from typing import Final

from rebalancer.exchange import parameters as read
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError, invalid, not_found, unprocessable
from rebalancer.exchange.matching import NEVER
from rebalancer.exchange.order import Order
from rebalancer.exchange.order_pages import OrderFilter, rows_of, text_of_rows
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.switches import one_of, some_of, switch

LIMIT_DEFAULT, LIMIT_MAX = 50, 500
CLASSES: Final = ("us_equity", "us_option", "crypto", "crypto_perp", "ipo", "all")


def list_orders(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """GET /v2/orders. `after` and `until` are exclusive bounds on the submission time; newest first by default."""
    with exchange.reading():
        wanted = _wanted(exchange, parameters)
        return [] if wanted is None else rows_of(exchange, wanted)


def orders_text(exchange: Exchange, parameters: Parameters) -> str:
    """The answer of `list_orders` as JSON."""
    with exchange.reading():
        wanted = _wanted(exchange, parameters)
        return "[]" if wanted is None else text_of_rows(exchange, wanted)


def _wanted(exchange: Exchange, parameters: Parameters) -> OrderFilter | None:
    """What is asked for, None when nothing can be; inside the caller's reading. Raises ApiError."""
    status = read.choice(parameters, "status", ("open", "closed", "all"), "invalid status")
    words = 'direction can only be "asc" or "desc"'
    direction = read.choice(parameters, "direction", ("desc", "asc"), words)
    side = one_of(parameters, "side", ("buy", "sell"))
    asked = read.names(parameters, "symbols")
    classes = some_of(parameters, "asset_class", CLASSES)
    after, until = read.moment(parameters, "after"), read.moment(parameters, "until")
    limit = read.count(parameters, "limit", LIMIT_DEFAULT, LIMIT_MAX)
    nested = switch(parameters, "nested")
    cursors = [parameters.get(name, "") for name in ("after_order_id", "before_order_id")]
    if all(cursors):
        raise invalid("only one of before_order_id or after_order_id is accepted")
    if any(cursors) and (after is not None or until is not None):
        raise invalid("before_order_id and after_order_id cannot be combined with after or until")
    beyond, before = (_known(exchange, read.order_id(text)).seq if text else None for text in cursors)
    symbols = {listing.symbol if (listing := exchange.find(name)) else name for name in asked}
    if classes and "all" not in classes:
        listed = {s for s, listing in exchange.market.listings.items() if listing.asset_class in classes}
        symbols = symbols & listed if symbols else listed
        if not symbols:
            return None
    return OrderFilter(
        is_open=None if status == "all" else status == "open",
        after=after,
        until=until,
        symbols=frozenset(symbols),
        side=side or None,
        ascending=direction == "asc",
        limit=limit,
        beyond=beyond,
        before=before,
        nested=nested,
    )


def get_order(exchange: Exchange, identity: str, parameters: Parameters | None = None) -> dict[str, object]:
    """GET /v2/orders/{id}; with `nested` its legs inside."""
    identity, nested = read.order_id(identity), switch(parameters or {}, "nested")
    with exchange.reading():
        return exchange.shown(_known(exchange, identity), nested=nested)


def get_order_by_client_id(exchange: Exchange, client_order_id: str) -> dict[str, object]:
    """GET /v2/orders:by_client_order_id."""
    with exchange.reading():
        order = exchange.store.order("client_order_id", client_order_id)
        if order is None:
            raise not_found(f"order not found for {client_order_id[:128]}")
        return exchange.shown(order)


def cancel_order(exchange: Exchange, identity: str) -> None:
    """DELETE /v2/orders/{id}: ask for the cancellation; repeating it is harmless. Raises ApiError."""
    identity = read.order_id(identity)
    with exchange.request() as at:
        order = exchange.orders.get(identity)
        if order is not None:
            _check_cancellable(order)
            exchange.cancel(order, at)
            return
        closed = _known(exchange, identity)
        if closed.status != "canceled":
            raise unprocessable(f'order is already in "{closed.status}" state')


def cancel_all(exchange: Exchange) -> list[dict[str, object]]:
    """DELETE /v2/orders: ask for the cancellation of every open order; one entry for each."""
    with exchange.request() as at:
        answer: list[dict[str, object]] = []
        for order in tuple(exchange.orders.values()):
            try:
                _check_cancellable(order)
                exchange.cancel(order, at)
                answer.append({"id": order.id, "status": 200, "body": exchange.shown(order)})
            except ApiError as refusal:
                answer.append({"id": order.id, "status": 500, "body": refusal.body})
        return answer


def _check_cancellable(order: Order) -> None:
    if order.status == "pending_replace":
        raise unprocessable("order pending replace")
    if order.status == "pending_cancel" and order.cancel_at == NEVER:
        raise unprocessable("order pending cancel")  # it is stuck


def _known(exchange: Exchange, identity: str) -> Order:
    order = exchange.store.order("id", identity)
    if order is None:
        raise not_found(f"order not found for {identity}")
    return order
