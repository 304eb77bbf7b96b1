"""Trading halts on a schedule: announce one, end it early."""

from __future__ import annotations

from rebalancer.exchange.market.halts import Halt, HaltPlan
from rebalancer.exchange.state import State


def schedule_halt(state: State, halt: Halt) -> None:
    """Halt a symbol from now or later on. Raises ValueError for an unknown symbol or a span that is over."""
    with state.request() as at:
        if halt.symbol not in state.market.listings or halt.end <= max(halt.start, at):
            raise ValueError(f"{halt.symbol}: is not a listed symbol, or the halt does not end in the future")
        _set(state, (*state.store.halts(), halt._replace(start=max(halt.start, at))), halt.symbol, at)


def end_halts(state: State, symbol: str) -> None:
    """End a symbol's halts now, announced ones included."""
    with state.request() as at:
        kept = [h._replace(end=min(h.end, at)) if h.symbol == symbol else h for h in state.store.halts()]
        _set(state, tuple(h for h in kept if h.start < h.end), symbol, at)


def _set(state: State, halts: tuple[Halt, ...], symbol: str, at: int) -> None:
    resumed, latency = state.market.halts.resumes(symbol, at), state.latency()
    state.store.set_halts(halts)
    state.market.halts = HaltPlan(halts)
    for order in state.open_orders_of(symbol):
        if resumed is not None and state.market.halts.resumes(symbol, at) is None:  # trading goes on now
            if order.live_at == resumed + latency // 2:
                order.live_at = at + latency // 2
            if resumed <= order.fill_from <= resumed + latency:
                order.fill_from = max(at, order.live_at) + latency // 2
        state.keep(order)
