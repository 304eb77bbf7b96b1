"""When something happens to an order, and what.

The price path is known, so an order's next step can be computed when it arrives: the moment it becomes live, is
marketable, expires or is cancelled. Steps are then carried out in the order of time, whenever the exchange is next
looked at. How often it is looked at therefore changes nothing.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_FLOOR, Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.exchange.books import SMALLEST, Books
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.market.prices import Market, crypto_session
from rebalancer.exchange.order import Order

GTC_LIFE: Final = 90 * 24 * 3600 * MICROS  # Alpaca cancels older orders


class Step(NamedTuple):
    """The next thing that happens to an order. `wait` means: look again in the next session."""

    at: int
    kind: Literal["activate", "fill", "wait", "expire", "cancel"]


class Venue(NamedTuple):
    """What matching needs. Latency in microseconds of simulated time; the probability is that of a partial fill."""

    market: Market
    books: Books
    seed: int
    latency: int
    partial_probability: float


def next_step(order: Order, market: Market) -> Step:
    """The next step of an open order, if nobody interferes."""
    assert order.is_open
    waiting = order.status in ("accepted", "pending_new")
    step = Step(order.live_at, "activate") if waiting else _next_trade(order, market)
    if order.cancel_at is not None and order.cancel_at <= step.at:
        return Step(order.cancel_at, "cancel")
    return step


def _next_trade(order: Order, market: Market) -> Step:
    since = order.fill_from
    if since >= order.expires_at:
        return Step(order.expires_at, "expire")
    session = crypto_session(since) if order.is_crypto else market.sessions.current(since)
    if session is None:
        return Step(since, "wait")
    if order.time_in_force == "ioc":
        return Step(since, "fill" if _marketable(order, market, since) else "cancel")
    until = min(session.close, order.expires_at)
    if order.worst_price is None:
        return Step(since, "fill")
    reached = market.next_reached(order.symbol, order.side, order.worst_price, since, until)
    if reached is not None:
        return Step(reached, "fill")
    return Step(until, "expire" if until == order.expires_at else "wait")


def carry_out(order: Order, step: Step, venue: Venue) -> None:
    """Do one step: change the order and, for a fill, the books. The caller stores the order."""
    order.updated_at = step.at
    match step.kind:
        case "activate":
            order.status = "new"
        case "wait":
            sessions = venue.market.sessions
            order.fill_from = step.at if order.is_crypto else sessions.next_open(step.at).open
        case "expire":
            order.status, order.expired_at = "expired", step.at
        case "cancel":
            order.status, order.canceled_at = "canceled", step.at
        case "fill":
            _fill(order, step.at, venue)


def _fill(order: Order, at: int, venue: Venue) -> None:
    bid, ask = venue.market.quote(order.symbol, at)
    price = ask if order.side == "buy" else bid
    qty = order.remaining(price).quantize(SMALLEST, rounding=ROUND_FLOOR)
    if not order.is_opening:  # an order by value may by now ask for more than there is
        qty = min(qty, abs(venue.books.held(order.symbol)))
    if not qty:
        order.status, order.canceled_at = "canceled", at
        return
    part = _part(order, qty, venue) if order.fills == 0 else qty
    complete = part == qty
    venue.books.fill(order, part, price, at, complete=complete)
    if complete:
        order.status, order.filled_at = "filled", at
    elif order.time_in_force == "ioc":
        order.status, order.canceled_at = "canceled", at
    else:
        order.fill_from = at + max(3 * venue.latency, MICROS // 1000)
        if order.cancel_at is None:
            order.status = "partially_filled"


def _part(order: Order, qty: Decimal, venue: Venue) -> Decimal:
    """The quantity of a first fill: usually all; with the configured probability 30 to 70 % of it."""
    digest = hashlib.blake2b(f"{venue.seed}|partial|{order.seq}".encode(), digest_size=8).digest()
    chance, share = int.from_bytes(digest[:4], "big") / 2**32, int.from_bytes(digest[4:], "big") / 2**32
    if chance >= venue.partial_probability:
        return qty
    whole = order.qty is not None and order.qty == order.qty.to_integral_value() and not order.is_crypto
    lot = Decimal(1) if whole else SMALLEST
    part = (qty * (Decimal("0.3") + Decimal(share) * Decimal("0.4"))).quantize(lot, rounding=ROUND_FLOOR)
    return part or qty


def _marketable(order: Order, market: Market, at: int) -> bool:
    bid, ask = market.quote(order.symbol, at)
    if order.worst_price is None:
        return True
    return ask <= order.worst_price if order.side == "buy" else bid >= order.worst_price
