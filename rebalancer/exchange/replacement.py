"""PATCH /v2/orders/{id}: a new order takes the place of an open one.

The quantity asked for is the total, what is already filled included; the new order is for what remains. The old order
stays in the market until the replacement takes effect half a latency later; when it closes before, the new one is
rejected. Until then only the larger of the two holds shares or buying power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange import parameters as read
from rebalancer.exchange.acceptance import check_account, require_unused, times_of
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.checks import admit, check_increment
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_request, invalid, not_found, unprocessable
from rebalancer.exchange.groups import follow
from rebalancer.exchange.matching import Step, carry_out, trailed
from rebalancer.exchange.order import Order, TimeInForce
from rebalancer.exchange.order_request import OrderRequest, check_trail, decimal_in

_PRICES: Final = {  # the prices that each type has
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": ("trail",),
}


class Changes(NamedTuple):
    """What a client wants changed; None leaves it as it is."""

    qty: Decimal | None
    time_in_force: TimeInForce | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail: Decimal | None
    client_order_id: str | None


def replace_order(exchange: Exchange, identity: str, body: Mapping[str, object]) -> dict[str, object]:
    """Replace an open order; returns the new one. Raises ApiError; then nothing has changed."""
    identity = read.order_id(identity)
    changes = _read(body)
    with exchange.request() as at:
        old = exchange.orders.get(identity) or exchange.store.order("id", identity)
        if old is None:
            raise not_found(f"order not found for {identity}")
        _check_state(old)
        _check_changes(old, changes)
        require_unused(exchange, changes.client_order_id)
        new = _changed(exchange, old, changes, at)
        if old.status == "held":
            new.status, new.live_at, new.fill_from = "held", old.live_at, old.fill_from
        else:
            _admit(exchange, old, new, at)
        old.replaced_by, old.updated_at = new.id, at
        exchange.keep(new)
        if old.status == "held":
            carry_out(old, Step(at, "replace"), exchange.venue())
            exchange.keep(old)
            follow(exchange, old, at)
        else:
            old.status, old.replace_at = "pending_replace", new.live_at
            exchange.keep(old)
        return exchange.shown(new, nested=True)


def _read(body: Mapping[str, object]) -> Changes:
    given = {key: value for key, value in body.items() if value is not None and value != ""}
    numbers = {n: decimal_in(given[n], n) for n in ("qty", "limit_price", "stop_price", "trail") if n in given}
    for field, number in numbers.items():
        if number <= 0:
            raise invalid(f"{field.replace('_', ' ')} must be > 0")
    qty = numbers.get("qty")
    if qty is not None and qty != qty.to_integral_value():
        raise invalid("qty must be integer")
    force, name = given.get("time_in_force"), given.get("client_order_id")
    if force is not None and force not in ("day", "gtc", "ioc", "fok", "opg", "cls"):
        raise invalid("invalid time_in_force")
    if name is not None and not isinstance(name, str):
        raise bad_request("request body format is invalid: client_order_id must be a string")
    if name is not None and len(name) > 128:
        raise invalid("client_order_id must be no more than 128 characters")
    return Changes(
        qty,
        force,
        numbers.get("limit_price"),
        numbers.get("stop_price"),
        numbers.get("trail"),
        name,
    )


def _check_state(old: Order) -> None:
    if old.status in ("accepted", "pending_new"):
        raise invalid("unable to replace order, order isn't sent to exchange yet")
    if not old.is_open or old.status in ("pending_cancel", "pending_replace"):
        raise unprocessable("unable to replace order, order is not open")


def _check_changes(old: Order, changes: Changes) -> None:
    if old.notional is not None:
        raise unprocessable("unable to replace order, notional orders cannot be replaced")
    if old.order_class == "oto":
        raise unprocessable("unable to replace order, oto orders cannot be replaced")
    for name in ("limit_price", "stop_price", "trail"):
        if getattr(changes, name) is not None and name not in _PRICES[old.type]:
            raise invalid(f"{old.type.replace('_', ' ')} orders require no {name.replace('_', ' ')}")
    assert old.qty is not None
    if changes.qty is not None:
        if old.order_class and changes.qty != old.qty:
            raise unprocessable("unable to replace order, qty of complex orders cannot be changed")
        if old.qty != old.qty.to_integral_value():
            raise unprocessable("unable to replace order, qty of fractional orders cannot be changed")
        if changes.qty <= old.filled_qty:
            raise unprocessable("unable to replace order, qty must be > filled_qty")
    force = changes.time_in_force
    if force is not None and force != old.time_in_force:
        allowed = ("gtc", "ioc") if old.is_crypto else ("day", "gtc")
        if old.order_class or force not in allowed or old.qty != old.qty.to_integral_value():
            raise unprocessable(f"unable to replace order, time_in_force cannot become {force}")
    if old.trail_percent is not None:
        check_trail(changes.trail)
    if not old.is_crypto:
        for name in ("limit_price", "stop_price"):
            if (price := getattr(changes, name)) is not None:
                check_increment(name, price)
    named = {"qty": old.qty, "time_in_force": old.time_in_force, "limit_price": old.limit_price}
    named |= {"stop_price": old.stop_price, "trail": old.trail_price or old.trail_percent}
    if all(getattr(changes, name) in (None, value) for name, value in named.items()):
        raise unprocessable("order parameters are not changed")


def _changed(exchange: Exchange, old: Order, changes: Changes, at: int) -> Order:
    """The order as it shall become, not yet checked against the account."""
    seq, seed = exchange.next_seq(), exchange.market.seed
    live_at = at + exchange.latency() // 2
    assert old.qty is not None
    new = replace(
        old,
        seq=seq,
        id=computed_id(seed, "order", str(seq)),
        client_order_id=changes.client_order_id or computed_id(seed, "client order", str(seq)),
        qty=(changes.qty or old.qty) - old.filled_qty,
        carried=old.filled_qty,
        time_in_force=changes.time_in_force or old.time_in_force,
        limit_price=changes.limit_price or old.limit_price,
        stop_price=changes.stop_price or old.stop_price,
        status="pending_new",
        submitted_at=at,
        updated_at=at,
        live_at=live_at,
        fill_from=live_at + exchange.latency() // 2,
        pool=old.pool or old.id,
        replaces=old.id,
        filled_qty=ZERO,
        filled_value=ZERO,
        fills=0,
        rested=False,
    )
    if changes.stop_price is not None:
        new.triggered_at = None
    if changes.trail is not None:
        if old.trail_price is not None:
            new.trail_price = changes.trail
        else:
            new.trail_percent = changes.trail
    if old.type == "trailing_stop" and old.is_dormant:
        exchange.trail(old, at)
        new.hwm = old.hwm
        new.stop_price = trailed(new)
    if changes.time_in_force not in (None, old.time_in_force):
        listing = exchange.market.listings[old.symbol]
        new.expires_at = times_of(exchange, _request(new), listing, at).expires_at
    return new


def _admit(exchange: Exchange, old: Order, new: Order, at: int) -> None:
    """Ask the account rules as if the old order and its siblings were not there; sets the new prices."""
    listing = exchange.listing(old.symbol)
    pool = old.pool or old.id
    context = exchange.context(listing, at, without=pool)
    check_account(exchange, _request(new), listing, at)
    admission = admit(_request(new), context)
    new.worst_price = admission.worst_price
    new.reserve_price = admission.reserve_price


def _request(order: Order) -> OrderRequest:
    exit_of_group = bool(order.order_class) and not order.is_entry
    return OrderRequest(
        order.symbol,
        order.side,
        order.type,
        order.time_in_force,
        order.qty,
        None,
        order.limit_price,
        position_intent=order.position_intent,
        stop_price=None if order.type == "trailing_stop" else order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        extended_hours=order.extended_hours,
        order_class="oco" if exit_of_group else order.order_class,
    )
