"""Accepting an order: its times, its prices and, for a complex one, its legs."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from rebalancer.exchange import errors
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import EXTENDED, NEW_YORK, midnight_new_york, moment_of
from rebalancer.exchange.checks import Admission, admit, check_asset, collared, inferred_intent
from rebalancer.exchange.day_trades import protect
from rebalancer.exchange.located import use
from rebalancer.exchange.margin_watch import require_unrestricted
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.matching import GTC_LIFE, NEVER, trailed
from rebalancer.exchange.order import EXITS, Intent, Order, OrderType
from rebalancer.exchange.order_request import OrderRequest
from rebalancer.exchange.state import State
from rebalancer.exchange.views import asset_id


class Times(NamedTuple):
    """When an order is at the venue, may first fill, and ends; microseconds. `queued` until then it is `accepted`."""

    live_at: int
    fill_from: int
    expires_at: int
    queued: bool


def accept(state: State, request: OrderRequest, at: int) -> Order:
    """Check and accept an order with its legs, inside the caller's request. Raises ApiError; then nothing changed."""
    if state.configuration.suspend_trade:
        raise errors.forbidden("new orders are rejected by user request")
    listing = check_asset(request, state.find(request.symbol), state.configuration)
    require_unused(state, request.client_order_id)
    check_window(state, request, at)
    check_account(state, request, listing, at)
    admission = admit(request, state.context(listing, at))
    order = _order(state, request, listing, admission, at)
    if request.type == "trailing_stop":
        order.hwm = state.market.last(listing.symbol, at)
        order.stop_price = trailed(order)
        if order.stop_price <= 0:
            raise errors.invalid("trail_price must be less than the current price")
    if admission.intent == "sell_to_open" and not listing.shortable:
        use(state.store, listing.symbol, request.qty or Decimal(0), at)
    state.keep(order)
    for leg in _legs(state, order, request):
        state.keep(leg)
    return order


def check_account(state: State, request: OrderRequest, listing: Listing, at: int) -> None:
    """Refuse to open while the account is restricted, and to day-trade while it is protected. Raises ApiError."""
    opens = inferred_intent(request, state.books.held(listing.symbol)).endswith("open")
    if opens:
        require_unrestricted(state)
    if state.behaviour.legacy_day_trading and not listing.is_crypto:
        protect(state, listing.symbol, at, opens=opens)


def require_unused(state: State, client_order_id: str | None) -> None:
    """Refuse a client order id that any order ever had. Raises ApiError."""
    if client_order_id is not None and state.store.order("client_order_id", client_order_id) is not None:
        raise errors.invalid("client_order_id must be unique")


def check_window(state: State, request: OrderRequest, at: int) -> None:
    """Refuse auction orders outside their windows: from 19:00 on, until 09:28 or ten minutes before the close."""
    if request.time_in_force not in ("opg", "cls"):
        return
    local = moment_of(at).astimezone(NEW_YORK)
    sessions = state.sessions.between(local.date().toordinal(), local.date().toordinal())
    if not sessions or local.hour >= 19:
        return
    minutes = 60 * 1_000_000
    end = sessions[0].open - 2 * minutes if request.time_in_force == "opg" else sessions[0].close - 10 * minutes
    if at >= end:
        until = {"opg": "9:28am", "cls": "3:55pm"}[request.time_in_force]
        force = request.time_in_force
        raise errors.forbidden(f"{force} orders must be submitted after 7:00pm and before {until}")


