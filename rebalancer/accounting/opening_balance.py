"""Positions that a run took as they are: in the first run, after a person accepted them, and when orders were adopted.

The event is written before the run sends anything. So what follows it in the same run, or closes that run after its
process has died, counts on from these positions and not from the expectations of an earlier cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO, decimal_of, text_of, time_text, utc_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.reading import OPENING_BALANCE

NOTHING: Final[Mapping[str, Decimal]] = {}


class StartingBooks(NamedTuple):
    """What a cycle starts from: signed shares by symbol, by the broker's order id the filled quantity that they
    include, differences that could not be explained, and the submission time after which orders must be read again."""

    positions: Mapping[str, Decimal] = NOTHING
    fills_seen: Mapping[str, Decimal] = NOTHING
    unexplained: Mapping[str, Decimal] = NOTHING
    orders_after: datetime | None = None
    trusted: bool = False


def note_opening_balance(
    journal: Journal,
    account_id: str,
    cycle_id: str,
    at: datetime,
    positions: Mapping[str, Decimal],
    fills_seen: Mapping[str, Decimal],
    orders_after: datetime | None,
) -> None:
    """Record that this cycle takes these positions as they are. Signed shares by symbol; `fills_seen` and
    `orders_after` as in `StartingBooks`."""
    body = {
        "positions": {symbol: text_of(qty) for symbol, qty in sorted(positions.items()) if qty != ZERO},
        "fills_seen": {name: text_of(qty) for name, qty in sorted(fills_seen.items())},
        "orders_after": None if orders_after is None else time_text(orders_after),
    }
    journal.record_event(account_id, cycle_id, at, OPENING_BALANCE, None, body)


def starting_books(journal: Journal, account_id: str, cycle_id: str) -> StartingBooks:
    """What this cycle started from: the positions that it took as they were, else what the last closed cycle left."""
    taken = journal.events(cycle_id, kind=OPENING_BALANCE, account_id=account_id)
    if taken:
        body = taken[-1].body
        after = body["orders_after"]
        return StartingBooks(
            {symbol: decimal_of(qty) for symbol, qty in body["positions"].items()},
            {name: decimal_of(qty) for name, qty in body["fills_seen"].items()},
            orders_after=None if after is None else utc_of(after),
            trusted=True,
        )
    last = journal.last_end(account_id)
    if last is None:
        return StartingBooks()
    return StartingBooks(
        last.expected_positions, last.fills_seen, last.unexplained, last.orders_after, last.positions_trusted
    )
