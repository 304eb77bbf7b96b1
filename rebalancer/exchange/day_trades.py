"""Counting day trades, as brokers did until 2026-06-04: a position opened and closed again on the same day."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from rebalancer.exchange.calendar import micros_of, midnight_new_york, new_york_day
from rebalancer.values import utc_of

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange

SESSIONS: Final = 5
_FILLS_MAX: Final = 1_000_000


def day_trades(exchange: Exchange, at: int) -> int:
    """Day trades of the last five sessions: of each equity and day, the changes from opening fills to closing ones."""
    days = [s.day for s in exchange.sessions.between(new_york_day(at) - 14, new_york_day(at))][-SESSIONS:]
    rows = exchange.store.activities(
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
        order = exchange.store.order("id", str(row["order_id"]))
        if order is not None and not order.is_crypto:
            day = new_york_day(micros_of(utc_of(str(row["transaction_time"]))))
            intents[(order.symbol, day)].append(order.is_opening)
    return sum(first and not second for fills in intents.values() for first, second in itertools.pairwise(fills))
