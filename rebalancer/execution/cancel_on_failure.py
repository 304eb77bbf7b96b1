"""Posted orders whose end is not known, kept in memory so that they can be cancelled when the journal cannot be
written.

Cancelling is best effort and its result is not relied upon: whether an order was cancelled or has filled is left to the
next run, whose recovery finds each of them in the journal as intended or open.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from rebalancer.brokers.protocol import SendResult, TradingBroker
from rebalancer.core.decisions import Order
from rebalancer.core.errors import AnotherProgram, LeaseLost
from rebalancer.execution.order_tracking import DUPLICATE, refuse_another
from rebalancer.ops.clock import Clock

LOG: Final = logging.getLogger("rebalancer.world.desk")

T = TypeVar("T")
R = TypeVar("R")


class SpreadOut(Protocol):
    """Applies one function to many items, several concurrently; the results are in the order of the items."""

    def __call__(self, act: Callable[[T], R], items: Sequence[T], /) -> list[R]: ...


class CanCancelPosted(Protocol):
    """Anything that may have orders at the broker."""

    def cancel_posted(self) -> None:
        """Request a cancel of every posted order that may still work. Never raises."""
        ...


@contextmanager
def cancelling_on_failure(orders: CanCancelPosted) -> Iterator[None]:
    """Cancel the posted orders when the block fails; the error of the block is re-raised. When another program trades
    under our ids nothing is cancelled: the orders under those ids may be its own; nor when another host has taken over:
    they are its own now."""
    try:
        yield
    except (AnotherProgram, LeaseLost):
        raise
    except Exception:
        orders.cancel_posted()
        raise


class PostedOrders:
    """The orders that one cycle has posted and whose end it has not seen. Thread-safe."""

    def __init__(self, broker: TradingBroker, clock: Clock, together: SpreadOut, seconds: float) -> None:
        """seconds: no further cancel is begun after this time."""
        self._broker, self._clock, self._together, self._seconds = broker, clock, together, seconds
        self._orders: dict[str, Order] = {}
        self._broker_ids: dict[str, str] = {}
        self._lock = threading.Lock()

    def send(self, submit: Callable[[Order], SendResult], order: Order) -> SendResult:
        """Post an order, and track it from before its first byte leaves until its end is known."""
        name = order.client_order_id
        with self._lock:
            self._orders[name] = order
        result = submit(order)
        with self._lock:
            if result.kind == "accepted" and result.order is not None:
                self._broker_ids[name] = result.order.id
            elif result.kind == "not_sent" or (result.kind == "refused" and result.reason != DUPLICATE):
                del self._orders[name]
        return result

    def forget(self, names: Collection[str] | None = None) -> None:
        """Stop tracking these orders, which have ended; None: all of them."""
        with self._lock:
            for name in list(self._orders) if names is None else names:
                self._orders.pop(name, None)
                self._broker_ids.pop(name, None)

    def cancel_posted(self) -> None:
        """Request the cancel of each once, by the broker's id, or by our own where the broker has given none. Takes
        bounded time and never raises: the error that led here is the one to report."""
        with self._lock:
            orders, ids = list(self._orders.values()), dict(self._broker_ids)
        self.forget()
        if not orders:
            return
        deadline = self._clock.monotonic() + self._seconds

        def cancel(order: Order) -> bool:
            try:
                return self._clock.monotonic() < deadline and self._cancel(order, ids.get(order.client_order_id))
            except Exception as error:  # noqa: BLE001 - a failed cancel must not prevent the others
                LOG.warning("order %s could not be called off: %s", order.client_order_id, error)
                return False

        try:
            asked = sum(self._together(cancel, orders))
            LOG.warning(
                "the cycle broke off: a cancel was asked for %d of %d orders that may still work; the next run asks "
                "the broker how each has ended", asked, len(orders),
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - as above
            LOG.warning("orders could not be called off: %s", error)

    def _cancel(self, order: Order, broker_id: str | None) -> bool:
        if broker_id is None:
            found = self._broker.find_order(order.client_order_id)
            if found is None or found.state.is_final:
                return False
            refuse_another(order, found, whole=True)
            broker_id = found.id
        self._broker.cancel(broker_id)
        return True
