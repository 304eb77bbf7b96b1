"""Exit pairs of ours that the broker has and the journal lacks, after an older copy was restored or a new journal
begun."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from rebalancer.accounting.acceptance import ACCEPTED, NOBODY
from rebalancer.brokers.protocol import BrokerOrder, ReadBroker
from rebalancer.core.values import ZERO
from rebalancer.execution.exit_orders.unprotected_time import Row
from rebalancer.journal.backups import RESTORED
from rebalancer.journal.exit_order_records import (
    EARLIER_MAX,
    KIND,
    PAIR_PREFIX,
    EndedPair,
    ExitPairRecord,
    body_of,
    pair_id,
)
from rebalancer.journal.journal import Journal

SOUGHT: Final = "pairs_sought"  # the event's kind: from here on the journal knows its pairs
FOUND: Final = "found at the broker; this journal lacked it"


def note_lost(
    journal: Journal, broker: ReadBroker, account_id: str, kept: Callable[[], Mapping[str, ExitPairRecord]]
) -> None:
    """Record the pairs that the journal lacks, once after the journal was replaced; otherwise no request is made."""
    if not _was_exchanged(journal, account_id):
        return
    last = journal.last_end(account_id)
    found = lost_pairs(broker, account_id, kept(), last.orders_after if last is not None else None)
    rows: list[Row] = [(KIND, one.symbol, body_of(one)) for one in found]
    rows.append((SOUGHT, account_id, {"found": [one.client_order_id for one in found]}))
    journal.record_events(account_id, None, broker.now(), rows)


def _was_exchanged(journal: Journal, account_id: str) -> bool:
    """Whether the journal was replaced by another one since its pairs were last looked for."""
    sought = journal.recall(account_id, SOUGHT, last=1)
    after = sought[-1].seq if sought else 0
    exchanged = [
        event
        for kind, whose in ((RESTORED, account_id), (RESTORED, NOBODY), (ACCEPTED, account_id), (ACCEPTED, NOBODY))
        for event in journal.recall(whose, kind, last=1)
    ]
    return any(event.seq > after for event in exchanged)


def lost_pairs(
    broker: ReadBroker, account_id: str, kept: Mapping[str, ExitPairRecord], since: datetime | None
) -> tuple[ExitPairRecord, ...]:
    """The newest record of every symbol with pairs that the journal lacks. since: the time up to which the journal knew
    what the broker had. Raises what the broker's reads raise.

    A pair is ours when its id is the one that we compute for its symbol and number. The newest counts as open until its
    orders show otherwise; its stop is unknown, so it is replaced by a pair with a known one.
    """
    found: dict[str, dict[int, BrokerOrder]] = {}
    ended = () if since is None else broker.orders(since)
    for order in (*ended, *broker.orders(None)):
        number = _number(account_id, order)
        if number is not None:  # a list does not show which stop belongs to it
            found.setdefault(order.symbol, {})[number] = broker.find_order(order.client_order_id) or order
    held, asset_class = {position.symbol for position in broker.positions()}, broker.venue.asset_class
    # Older versions numbered their pairs 1, 2, 3. Pairs that the lists no longer show are looked up one by one.
    for symbol in sorted(name for name in {*found, *kept, *held} if asset_class(name) == "us_equity"):
        known = kept[symbol].number if symbol in kept else 0
        number = max([known, *found.get(symbol, ())]) + 1
        while (next_one := broker.find_order(pair_id(account_id, symbol, number))) is not None:
            found.setdefault(symbol, {})[number] = next_one
            number += 1
    now = broker.now()
    records = (_record(symbol, orders, kept.get(symbol), now) for symbol, orders in sorted(found.items()))
    return tuple(record for record in records if record is not None)


def _number(account_id: str, order: BrokerOrder) -> int | None:
    """The number of the pair within its symbol that an order belongs to; None when it is not ours."""
    name = order.client_order_id
    digits = name.split("-")[2] if name.startswith(PAIR_PREFIX) and name.count("-") == 3 else ""
    if not (digits.isascii() and digits.isdigit()):
        return None
    number = int(digits)
    return number if pair_id(account_id, order.symbol, number) == name else None


def _record(
    symbol: str, orders: Mapping[int, BrokerOrder], before: ExitPairRecord | None, now: datetime
) -> ExitPairRecord | None:
    newest = max(orders)
    if before is not None and newest <= before.number:
        return None
    order = orders[newest]
    qty = abs(order.qty or ZERO) if order.side == "sell" else -abs(order.qty or ZERO)
    earlier = before.earlier if before is not None else ()
    if before is not None and before.ids:
        earlier = (*earlier, EndedPair(before.ids, now))
    others = [EndedPair((o.id, *o.legs), now) for number, o in sorted(orders.items()) if number != newest]
    return ExitPairRecord(
        symbol, order.client_order_id, "open", qty, ZERO, order.limit_price or ZERO, (order.id, *order.legs), newest, 0,
        now, order.submitted_at, FOUND, (*earlier, *others)[-EARLIER_MAX:],
    )  # fmt: skip
