"""Margin calls and restrictions, looked at when a session closes.

1. When equity falls short of the maintenance margin by more than min(1 000 USD, 5 % of equity), a call begins. It is
   met at the first close without a shortfall, by a deposit, a sale or a better market.
2. A call that stands unmet at the fifth close after it restricts the account to closing orders for 90 days.
3. A position worth more than 600 % of equity restricts the account until somebody releases it.

Nothing is sold by force: no source says that paper accounts are liquidated. Whoever wants a forced sale sends it as a
human's order through the admin port.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final

from rebalancer.core.values import ZERO, text_of
from rebalancer.exchange import errors
from rebalancer.exchange.calendar import new_york_day
from rebalancer.exchange.margin import MARGIN_WATCH, AccountNumbers, MarginWatch
from rebalancer.exchange.state import State

CLOSES_TO_MEET: Final = 5
FREEZE_DAYS: Final = 90
RATIO_MAX: Final = 6  # a position's value over equity
_IGNORED: Final = Decimal(1000)  # USD; or a twentieth of equity, whichever is less
CALL, RATIO = "unspecified", "position_to_equity_ratio"  # Alpaca's names of the reasons


def look(state: State, at: int, numbers: AccountNumbers) -> None:
    """Look at the account at a close, inside the transaction that passes it."""
    today, watch = new_york_day(at), state.watch
    if watch.reason and 0 < watch.until < today:
        watch = watch._replace(reason="", until=0)
    shortfall = numbers.maintenance_margin - numbers.equity
    if shortfall <= ZERO:
        watch = watch._replace(call_day=0, amount="0", closes=0)
    elif watch.call_day:
        watch = watch._replace(amount=text_of(shortfall), closes=watch.closes + 1)
        if watch.closes >= CLOSES_TO_MEET and not watch.reason:
            watch = watch._replace(reason=CALL, until=today + FREEZE_DAYS)
    elif shortfall > min(_IGNORED, max(numbers.equity, ZERO) / 20):
        watch = watch._replace(call_day=today, amount=text_of(shortfall), closes=0)
    positions = state.books.positions.items()
    largest = max((abs(one.qty) * state.market.last(symbol, at) for symbol, one in positions), default=ZERO)
    if largest > RATIO_MAX * max(numbers.equity, ZERO):
        watch = watch._replace(reason=RATIO, until=0)
    _set(state, watch)


def release(state: State) -> None:
    """Lift a restriction, as a broker's staff would; a call stays."""
    with state.request():
        _set(state, state.watch._replace(reason="", until=0))


def require_unrestricted(state: State) -> None:
    """Refuse an opening order of a restricted account. Raises ApiError."""
    if state.watch.reason:
        raise errors.forbidden("account is restricted to liquidation only")


def _set(state: State, watch: MarginWatch) -> None:
    if watch != state.watch:
        state.watch = watch
        state.store.set_meta(MARGIN_WATCH, json.dumps(watch._asdict()))
