"""When something happens to an order, and what.

The price path is known, so an order's next step can be computed when it arrives: the moment it becomes live, is
triggered, is marketable, expires or is cancelled. Steps are then carried out in the order of time, whenever the
exchange is next looked at. How often it is looked at therefore changes nothing.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.values import CENT
from rebalancer.exchange.books import SMALLEST, Books
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.checks import collared, stop_of
from rebalancer.exchange.market.prices import Market, crypto_session
from rebalancer.exchange.order import Order

GTC_LIFE: Final = 90 * 24 * 3600 * MICROS  # Alpaca cancels older orders
NEVER: Final = 2**62


class Step(NamedTuple):
    """The next thing that happens to an order. `wait` means: look again in the next session."""

    at: int
    kind: Literal["activate", "trigger", "fill", "wait", "expire", "cancel", "replace"]


class Venue(NamedTuple):
    """What matching needs. Latency in microseconds of simulated time; the probability is that of a partial fill."""

    market: Market
    books: Books
    seed: int
    latency: int
    partial_probability: float


class Span(NamedTuple):
    """A span in which an order may trade, up to `until`; `moves` tells whether prices change in it."""

    until: int
    moves: bool


def next_step(order: Order, market: Market) -> Step:
    """The next step of an open order, if nobody interferes."""
    assert order.is_open
    if order.status == "held":
        return Step(NEVER, "wait")
    waiting = order.status in ("accepted", "pending_new")
    if not waiting:
        step = _next_trade(order, market)
    elif order.live_at > order.expires_at:
        step = Step(order.expires_at, "expire")
    else:
        step = Step(order.live_at, "activate")
    if order.replace_at is not None and order.replace_at <= step.at:
        step = Step(order.replace_at, "replace")
    if order.cancel_at is not None and order.cancel_at <= step.at:
        return Step(order.cancel_at, "cancel")
    return step


def span_at(order: Order, market: Market, at: int) -> Span | None:
    """The span in which an order may trade at a moment, or None: crypto always, others by session and halt.

    Outside the core session prices stand still at the quote of the last close, and only limit orders for extended
    hours trade.
    """
    symbol, sessions = order.symbol, market.sessions
    if market.halts.resumes(symbol, at) is not None:
        return None
    if order.is_crypto:
        until, moves = crypto_session(at).close, True
    elif (session := sessions.current(at)) is not None:
        until, moves = session.close, True
    elif order.extended_hours and (end := sessions.extended_end(at)) is not None:
        until, moves = min(end, sessions.next_open(at).open), False
    else:
        return None
    return Span(market.halts.next_start(symbol, at, until), moves)


def reopens(order: Order, market: Market, at: int) -> int:
    """When an order that cannot trade at a moment may be looked at again."""
    resumed = market.halts.resumes(order.symbol, at)
    if resumed is not None:
        return resumed
    if order.is_crypto or span_at(order, market, at) is not None:
        return at
    if order.extended_hours:
        return market.sessions.next_extended_start(at)
    return market.sessions.next_open(at).open


def _next_trade(order: Order, market: Market) -> Step:
    since = order.fill_from
    if order.time_in_force in ("opg", "cls"):
        return Step(since, "fill" if _marketable(order, market, since) else "cancel")
    if since >= order.expires_at:
        return Step(order.expires_at, "expire")
    span = span_at(order, market, since)
    if span is None:
        return Step(since, "wait")
    if order.time_in_force in ("ioc", "fok"):
        return Step(since, "fill" if _marketable(order, market, since) else "cancel")
    until = min(span.until, order.expires_at)
    reached = _reached(order, market, since, until, moves=span.moves)
    if reached is not None:
        return Step(reached, "trigger" if order.is_dormant else "fill")
    return Step(until, "expire" if until == order.expires_at else "wait")


def _reached(order: Order, market: Market, since: int, until: int, *, moves: bool) -> int | None:
    """When the order is triggered or marketable within a span, or None."""
    if order.is_dormant:
        if order.type == "trailing_stop":
            trail = (order.trail_price, order.trail_percent)
            return market.next_trailed(order.symbol, order.side, order.hwm or CENT, trail, since, until)
        assert order.stop_price is not None
        return market.next_traded(order.symbol, order.side, order.stop_price, since, until)
    if order.worst_price is None:
        return since
    if moves:
        return market.next_reached(order.symbol, order.side, order.worst_price, since, until)
    return since if _marketable(order, market, since) else None


def carry_out(order: Order, step: Step, venue: Venue) -> None:
    """Do one step: change the order and, for a fill, the books. The caller stores the order."""
    if step.kind != "wait":
        order.updated_at = step.at
    match step.kind:
        case "activate":
            order.status = "new"
        case "trigger":
            _trigger(order, step.at, venue)
        case "wait":
            trail(order, venue.market, step.at)
            order.rested = order.rested or not order.is_dormant
            order.fill_from = reopens(order, venue.market, step.at)
        case "expire":
            if order.time_in_force == "gtc":  # of old age, which Alpaca ends with a cancellation
                order.status, order.canceled_at = "canceled", step.at
            else:
                order.status, order.expired_at = "expired", step.at
        case "cancel":
            order.status, order.canceled_at = "canceled", step.at
        case "replace":
            order.status, order.replaced_at = "replaced", step.at
        case "fill":
            _fill(order, step.at, venue)


def trail(order: Order, market: Market, at: int) -> None:
    """Move a trailing stop's high-water mark and stop price to what the trades up to a moment have made them."""
    if order.type != "trailing_stop" or not order.is_dormant:
        return
    best = market.best_traded(order.symbol, order.side, order.fill_from, at)
    if best is not None:
        assert order.hwm is not None
        order.hwm = min(order.hwm, best) if order.side == "buy" else max(order.hwm, best)
        order.stop_price = trailed(order)


