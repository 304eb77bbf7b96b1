"""Read the broker while the last posts of a phase are under way, and tell whether that reading is late enough.

A read that leaves shortly after the posts arrives shortly after them, often when they have filled already. Then it
saves a round trip. It counts only when it proves itself: an order has ended when the broker says so, whenever that was
asked; an account counts when its cash differs from the earlier one by exactly what the ended orders have paid and
brought; positions count when each is the earlier one and what has traded since. And it counts only while it is recent:
cash shows neither a loss since, nor buying power that others have reserved since. Otherwise the broker is asked again,
as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from rebalancer.brokers.protocol import BrokerOrder, SendResult, TradingBroker
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account, Position
from rebalancer.core.values import CENT, ZERO
from rebalancer.core.venue_rules import VenueRules
from rebalancer.execution.cancel_on_failure import SpreadOut
from rebalancer.execution.order_tracking import NO_INFORMATION
from rebalancer.ops.clock import Clock
from rebalancer.planning.verdicts import OrderEnd

EARLY_SECONDS: Final = 0.06  # after the posts; a liquid market fills a market order in about that time
RECENT_SECONDS: Final = 2.0  # an account and positions read longer ago are read again, whatever their cash says


class EarlyReading(NamedTuple):
    """What was read; None for what was not asked or not answered. `at`: when it was asked, in monotonic seconds."""

    orders: tuple[BrokerOrder, ...] | None = None
    account: Account | None = None
    positions: tuple[Position, ...] | None = None
    at: float = 0.0

    def is_recent(self, now: float) -> bool:
        """Whether it was asked a short while ago; now: monotonic seconds."""
        return now - self.at <= RECENT_SECONDS

    def account_with(
        self, cash_before: Decimal, orders: Sequence[Order], ends: Mapping[str, OrderEnd], venue: VenueRules
    ) -> Account | None:
        """The account if it certainly contains all that these orders traded; else None. cash_before: USD, before any of
        them was sent. The broker rounds average prices, so a cent per order is allowed."""
        if self.account is None:
            return None
        expected, fills = cash_before, 0
        for order in orders:
            end = ends.get(order.client_order_id)
            if end is None or not end.state.is_final:
                return None
            if end.filled_qty == ZERO:
                continue
            if end.filled_avg_price is None or venue.asset_class(order.symbol) != "us_equity":  # fees in coins
                return None
            expected += end.filled_qty * end.filled_avg_price * (1 if order.side == "sell" else -1)
            fills += 1
        return self.account if abs(self.account.cash - expected) <= CENT * fills else None

    def are_held(self, expected: Mapping[str, Decimal]) -> bool:
        """Whether the positions are exactly these signed shares, by symbol."""
        held = {p.symbol: p.qty for p in self.positions or ()}
        return held == {symbol: qty for symbol, qty in expected.items() if qty != ZERO}


def read_early(
    posts: Sequence[Callable[[], SendResult]],
    broker: TradingBroker,
    clock: Clock,
    together: SpreadOut,
    began: datetime,
    *,
    positions: bool,
) -> tuple[list[SendResult], EarlyReading]:
    """Send these posts concurrently, and shortly after them the reads. Returns the results of the posts in their order.

    began: orders submitted after it are listed. A read without an answer is left out; what a post raises is raised.
    """
    if not posts:
        return [], EarlyReading()

    asked: list[float] = []

    def soon(ask: Callable[[], Any]) -> Any:
        clock.wait(EARLY_SECONDS)
        asked.append(clock.monotonic())
        return _or_none(ask)

    asks: list[Callable[[], Any]] = [partial(broker.orders, began), *_beside(broker, positions=positions)]
    every: list[Callable[[], Any]] = [*posts, *(partial(soon, ask) for ask in asks)]
    done: list[Any] = together(lambda act: act(), every)
    results, read = done[: len(posts)], done[len(posts) :]
    return results, EarlyReading(*read)._replace(at=min(asked))


def read_beside(broker: TradingBroker, together: SpreadOut, began: datetime, *, positions: bool) -> EarlyReading:
    """The same reads at once, while no post is under way. Raises what the list of orders raises."""
    asks: list[Callable[[], Any]] = [partial(broker.orders, began)]
    asks += [partial(_or_none, ask) for ask in _beside(broker, positions=positions)]
    return EarlyReading(*together(lambda ask: ask(), asks))


def _beside(broker: TradingBroker, *, positions: bool) -> list[Callable[[], Any]]:
    return [broker.account, broker.positions] if positions else [broker.account]


def _or_none(ask: Callable[[], Any]) -> Any:
    """The answer; None without one."""
    try:
        return ask()
    except NO_INFORMATION:
        return None
