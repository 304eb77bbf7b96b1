"""Trading halts on a schedule: announce one, end it early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebalancer.exchange.market.halts import Halt, HaltPlan

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange


def schedule_halt(exchange: Exchange, halt: Halt) -> None:
    """Halt a symbol from now or later on. Raises ValueError for an unknown symbol or a span that is over."""
    with exchange.request() as at:
        if halt.symbol not in exchange.market.listings or halt.end <= max(halt.start, at):
            raise ValueError(f"{halt.symbol}: is not a listed symbol, or the halt does not end in the future")
        _set(exchange, (*exchange.store.halts(), halt._replace(start=max(halt.start, at))), halt.symbol, at)


def end_halts(exchange: Exchange, symbol: str) -> None:
    """End a symbol's halts now, announced ones included."""
    with exchange.request() as at:
        kept = [h._replace(end=min(h.end, at)) if h.symbol == symbol else h for h in exchange.store.halts()]
        _set(exchange, tuple(h for h in kept if h.start < h.end), symbol, at)


def _set(exchange: Exchange, halts: tuple[Halt, ...], symbol: str, at: int) -> None:
    resumed, latency = exchange.market.halts.resumes(symbol, at), exchange.latency()
    exchange.store.set_halts(halts)
    exchange.market.halts = HaltPlan(halts)
    for order in exchange.open_orders_of(symbol):
        if resumed is not None and exchange.market.halts.resumes(symbol, at) is None:  # trading goes on now
            if order.live_at == resumed + latency // 2:
                order.live_at = at + latency // 2
            if resumed <= order.fill_from <= resumed + latency:
                order.fill_from = max(at, order.live_at) + latency // 2
        exchange.keep(order)