def trailed(order: Order) -> Decimal:
    """A trailing stop's stop price in cents, rounded away from the market."""
    assert order.hwm is not None
    exact = stop_of(order.side, order.hwm, order.trail_price, order.trail_percent)
    return exact.quantize(CENT, rounding=ROUND_CEILING if order.side == "buy" else ROUND_FLOOR)


def _trigger(order: Order, at: int, venue: Venue) -> None:
    """Turn a stop into the market or limit order that it stands for; a buy stop gets the collar of its stop price."""
    trail(order, venue.market, at)
    order.triggered_at, order.fill_from = at, at + venue.latency
    if order.type == "trailing_stop" and order.side == "buy":
        assert order.stop_price is not None
        order.worst_price = collared(order.stop_price)


def _fill(order: Order, at: int, venue: Venue) -> None:
    if order.limit_price is not None and not order.fills and at > order.fill_from:
        order.rested = True
    bid, ask = venue.market.quote(order.symbol, at)
    price = ask if order.side == "buy" else bid
    if order.time_in_force in ("opg", "cls"):
        price = venue.market.last(order.symbol, at)  # the auction's print
    qty = order.remaining(price).quantize(SMALLEST, rounding=ROUND_FLOOR)
    if not order.is_opening:  # an order by value may by now ask for more than there is
        qty = min(qty, abs(venue.books.held(order.symbol)))
    if not qty:
        order.status, order.canceled_at = "canceled", at
        return
    whole = order.fills or order.time_in_force in ("fok", "opg", "cls")
    part = qty if whole else _part(order, qty, venue)
    complete = part == qty
    venue.books.fill(order, part, price, at, complete=complete)
    if complete:
        order.status, order.filled_at = "filled", at
    elif order.time_in_force == "ioc":
        order.status, order.canceled_at = "canceled", at
    else:
        order.fill_from = at + max(3 * venue.latency, MICROS // 1000)
        if order.cancel_at is None and order.replace_at is None:
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
    """Whether the order would trade now; in an auction against its print, and never in a halt."""
    if market.halts.resumes(order.symbol, at) is not None:
        return False
    if order.worst_price is None:
        return True
    bid, ask = market.quote(order.symbol, at)
    if order.time_in_force in ("opg", "cls"):
        bid = ask = market.last(order.symbol, at)
    return ask <= order.worst_price if order.side == "buy" else bid >= order.worst_price
