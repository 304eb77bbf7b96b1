"""Day trades, as brokers counted and limited them until 2026-06-04: a position opened and closed again on one day.

An account that closed the day before with less than 25 000 USD may make three in five sessions; its `pdt_check` says
whether openings, closings or both are refused from there on.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from decimal import Decimal
from typing import Final

from rebalancer.core.values import utc_of
from rebalancer.exchange.calendar import micros_of, midnight_new_york, new_york_day
from rebalancer.exchange.errors import day_trading_protection
from rebalancer.exchange.state import State

SESSIONS: Final = 5
DAY_TRADES_MAX: Final = 3
EQUITY_FREE: Final = Decimal(25_000)  # USD; from here on nothing is refused
_FILLS_MAX: Final = 1_000_000


def day_trades(state: State, at: int) -> int:
    """Day trades of the last five sessions: of each equity and day, the changes from opening fills to closing ones."""
    return sum(
        first and not second for fills in _intents(state, at).values() for first, second in itertools.pairwise(fills)
    )


def protect(state: State, symbol: str, at: int, *, opens: bool) -> None:
    """Refuse an order that could end in, or would be, one day trade too many. Raises ApiError."""
    last = state.store.day_equity_before(new_york_day(at))
    if (last is not None and last[1] >= EQUITY_FREE) or day_trades(state, at) < DAY_TRADES_MAX:
        return
    check = state.configuration.pdt_check
    closes_todays = not opens and any(_intents(state, at).get((symbol, new_york_day(at)), ()))
    if (opens and check in ("entry", "both")) or (closes_todays and check in ("exit", "both")):
        raise day_trading_protection()


def _intents(state: State, at: int) -> dict[tuple[str, int], list[bool]]:
    """Of each equity and day of the last five sessions, whether each fill opened, oldest first."""
    days = [s.day for s in state.sessions.between(new_york_day(at) - 14, new_york_day(at))][-SESSIONS:]
    rows = state.store.activities(
        kinds={"FILL"},
        order_id=None,
        after=midnight_new_york(days[0]) - 1,
        until=at,
        ascending=True,
        beyond=None,
        limit=_FILLS_MAX,
    )
    intents: defaultdict[tuple[str, int], list[bool]] = defaultdict(list)
    for row in rows:
        order = state.store.order("id", str(row["order_id"]))
        if order is not None and not order.is_crypto:
            day = new_york_day(micros_of(utc_of(str(row["transaction_time"]))))
            intents[(order.symbol, day)].append(order.is_opening)
    return intents
