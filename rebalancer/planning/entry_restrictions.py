"""Why nothing may be opened or enlarged in a symbol, and the distance of its stop.

A restricted name may still be reduced. The restrictions, in the order in which a later one counts instead of an earlier
one (`core.construct.restrict` applies them before the caps, so that a restricted name takes no headroom from others):

1. its stop is farther away than `max_stop_distance`;
2. a stop closed it recently (see `cool_off`);
3. its confidence is too low (`confidence_scaling: above_75`);
4. its correlation group already has `max_correlated_positions`, or the account `max_positions`. Existing positions come
   first, then the largest raw weights; a position being closed counts until it is gone. Names without a correlation
   group count as one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import Reasons


class EntryRestriction(NamedTuple):
    """Why nothing may be opened in a symbol."""

    outcome: Outcome
    because: Reasons


def losing_side_stop(signals: Sequence[Signal], price: Decimal, *, is_long: bool) -> Decimal | None:
    """The stop price of the newest signal with a stop on the losing side of a position; None without one."""
    for signal in signals:
        if signal.stop_price is not None and (price - signal.stop_price) * (1 if is_long else -1) > 0:
            return signal.stop_price
    return None
