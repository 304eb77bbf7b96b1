"""The exits that closed positions outside the cycle: stops, targets, and those that a person's kill asked for."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import EXIT_BEGUN, EXIT_TRADED


class RecordedExit(NamedTuple):
    """One exit that traded. kind: stop, target or flatten. qty: shares closed, unsigned, 0 where unknown. price: USD a
    share, None where the broker has not said it. is_order: it counts as an order of its day, which one that rested at
    the broker does not."""

    at: datetime
    symbol: str
    kind: str
    qty: Decimal
    price: Decimal | None
    is_order: bool


def recorded_exits(journal: JournalReads, account_id: str, since: datetime | None = None) -> tuple[RecordedExit, ...]:
    """The exits of an account, oldest first, from a time on."""
    noted = [event for event in journal.recall(account_id, EXIT_TRADED, since=since) if event.key]
    exits = [
        RecordedExit(
            event.at,
            event.key or "",
            str(event.body.get("kind", "")),
            _number(event.body.get("qty")) or ZERO,
            _number(event.body.get("price")),
            event.cycle_id is not None,
        )
        for event in noted
    ]
    exits += _unnoted(journal, account_id, since, {(event.cycle_id, event.key) for event in noted})
    exits.sort(key=lambda one: one.at)
    return tuple(exits)


def _unnoted(
    journal: JournalReads, account_id: str, since: datetime | None, noted: Set[tuple[str | None, str | None]]
) -> list[RecordedExit]:
    """The exits that have traded without a record of it: their process died, or the broker reported the fill later."""
    begun = journal.recall(account_id, EXIT_BEGUN, since=since)
    return [
        RecordedExit(
            order.intended_at, order.symbol, str(one.body["kind"]), order.filled_qty, order.filled_avg_price, True
        )
        for one in begun
        if (one.cycle_id, one.key) not in noted
        for order in journal.orders_of(one.cycle_id or "", account_id)
        if order.symbol == one.key and order.filled_qty > ZERO
    ]


def _number(value: object) -> Decimal | None:
    return decimal_of(value) if isinstance(value, str) else None
