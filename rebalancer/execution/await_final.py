"""Wait for orders to end: the one rule of patience for everything that sends or cancels orders.

The broker is asked at once, then after pauses that double from 0.05 s to one second. A look that gets no answer says
nothing about an order: it is followed by the longest pause, and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, TypeVar

from rebalancer.core.errors import BrokerUnavailable
from rebalancer.ops.clock import Clock

PAUSE_FIRST_SECONDS: Final = 0.05
PAUSE_MOST_SECONDS: Final = 1.0

Awaited = TypeVar("Awaited")


def await_final(
    look: Callable[[], Collection[Awaited]],
    clock: Clock,
    deadline: float | Callable[[], float],
    *,
    is_urgent: Callable[[], bool] = lambda: False,
) -> Collection[Awaited]:
    """Look until no order is left working, until the deadline, or until it is urgent. Returns the orders left working.

    look: asks the broker once and returns the orders that have not ended. deadline: on the clock's monotonic time; a
    function is asked after every look, since what the broker has shown may change it. There is always one look.
    Raises BrokerUnavailable when the last look had no answer, and at once whatever else `look` raises.
    """
    pause = PAUSE_FIRST_SECONDS
    while True:
        failure, left = None, None
        try:
            left = look()
        except BrokerUnavailable as error:
            failure, pause = error, PAUSE_MOST_SECONDS
        rest = (deadline() if callable(deadline) else deadline) - clock.monotonic()
        if left is not None and (not left or rest <= 0 or is_urgent()):
            return left
        if failure is not None and (rest <= 0 or is_urgent()):
            raise failure
        clock.wait(min(pause, rest))
        pause = min(pause * 2, PAUSE_MOST_SECONDS)
