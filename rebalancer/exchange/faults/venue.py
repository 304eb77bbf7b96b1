"""Faults in the course of an order: rejections by the venue, partial fills, fills that beat a cancellation."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.exchange import matching
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.matching import Step
from rebalancer.exchange.order import Order
from rebalancer.exchange.state import State


def is_rejected(state: State, order: Order, step: Step) -> bool:
    """Whether the venue rejects an order that arrives there; then this is what happens to it."""
    if step.kind != "activate" or state.faults.on_order("venue_reject", order.symbol) is None:
        return False
    order.status, order.failed_at, order.updated_at = "rejected", step.at, step.at
    return True


def partial_probability(state: State, order: Order, step: Step) -> float:
    """The probability that this fill is only a part: 1 when a fault says so."""
    if step.kind == "fill" and order.fills == 0 and state.faults.on_order("partial_fill", order.symbol) is not None:
        return 1.0
    return state.behaviour.partial_fill_probability


def cancel_moment(state: State, order: Order, at: int) -> int:
    """When a cancellation takes effect: half a latency later, or never when a fault lets it stick."""
    if state.faults.on_order("cancel_stuck", order.symbol) is None:
        return at + state.latency() // 2
    order.live_at = order.fill_from = matching.NEVER
    return matching.NEVER


def fills_first(state: State, order: Order, at: int) -> bool:
    """Fill an order whose cancellation has just been accepted, all of it or a part, never beyond its limit.

    An auction order can only fill in its auction: there the cancellation comes too late, and the fill follows later.
    """
    auction = order.time_in_force in ("opg", "cls")
    if not (auction or _trades(state, order, at)):
        return False
    rule = state.faults.on_order("cancel_race", order.symbol)
    if rule is None:
        return False
    if auction:
        order.cancel_at = max(order.cancel_at or at, order.fill_from + 1)
        return True
    market = _Pinned(state.market, _price(state.market, order, at))
    share = 1.0 if rule.parameters["partial"] else 0.0
    matching.carry_out(order, Step(at, "fill"), state.venue(share, market))
    return True


def _trades(state: State, order: Order, at: int) -> bool:
    reached = order.status in ("new", "partially_filled", "pending_cancel") and order.live_at <= at
    return reached and matching.span_at(order, state.market, at) is not None


def _price(market: Market, order: Order, at: int) -> Decimal:
    bid, ask = market.quote(order.symbol, at)
    bound = order.worst_price
    if order.side == "buy":
        return ask if bound is None else min(ask, bound)
    return bid if bound is None else max(bid, bound)


class _Pinned(Market):
    """The same market with one price on both sides."""

    def __init__(self, market: Market, price: Decimal) -> None:
        vars(self).update(vars(market))
        self._price = price

    def quote(self, symbol: str, at: int) -> tuple[Decimal, Decimal]:  # noqa: ARG002 - the price is the same always
        """The one price."""
        return self._price, self._price
