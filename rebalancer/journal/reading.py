"""Queries on the journal. Every row that is returned is checked against its hash."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Day
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal import bodies, sqlite
from rebalancer.journal.agreement import GUARDED, check_agreement
from rebalancer.journal.chain import ORDER_KINDS, ChainRow, event_of, stamp
from rebalancer.journal.orders import OrderFold, day_of, fold
from rebalancer.journal.records import DRY_RUN, CycleEnd, CycleRecord, Event, OrderRecord
from rebalancer.journal.schema import claims, events

_c = events.c
KILLS: Final = ("kill_set", "kill_cleared")
_NAMED_MAX: Final = 500  # cycles listed by id in one query; for more, everything since the oldest is read


def select_events(
    connection: Connection, *conditions: ColumnElement[bool], newest_first: bool = False, limit: int | None = None
) -> tuple[Event, ...]:
    """The events that meet all conditions, oldest first by default."""
    query = select(events).where(*conditions).order_by(_c.seq.desc() if newest_first else _c.seq)
    return tuple(event_of(ChainRow._make(row)) for row in connection.execute(query.limit(limit)))


def recall(
    connection: Connection,
    account_id: str,
    kind: str,
    since: datetime | None,
    keys: Collection[str] | None,
    last: int | None,
    after: int | None,
) -> tuple[Event, ...]:
    """The events of one kind, oldest first."""
    conditions = [_c.kind == kind, _c.account_id == account_id]
    if kind in GUARDED:
        check_agreement(sqlite.asking(connection), [kind], account_id)
        if since is not None and last is None:  # their times are read from the rows, whose hashes tell
            moment, since = stamp(since), None
            found = recall(connection, account_id, kind, None, keys, None, after)
            return tuple(event for event in found if stamp(event.at) >= moment)
    if after is not None:
        conditions.append(_c.seq > after)
    if since is not None:
        conditions.append(_c.at >= stamp(since))
    if keys is not None:
        conditions.append(_c.key.in_(sorted(keys)))
    found = select_events(connection, *conditions, newest_first=last is not None, limit=last)
    return found if last is None else found[::-1]


def newest(connection: Connection, *conditions: ColumnElement[bool]) -> Event | None:
    """The last event that meets all conditions."""
    found = select_events(connection, *conditions, newest_first=True, limit=1)
    return found[0] if found else None


def newest_of_each(connection: Connection, kind: str, account_id: str) -> tuple[Event, ...]:
    """The last event of every key of one kind, oldest first."""
    last = select(func.max(_c.seq)).where(_c.kind == kind, _c.account_id == account_id).group_by(_c.key)
    return select_events(connection, _c.seq.in_(last))


def of_cycle(account_id: str | None, cycle_id: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions for one cycle; for all accounts if none is given."""
    cycle = _c.cycle_id == cycle_id
    return (cycle,) if account_id is None else (cycle, _c.account_id == account_id)


def start_of(connection: Connection, cycle_id: str, account_id: str | None) -> Event | None:
    """The `cycle_started` event. Raises ValueError when several accounts have such a cycle and none is given."""
    found = select_events(connection, _c.kind == "cycle_started", *of_cycle(account_id, cycle_id))
    if len(found) > 1:
        names = ", ".join(event.account_id for event in found)
        raise ValueError(f"the accounts {names} all have a cycle {cycle_id}: say which one")
    return found[0] if found else None


# orders


def orders_by_key(connection: Connection, keys: Select[tuple[str | None]] | Collection[str]) -> dict[str, OrderFold]:
    """The orders with these ids."""
    return fold(select_events(connection, _c.kind.in_(ORDER_KINDS), _c.key.in_(keys)))


def orders_where(connection: Connection, *conditions: ColumnElement[bool]) -> dict[str, OrderFold]:
    """The orders whose intent meets all conditions."""
    return orders_by_key(connection, select(_c.key).where(_c.kind == "order_intended", *conditions))


def order(connection: Connection, client_order_id: str) -> OrderRecord | None:
    """One order by our id."""
    found = orders_by_key(connection, [client_order_id]).get(client_order_id)
    return found.order if found else None


def orders(connection: Connection, client_order_ids: Collection[str]) -> dict[str, OrderRecord]:
    """The recorded orders among these ids, by our id."""
    names, found = sorted(client_order_ids), dict[str, OrderRecord]()
    for begin in range(0, len(names), _NAMED_MAX):
        some = orders_by_key(connection, names[begin : begin + _NAMED_MAX])
        found |= {name: folded.order for name, folded in some.items()}
    return found


def unresolved_orders(connection: Connection, account_id: str) -> tuple[OrderRecord, ...]:
    """The orders of any cycle that are not final, in the order of their intents."""
    later = events.alias()
    same = and_(later.c.account_id == account_id, later.c.key == _c.key)
    ended = select(later.c.seq).where(same, later.c.kind == "order_ended").exists()
    reopened = select(later.c.seq).where(same, later.c.kind == "order_reopened").exists()
    candidates = or_(~ended, reopened)
    found = orders_where(connection, _c.account_id == account_id, candidates)
    return tuple(order for order, _ in found.values() if not order.state.is_final)


