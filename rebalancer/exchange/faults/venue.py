"""Faults in the course of an order: halts, rejections by the venue, partial fills, fills that beat a cancellation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rebalancer.exchange import matching
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.matching import Step
from rebalancer.exchange.order import Order
from rebalancer.exchange.store import Store

if TYPE_CHECKING:
    from decimal import Decimal

    from rebalancer.exchange.core import Exchange

_META: Final = "halts"
_UNTOUCHED: Final = ("activate", "wait", "expire", "cancel")  # steps that a halt does not stop


class Halts:
    """Symbols in which trading stands still: prices freeze, orders are taken and cancelled, nothing fills.

    Kept in the state file. Writes happen inside the caller's transaction.
    """

    def __init__(self, store: Store, market: Market) -> None:
        self._store, self._market = store, market

    def load(self) -> None:
        """Take the halts from the state file."""
        self._market.frozen = {name: int(at) for name, at in json.loads(self._store.meta(_META) or "{}").items()}

    def names(self) -> list[str]:
        """Halted symbols."""
        return sorted(self._market.frozen)

    def begin(self, symbol: str, at: int) -> None:
        """Halt a symbol; a halted one stays so from its first moment on."""
        self._market.frozen.setdefault(symbol, at)
        self._save()

    def end(self, symbol: str) -> None:
        """Let a symbol trade again."""
        self._market.frozen.pop(symbol, None)
        self._save()

    def hold(self, order: Order, step: Step) -> Step:
        """The step that an order takes instead while its symbol is halted."""
        if order.symbol not in self._market.frozen or step.kind in _UNTOUCHED:
            return step
        if order.time_in_force not in ("day", "gtc"):
            return Step(step.at, "cancel")
        if order.cancel_at is not None:
            return Step(order.cancel_at, "cancel")
        return Step(order.expires_at, "expire")

    def _save(self) -> None:
        self._store.set_meta(_META, json.dumps(self._market.frozen))


def is_rejected(exchange: Exchange, order: Order, step: Step) -> bool:
    """Whether the venue rejects an order that arrives there; then this is what happens to it."""
    if step.kind != "activate" or exchange.faults.on_order("venue_reject", order.symbol) is None:
        return False
    order.status, order.failed_at, order.updated_at = "rejected", step.at, step.at
    return True


def partial_probability(exchange: Exchange, order: Order, step: Step) -> float:
    """The probability that this fill is only a part: 1 when a fault says so."""
    if step.kind == "fill" and order.fills == 0 and exchange.faults.on_order("partial_fill", order.symbol) is not None:
        return 1.0
    return exchange.behaviour.partial_fill_probability


def fills_first(exchange: Exchange, order: Order, at: int) -> bool:
    """Fill an order whose cancellation has just been accepted, all of it or a part, never beyond its limit."""
    if order.symbol in exchange.market.frozen or not _trades(exchange, order, at):
        return False
    rule = exchange.faults.on_order("cancel_race", order.symbol)
    if rule is None:
        return False
    market = _Pinned(exchange.market, _price(exchange.market, order, at))
    share = 1.0 if rule.parameters["partial"] else 0.0
    matching.carry_out(order, Step(at, "fill"), exchange.venue(share, market))
    return True


def _trades(exchange: Exchange, order: Order, at: int) -> bool:
    return order.live_at <= at and (order.is_crypto or exchange.sessions.current(at) is not None)


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
