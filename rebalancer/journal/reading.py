"""Queries on the journal: the only SQL that reads events. Every row that is returned is checked against its hash.

Each function is given `ask`, which runs its statements in one transaction. Imports no SQLAlchemy, because `status` uses
it too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Day
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal import bodies
from rebalancer.journal.agreement import GUARDED, check_agreement
from rebalancer.journal.chain import ORDER_KINDS, ChainRow, checked, event_of, stamp
from rebalancer.journal.conditions import Ask, Where, where
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.orders import OrderFold, day_of, fold
from rebalancer.journal.records import DRY_RUN, CycleEnd, CycleRecord, Event, OrderRecord

KILLS: Final = ("kill_set", "kill_cleared")
OPENING_BALANCE: Final = "opening_balance"  # an event kind: a cycle took positions as they were
_NAMED_MAX: Final = 500  # cycles listed by id in one query; for more, everything since the oldest is read
_ROWS: Final = f"SELECT {', '.join(ChainRow._fields)} FROM events"  # noqa: S608  constants only


def select_events(
    ask: Ask, condition: Where, *, newest_first: bool = False, limit: int | None = None
) -> tuple[Event, ...]:
    """The events that meet a condition, oldest first by default."""
    order = "DESC" if newest_first else "ASC"
    most = "" if limit is None else f" LIMIT {limit:d}"
    found = ask(f"{_ROWS} WHERE {condition.text} ORDER BY seq {order}{most}", condition.values)
    return tuple(event_of(ChainRow._make(row)) for row in found)


def check_tail(ask: Ask, head: HeadCheckpoint, checkpoint: tuple[int, str] | None) -> ChainRow | None:
    """The newest row, None in an empty journal. Raises JournalBroken when it does not fit the head checkpoint, which
    must have been read before the rows, since they can only grow in between."""
    last = newest_row(ask)

    def hash_at(seq: int) -> object:
        row = ask("SELECT hash FROM events WHERE seq = :seq", {"seq": seq})
        return row[0][0] if row else None

    head.check(checkpoint, last.seq if last else 0, hash_at)
    return last


def newest_row(ask: Ask) -> ChainRow | None:
    """The newest row, None in an empty journal. Raises JournalBroken when it was altered."""
    found = ask(f"{_ROWS} ORDER BY seq DESC LIMIT 1", {})
    return checked(ChainRow._make(found[0])) if found else None


def recall(
    ask: Ask,
    account_id: str,
    kind: str,
    since: datetime | None = None,
    keys: Collection[str] | None = None,
    last: int | None = None,
    after: int | None = None,
) -> tuple[Event, ...]:
    """The events of one kind, oldest first."""
    if kind in GUARDED:
        check_agreement(ask, [kind], account_id)
        if since is not None and last is None:  # their times are read from the rows, whose hashes tell
            found = recall(ask, account_id, kind, None, keys, None, after)
            return tuple(event for event in found if stamp(event.at) >= stamp(since))
    texts = ["seq > :after"] * (after is not None) + ["at >= :since"] * (since is not None)
    moment = None if since is None else stamp(since)
    mine = where(*texts, kind=kind, account_id=account_id, after=after, since=moment, key=keys)
    found = select_events(ask, mine, newest_first=last is not None, limit=last)
    return found if last is None else found[::-1]


def newest(ask: Ask, condition: Where) -> Event | None:
    """The last event that meets a condition."""
    found = select_events(ask, condition, newest_first=True, limit=1)
    return found[0] if found else None


def newest_of_each(ask: Ask, kind: str, account_id: str) -> tuple[Event, ...]:
    """The last event of every key of one kind, oldest first."""
    mine = where(kind=kind, account_id=account_id)
    last = f"seq IN (SELECT max(seq) FROM events WHERE {mine.text} GROUP BY key)"  # noqa: S608  constants only
    return select_events(ask, Where(last, mine.values))


def start_of(ask: Ask, cycle_id: str, account_id: str | None) -> Event | None:
    """The `cycle_started` event. Raises ValueError when several accounts have such a cycle and none is given."""
    found = select_events(ask, where(kind="cycle_started", cycle_id=cycle_id, account_id=account_id))
    if len(found) > 1:
        names = ", ".join(event.account_id for event in found)
        raise ValueError(f"the accounts {names} all have a cycle {cycle_id}: say which one")
    return found[0] if found else None


# orders


def orders_where(ask: Ask, condition: Where) -> dict[str, OrderFold]:
    """The orders whose intent meets a condition, in the order of their intents. Within it the intent is `e`."""
    intents = f"SELECT key FROM events AS e WHERE kind = 'order_intended' AND {condition.text}"  # noqa: S608  constants
    kinds = ", ".join(f"'{kind}'" for kind in ORDER_KINDS)
    return fold(select_events(ask, Where(f"kind IN ({kinds}) AND key IN ({intents})", condition.values)))


def order(ask: Ask, client_order_id: str) -> OrderRecord | None:
    """One order by our id."""
    return orders(ask, [client_order_id]).get(client_order_id)


def orders(ask: Ask, client_order_ids: Collection[str]) -> dict[str, OrderRecord]:
    """The recorded orders among these ids, by our id."""
    names, found = sorted(client_order_ids), dict[str, OrderRecord]()
    for begin in range(0, len(names), _NAMED_MAX):
        some = fold(select_events(ask, where(kind=ORDER_KINDS, key=names[begin : begin + _NAMED_MAX])))
        found |= {name: folded.order for name, folded in some.items()}
    return found


def unresolved_orders(ask: Ask, account_id: str) -> tuple[OrderRecord, ...]:
    """The orders of any cycle that are not final, in the order of their intents."""
    later = "EXISTS (SELECT 1 FROM events WHERE kind = '{}' AND account_id = :account_id AND key = e.key)"
    may_change = f"(NOT {later.format('order_ended')} OR {later.format('order_reopened')})"
    found = orders_where(ask, Where(f"account_id = :account_id AND {may_change}", {"account_id": account_id}))
    return tuple(order for order, _ in found.values() if not order.state.is_final)


def orders_sent(ask: Ask, account_id: str, since: datetime) -> Day:
    """Count the attempts whose intent was written at or after a moment."""
    return day_of(orders_where(ask, where("at >= :since", account_id=account_id, since=stamp(since))).values())


# cycles


def open_cycles(ask: Ask, account_id: str) -> tuple[CycleRecord, ...]:
    """The cycles that were started and never closed, oldest first."""
    ended = (
        "SELECT 1 FROM events AS other WHERE other.kind = 'cycle_ended' AND other.account_id = :account_id "
        "AND other.cycle_id = events.cycle_id"
    )
    mine = f"kind = 'cycle_started' AND account_id = :account_id AND NOT EXISTS ({ended})"
    return cycle_records(ask, select_events(ask, Where(mine, {"account_id": account_id})))


def cycles(ask: Ask, account_id: str | None, limit: int) -> tuple[CycleRecord, ...]:
    """The latest cycles, newest first."""
    mine = where(kind="cycle_started", account_id=account_id)
    return cycle_records(ask, select_events(ask, mine, newest_first=True, limit=limit))


def cycle_records(ask: Ask, starts: Iterable[Event]) -> tuple[CycleRecord, ...]:
    """One record per `cycle_started` event, in their order."""
    starts = tuple(starts)
    if not starts:
        return ()
    wanted = {(event.account_id, event.cycle_id) for event in starts}
    first = min(event.seq for event in starts)
    few = len(wanted) <= _NAMED_MAX
    these = where(cycle_id=[cycle or "" for _, cycle in wanted]) if few else where("seq >= :first", first=first)
    later = Where(f"{these.text} AND kind IN ('cycle_planned', 'cycle_ended')", these.values)
    found = {
        (event.kind, event.account_id, event.cycle_id): event
        for event in select_events(ask, later)
        if (event.account_id, event.cycle_id) in wanted
    }
    counted = ask(
        f"SELECT account_id, cycle_id, count(*) FROM events WHERE {these.text} AND kind = 'order_intended' "  # noqa: S608
        "GROUP BY account_id, cycle_id",
        these.values,
    )
    orders = {(account, cycle): count for account, cycle, count in counted}
    return tuple(
        bodies.cycle_record_of(
            start,
            found.get(("cycle_planned", start.account_id, start.cycle_id)),
            found.get(("cycle_ended", start.account_id, start.cycle_id)),
            orders.get((start.account_id, start.cycle_id), 0),
        )
        for start in starts
    )


def last_end(ask: Ask, account_id: str, modes: Collection[str] | None) -> CycleEnd | None:
    """The end of the last cycle in one of these modes; None means every mode that can trade."""
    counts = ["key != :dry_run"] if modes is None else []
    dry_run = DRY_RUN if modes is None else None
    check_agreement(ask, ["cycle_ended"], account_id)
    event = newest(ask, where(*counts, kind="cycle_ended", account_id=account_id, key=modes, dry_run=dry_run))
    return bodies.cycle_end_of(event) if event else None


def last_reading(ask: Ask, account_id: str, passed: Collection[CycleOutcome]) -> CycleEnd | None:
    """The end of the last cycle that planned from a reading of the broker, dry runs aside, with an outcome that is not
    among those to pass over."""
    check_agreement(ask, ["cycle_ended"], account_id)
    planned = (
        "EXISTS (SELECT 1 FROM events AS plan WHERE plan.kind = 'cycle_planned' "
        "AND plan.account_id = events.account_id AND plan.cycle_id = events.cycle_id)"
    )
    before: int | None = None
    while True:
        texts = ["key != :dry_run", planned] + ["seq < :before"] * (before is not None)
        mine = where(*texts, kind="cycle_ended", account_id=account_id, dry_run=DRY_RUN, before=before)
        event = newest(ask, mine)
        if event is None or CycleOutcome(event.body["outcome"]) not in passed:
            return bodies.cycle_end_of(event) if event else None
        before = event.seq


def books_set_at(ask: Ask, account_id: str) -> int:
    """The row number at which the last cycle began whose expected positions come from the broker: it planned from a
    reading and ended by itself, or it took the positions as they were; dry runs aside. 0 when there is none."""
    last = last_reading(ask, account_id, (CycleOutcome.ABANDONED,))
    is_live = (
        "EXISTS (SELECT 1 FROM events AS start WHERE start.kind = 'cycle_started' AND start.key != :dry_run "
        "AND start.account_id = events.account_id AND start.cycle_id = events.cycle_id)"
    )
    taken = newest(ask, where(is_live, kind=OPENING_BALANCE, account_id=account_id, dry_run=DRY_RUN))
    names = [found.cycle_id for found in (last, taken) if found is not None and found.cycle_id]
    live = where("key != :dry_run", kind="cycle_started", account_id=account_id, dry_run=DRY_RUN, cycle_id=names)
    starts = select_events(ask, live)
    return max((event.seq for event in starts), default=0)


def slots(ask: Ask, account_id: str, slot_ids: Collection[str]) -> dict[str, tuple[str, CycleOutcome | None, str]]:
    """The claimed slots among these: who claimed each, its outcome (None: not yet) and the reason."""
    wanted = where(account_id=account_id, cycle_id=slot_ids)
    held = ask(f"SELECT cycle_id, holder FROM claims WHERE {wanted.text}", wanted.values)  # noqa: S608  constants only
    found: dict[str, tuple[str, CycleOutcome | None, str]] = {name: (holder, None, "") for name, holder in held}
    for event in select_events(ask, Where(f"{wanted.text} AND kind IN ('cycle_ended', 'slot')", wanted.values)):
        holder = found[event.cycle_id or ""][0]
        found[event.cycle_id or ""] = (holder, CycleOutcome(event.body["outcome"]), str(event.body["because"]))
    return found


def newest_claim(ask: Ask, account_id: str) -> str | None:
    """The largest claimed id that begins with a timestamp; those of exit and adoption cycles begin with a letter."""
    query = "SELECT max(cycle_id) FROM claims WHERE account_id = :account_id AND cycle_id < 'A'"
    newest: str | None = ask(query, {"account_id": account_id})[0][0]
    return newest


def peak_equity(ask: Ask, account_id: str) -> Decimal | None:
    """The highest equity that any closed cycle began or ended with, USD; each cycle end carries the maximum so far.
    Later `flow` events, money in or out, adjust it; a later `books_accepted` event resets it."""
    event = newest(ask, where(kind="cycle_ended", account_id=account_id))
    if event is None or recall(ask, account_id, "books_accepted", last=1, after=event.seq):
        return None
    peak = bodies.peak_of(event)
    flows = recall(ask, account_id, "flow", after=event.seq)
    return None if peak is None else peak + sum((decimal_of(flow.body["amount"]) for flow in flows), ZERO)


def verdicts(ask: Ask, cycle_id: str, account_id: str | None) -> tuple[Verdict, ...]:
    """The verdicts of one closed cycle."""
    found = select_events(ask, where(kind="cycle_verdicts", cycle_id=cycle_id, account_id=account_id))
    return tuple(verdict for event in found for verdict in bodies.verdicts_of(event))


def kill_switch(ask: Ask, account_id: str) -> str | None:
    """Why the account is stopped; None when it is not."""
    check_agreement(ask, KILLS, account_id)
    event = newest(ask, where(kind=KILLS, account_id=account_id))
    return str(event.body["reason"]) if event and event.kind == "kill_set" else None