def orders_sent(connection: Connection, account_id: str, since: datetime) -> Day:
    """Count the attempts whose intent was written at or after a moment."""
    return day_of(orders_where(connection, _c.account_id == account_id, _c.at >= stamp(since)).values())


# cycles


def open_cycles(connection: Connection, account_id: str) -> tuple[CycleRecord, ...]:
    """The cycles that were started and never closed, oldest first."""
    other = events.alias()
    ended = (
        select(other.c.seq)
        .where(other.c.kind == "cycle_ended", other.c.account_id == account_id, other.c.cycle_id == _c.cycle_id)
        .exists()
    )
    starts = select_events(connection, _c.kind == "cycle_started", _c.account_id == account_id, ~ended)
    return cycle_records(connection, starts)


def cycles(connection: Connection, account_id: str | None, limit: int) -> tuple[CycleRecord, ...]:
    """The latest cycles, newest first."""
    account = () if account_id is None else (_c.account_id == account_id,)
    starts = select_events(connection, _c.kind == "cycle_started", *account, newest_first=True, limit=limit)
    return cycle_records(connection, starts)


def cycle_records(connection: Connection, starts: Iterable[Event]) -> tuple[CycleRecord, ...]:
    """One record per `cycle_started` event, in their order."""
    starts = tuple(starts)
    if not starts:
        return ()
    wanted = {(event.account_id, event.cycle_id) for event in starts}
    few = len(wanted) <= _NAMED_MAX
    these = _c.cycle_id.in_({cycle for _, cycle in wanted}) if few else _c.seq >= min(e.seq for e in starts)
    found_events = select_events(connection, these, _c.kind.in_(("cycle_planned", "cycle_ended")))
    found = {(e.kind, e.account_id, e.cycle_id): e for e in found_events if (e.account_id, e.cycle_id) in wanted}
    counted = connection.execute(
        select(_c.account_id, _c.cycle_id, func.count())
        .where(these, _c.kind == "order_intended")
        .group_by(_c.account_id, _c.cycle_id)
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


def last_end(connection: Connection, account_id: str, modes: Collection[str] | None) -> CycleEnd | None:
    """The end of the last cycle in one of these modes; None means every mode that can trade."""
    counts = _c.key != DRY_RUN if modes is None else _c.key.in_(sorted(modes))
    check_agreement(sqlite.asking(connection), ["cycle_ended"], account_id)
    event = newest(connection, and_(_c.kind == "cycle_ended", _c.account_id == account_id, counts))
    return bodies.cycle_end_of(event) if event else None


def slots(
    connection: Connection, account_id: str, slot_ids: Collection[str]
) -> dict[str, tuple[str, CycleOutcome | None, str]]:
    """The claimed slots among these: who claimed each, its outcome (None: not yet) and the reason."""
    wanted = sorted(slot_ids)
    held = connection.execute(
        select(claims.c.cycle_id, claims.c.holder).where(
            claims.c.account_id == account_id, claims.c.cycle_id.in_(wanted)
        )
    )
    found: dict[str, tuple[str, CycleOutcome | None, str]] = {name: (holder, None, "") for name, holder in held}
    ended = _c.kind.in_(("cycle_ended", "slot"))
    for event in select_events(connection, _c.account_id == account_id, _c.cycle_id.in_(wanted), ended):
        holder = found[event.cycle_id or ""][0]
        found[event.cycle_id or ""] = (holder, CycleOutcome(event.body["outcome"]), str(event.body["because"]))
    return found


def newest_claim(connection: Connection, account_id: str) -> str | None:
    """The largest claimed id that begins with a timestamp; those of exit and adoption cycles begin with a letter."""
    newest: str | None = connection.execute(
        select(func.max(claims.c.cycle_id)).where(claims.c.account_id == account_id, claims.c.cycle_id < "A")
    ).scalar()
    return newest


def peak_equity(connection: Connection, account_id: str) -> Decimal | None:
    """The highest equity over all closed cycles, USD; each cycle end carries the maximum so far. Later `flow` events,
    money in or out, adjust it; a later `books_accepted` event resets it."""
    mine = _c.account_id == account_id
    event = newest(connection, _c.kind == "cycle_ended", mine)
    if event is None or newest(connection, _c.kind == "books_accepted", mine, _c.seq > event.seq):
        return None
    peak = bodies.peak_of(event)
    flows = select_events(connection, _c.kind == "flow", mine, _c.seq > event.seq)
    return None if peak is None else peak + sum((decimal_of(flow.body["amount"]) for flow in flows), ZERO)


def verdicts(connection: Connection, cycle_id: str, account_id: str | None) -> tuple[Verdict, ...]:
    """The verdicts of one closed cycle."""
    found = select_events(connection, _c.kind == "cycle_verdicts", *of_cycle(account_id, cycle_id))
    return tuple(verdict for event in found for verdict in bodies.verdicts_of(event))


def kill_switch(connection: Connection, account_id: str) -> str | None:
    """Why the account is stopped; None when it is not."""
    check_agreement(sqlite.asking(connection), KILLS, account_id)
    event = newest(connection, _c.kind.in_(KILLS), _c.account_id == account_id)
    return str(event.body["reason"]) if event and event.kind == "kill_set" else None