def times_of(state: State, request: OrderRequest, listing: Listing, at: int) -> Times:
    """When the order goes live, may fill and expires, by time in force, session and halt."""
    sessions, latency = state.sessions, state.latency()
    if request.time_in_force == "opg":
        session = sessions.next_open(at)
        return Times(session.open, session.open, session.close, queued=True)
    start = at if listing.is_crypto or sessions.current(at) is not None else sessions.next_open(at).open
    if request.extended_hours:
        start = sessions.next_extended_start(at)
        if sessions.is_overnight(start) and not _trades_overnight(state, listing):
            day = sessions.next_close(start).day
            start = midnight_new_york(day) + EXTENDED
    expires_at = at + GTC_LIFE
    if request.time_in_force in ("day", "cls"):
        expires_at = sessions.next_close(start).close
        if request.extended_hours:
            expires_at = sessions.extended_end(start) or expires_at
    queued = start != at
    if request.time_in_force == "cls":
        return Times(start + latency // 2, expires_at, expires_at, queued)
    resumed = state.market.halts.resumes(listing.symbol, start)
    if resumed is not None:
        start, queued = resumed, True
    return Times(start + latency // 2, start + latency, expires_at, queued)


def _trades_overnight(state: State, listing: Listing) -> bool:
    return listing.overnight and not state.configuration.disable_overnight_trading


def _order(state: State, request: OrderRequest, listing: Listing, admission: Admission, at: int) -> Order:
    seq = state.next_seq()
    times = times_of(state, request, listing, at)
    seed = state.market.seed
    return Order(
        seq=seq,
        id=computed_id(seed, "order", str(seq)),
        client_order_id=request.client_order_id or computed_id(seed, "client order", str(seq)),
        symbol=listing.symbol,
        asset_id=asset_id(listing.symbol),
        asset_class=listing.asset_class,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        qty=request.qty,
        notional=request.notional,
        limit_price=request.limit_price,
        position_intent=admission.intent,
        status="accepted" if times.queued else "pending_new",
        submitted_at=at,
        updated_at=at,
        live_at=times.live_at,
        fill_from=times.fill_from,
        expires_at=times.expires_at,
        worst_price=admission.worst_price,
        reserve_price=admission.reserve_price,
        order_class=request.order_class,
        extended_hours=request.extended_hours,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
    )


def _legs(state: State, parent: Order, request: OrderRequest) -> list[Order]:
    """The exits that wait for an entry, or the stop that stands beside a take-profit."""
    exits, pair = request.exits, request.order_class == "oco"
    legs = []
    if request.order_class in ("bracket", "oto") and exits.take_profit is not None:
        legs.append(_leg(state, parent, "limit", exits.take_profit, None))
    if request.order_class and exits.stop_loss is not None:
        kind: OrderType = "stop" if exits.stop_limit is None else "stop_limit"
        leg = _leg(state, parent, kind, exits.stop_limit, exits.stop_loss)
        legs.append(leg)
        if pair:
            leg.status, leg.live_at, leg.fill_from = parent.status, parent.live_at, parent.fill_from
            leg.pool = parent.id
    return legs


def _leg(state: State, parent: Order, kind: OrderType, limit: Decimal | None, stop: Decimal | None) -> Order:
    seq, seed = state.next_seq(), state.market.seed
    pair = parent.order_class == "oco"
    side = parent.side if pair else ("sell" if parent.side == "buy" else "buy")
    intent: Intent = "sell_to_close" if side == "sell" else "buy_to_close"
    worst = limit
    if kind == "stop" and side == "buy" and stop is not None:
        worst = collared(stop)
    return Order(
        seq=seq,
        id=computed_id(seed, "order", str(seq)),
        client_order_id=computed_id(seed, "client order", str(seq)),
        symbol=parent.symbol,
        asset_id=parent.asset_id,
        asset_class=parent.asset_class,
        side=side,
        type=kind,
        time_in_force=parent.time_in_force,
        qty=parent.qty,
        notional=None,
        limit_price=limit,
        position_intent=intent,
        status="held",
        submitted_at=parent.submitted_at,
        updated_at=parent.submitted_at,
        live_at=NEVER,
        fill_from=NEVER,
        expires_at=parent.expires_at,
        worst_price=worst,
        reserve_price=limit or stop or Decimal(0),
        order_class=parent.order_class,
        parent=parent.id,
        pool=parent.id + EXITS,
        stop_price=stop,
    )
