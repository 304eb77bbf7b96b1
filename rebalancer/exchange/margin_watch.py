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
from typing import TYPE_CHECKING, Final, NamedTuple

from rebalancer.exchange import errors
from rebalancer.exchange.calendar import new_york_day
from rebalancer.values import ZERO, text_of

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange
    from rebalancer.exchange.margin import AccountNumbers

CLOSES_TO_MEET: Final = 5
FREEZE_DAYS: Final = 90
RATIO_MAX: Final = 6  # a position's value over equity
_IGNORED: Final = Decimal(1000)  # USD; or a twentieth of equity, whichever is less
_KEY: Final = "margin_watch"
CALL, RATIO = "unspecified", "position_to_equity_ratio"  # Alpaca's names of the reasons


class MarginWatch(NamedTuple):
    """What the closes have found. Days are ordinals; `amount` is USD; no reason is no restriction."""

    call_day: int = 0
    amount: str = "0"
    closes: int = 0  # since the call, without its being met
    reason: str = ""
    until: int = 0  # the last day of the restriction; 0 is until it is released

    def wire(self) -> dict[str, object]:
        """The account's `admin_configurations`: why only closing orders are taken."""
        return {"restrict_to_liquidation_reasons": {self.reason: True}} if self.reason else {}


def load_watch(exchange: Exchange) -> MarginWatch:
    """What the store holds."""
    stored = exchange.store.meta(_KEY)
    return MarginWatch() if stored is None else MarginWatch(**json.loads(stored))


def look(exchange: Exchange, at: int, numbers: AccountNumbers) -> None:
    """Look at the account at a close, inside the transaction that passes it."""
    today, watch = new_york_day(at), exchange.watch
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
    positions = exchange.books.positions.items()
    largest = max((abs(one.qty) * exchange.market.last(symbol, at) for symbol, one in positions), default=ZERO)
    if largest > RATIO_MAX * max(numbers.equity, ZERO):
        watch = watch._replace(reason=RATIO, until=0)
    _set(exchange, watch)


def release(exchange: Exchange) -> None:
    """Lift a restriction, as a broker's staff would; a call stays."""
    with exchange.request():
        _set(exchange, exchange.watch._replace(reason="", until=0))


def require_unrestricted(exchange: Exchange) -> None:
    """Refuse an opening order of a restricted account. Raises ApiError."""
    if exchange.watch.reason:
        raise errors.forbidden("account is restricted to liquidation only")


def _set(exchange: Exchange, watch: MarginWatch) -> None:
    if watch != exchange.watch:
        exchange.watch = watch
        exchange.store.set_meta(_KEY, json.dumps(watch._asdict()))
