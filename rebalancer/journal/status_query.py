"""Read what `status` shows from the journal, in milliseconds: a read-only handle, no SQLAlchemy, no write lock.

The rows are read by the queries of `reading`, all in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Day
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import utc_of
from rebalancer.journal import bodies, reading
from rebalancer.journal.agreement import CHEAP_BYTES_OF_STATUS, GUARDED, check_agreement, check_pages
from rebalancer.journal.chain import event_of
from rebalancer.journal.conditions import Ask, where
from rebalancer.journal.day_events import DayEvents, query_day
from rebalancer.journal.documents import load_text
from rebalancer.journal.head_checkpoint import checkpoint_of
from rebalancer.journal.mirror.mark import read_mark
from rebalancer.journal.parity_row import PARITY
from rebalancer.journal.place import Place
from rebalancer.journal.read_only import has_tables, may_exist, read_only
from rebalancer.journal.reads import OneState
from rebalancer.journal.records import DRY_RUN, MONEY_AFTER_EXIT, CycleEnd, CycleRecord, Event
from rebalancer.journal.regime_row import REGIME

SCHEMA: Final = "0001"  # a test keeps it equal to `upgrade.NEWEST`, whose import would load SQLAlchemy
_ALERTS: Final = 5


class JournalStatus(NamedTuple):
    """The state of one account in the journal. If `schema_ok` is False, nothing else was read.

    `unresolved` counts orders that may still change, `unknown` those of them whose state at the broker is unknown,
    `filled` the orders of the last cycle that filled; `account` is the last recorded account value, with the machine's
    time; `earlier_cycle` is the one before the last, while the last has not ended; `now` is the time by the account's
    clock: that of the embedded exchange pauses between runs. `alerts` are the last five, newest first, `sent` and
    `failed` the channels of each by its number. `kill_switch` is the reason for the stop, None when the account may
    trade; `latched` are the limits broken today, and throttles of any day, that nobody has lifted since. `plan` and
    `rules` are the texts of the last planned cycle, None if there is none; `protection` is the newest record of every
    symbol. `day` has the newest value of the account and what its day began with. `regime` is the market's newest one,
    `parity` the measurement of the newest evening. `mirror_of` is the host whose journal this is a copy of, on which
    nobody trades; "" for a journal of its own.
    """

    schema_ok: bool
    account_ids: tuple[str, ...] = ()
    account_id: str | None = None
    now: datetime | None = None
    last_cycle: CycleRecord | None = None
    earlier_cycle: CycleRecord | None = None
    earlier_filled: int = 0
    last_end: CycleEnd | None = None
    unresolved: int = 0
    unknown: int = 0
    filled: int = 0
    account: Event | None = None
    orders_today: Day = Day()
    peak_equity: Decimal | None = None
    kill_switch: str | None = None
    alerts: tuple[Event, ...] = ()
    sent: Mapping[int, tuple[str, ...]] = {}
    failed: Mapping[int, tuple[str, ...]] = {}
    latched: tuple[Event, ...] = ()
    plan: str | None = None
    rules: str | None = None
    protection: tuple[Event, ...] = ()
    day: DayEvents = DayEvents()
    regime: Event | None = None
    parity: Event | None = None
    mirror_of: str = ""


class StatusReads(NamedTuple):
    """The state of one account, the newest row's number, hash and time, and further reads of the same moment: nothing
    that is written meanwhile is seen."""

    status: JournalStatus
    seq: int
    hash: str
    written_at: datetime | None
    reads: OneState


def query_status(place: Place, *, now: datetime, account_id: str | None = None) -> JournalStatus | None:
    """Query the journal; None when there is none yet. Raises JournalBroken when it cannot be read.

    now: the time by this machine's clock. account_id: None means the account of the latest cycle.
    """
    with status_reads(place, now=now, account_id=account_id) as found:
        return None if found is None else found.status


@contextmanager
def status_reads(place: Place, *, now: datetime, account_id: str | None = None) -> Iterator[StatusReads | None]:
    """The same as `query_status`, with the transaction left open for further reads."""
    if not may_exist(place):
        yield None
        return
    head = checkpoint_of(place)
    checkpoint = head.read()
    with read_only(place) as ask:
        if not has_tables(ask):
            yield None  # it is being created
            return
        version = ask("SELECT version_num FROM alembic_version", {})
        if not version or version[0][0] != SCHEMA:
            yield StatusReads(JournalStatus(schema_ok=False), 0, "", None, OneState(ask))
            return
        tail = reading.check_tail(ask, head, checkpoint)
        if ask.dialect == "sqlite":
            check_pages(ask, str(place), CHEAP_BYTES_OF_STATUS)
        accounts = tuple(row[0] for row in ask("SELECT DISTINCT account_id FROM claims ORDER BY 1", {}))
        if account_id is None:
            latest = reading.newest(ask, where(kind="cycle_started"))
            account_id = None if latest is None else latest.account_id
        status = JournalStatus(schema_ok=True, account_ids=accounts)
        if account_id is not None:
            status = _of_account(ask, accounts, account_id, now)
        mark = read_mark(ask)
        status = status if mark is None else status._replace(mirror_of=mark.host)
        if tail is None:
            yield StatusReads(status, 0, "", None, OneState(ask))
        else:
            yield StatusReads(status, tail.seq, tail.hash, event_of(tail).at, OneState(ask))


def _of_account(ask: Ask, accounts: tuple[str, ...], account_id: str, now: datetime) -> JournalStatus:
    check_agreement(ask, sorted(GUARDED), account_id)
    last, earlier, *_ = (*reading.cycles(ask, account_id, 2), None, None)
    if last is not None and last.outcome is not None:
        earlier = None
    money = reading.newest(ask, where(kind=("account", MONEY_AFTER_EXIT), account_id=account_id))
    if money is not None and "run_at" in money.body:  # the same moment by both clocks
        now = money.at + (now - utc_of(str(money.body["run_at"])))
    day_start = midnight_in_new_york(now)  # as planning and the pre-trade check count their days
    unresolved = reading.unresolved_orders(ask, account_id)
    peak = reading.newest(ask, where(kind="cycle_ended", account_id=account_id))
    planned = reading.newest(ask, where(kind="cycle_planned", account_id=account_id))
    alerts = reading.recall(ask, account_id, "alert", last=_ALERTS)[::-1]
    numbers = {alert.seq for alert in alerts}
    return JournalStatus(
        schema_ok=True,
        account_ids=accounts,
        account_id=account_id,
        now=now,
        last_cycle=last,
        last_end=reading.last_end(ask, account_id, None),
        unresolved=len(unresolved),
        parity=next(iter(reading.recall(ask, account_id, PARITY, last=1)), None),
        unknown=sum(order.state is OrderState.UNKNOWN for order in unresolved),
        filled=_filled(ask, account_id, last),
        earlier_cycle=earlier,
        earlier_filled=_filled(ask, account_id, earlier),
        account=money,
        orders_today=reading.orders_sent(ask, account_id, day_start),
        peak_equity=None if peak is None else bodies.peak_of(peak),  # of the same moment as the equity of the last end
        kill_switch=reading.kill_switch(ask, account_id),
        alerts=alerts,
        sent=_deliveries(ask, account_id, "alert_sent", numbers),
        failed=_deliveries(ask, account_id, "alert_failed", numbers),
        latched=_latched(ask, account_id, day_start),
        plan=None if planned is None else load_text(ask, planned.body["plan_sha256"]),
        rules=None if planned is None else load_text(ask, planned.body["rules_sha256"]),
        protection=reading.newest_of_each(ask, "protection", account_id),
        day=query_day(ask, account_id),
        regime=reading.newest(ask, where(kind=REGIME, account_id=account_id)),
    )


def _filled(ask: Ask, account_id: str, cycle: CycleRecord | None) -> int:
    if cycle is None:
        return 0
    orders = reading.orders_where(ask, where(cycle_id=cycle.cycle_id, account_id=account_id))
    return sum(folded.order.state is OrderState.FILLED for folded in orders.values())


def _latched(ask: Ask, account_id: str, day_start: datetime) -> tuple[Event, ...]:
    lifted = {event.key: event.seq for event in reading.recall(ask, account_id, "rearmed")}
    # A throttle is latched until a person lifts it, not for the day.
    still = [e for e in reading.recall(ask, account_id, "latched") if e.key == "throttle" or e.at >= day_start]
    return tuple(event for event in still if event.seq > lifted.get(event.key, 0))


def _deliveries(ask: Ask, account_id: str, kind: str, alerts: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The channels of these events by the number of the alert."""
    found: dict[int, tuple[str, ...]] = {}
    for event in reading.recall(ask, account_id, kind, after=min(alerts)) if alerts else ():
        for number in [event.body["alert"]] if kind == "alert_sent" else event.body["alerts"]:
            if number in alerts:
                found[number] = tuple(dict.fromkeys((*found.get(number, ()), str(event.body["channel"]))))
    return found


class RecentCycle(NamedTuple):
    """One cycle with its final verdicts; none while it is open."""

    cycle: CycleRecord
    verdicts: tuple[Verdict, ...]


def query_recent_cycles(place: Place, account_id: str, since: datetime, most: int) -> tuple[RecentCycle, ...]:
    """The cycles of an account that traded or could have, from a moment on, newest first, at most `most`; dry runs are
    left out. Raises JournalBroken when the journal cannot be read."""
    with read_only(place) as ask:
        found = [c for c in reading.cycles(ask, account_id, most) if c.started_at >= since and c.mode != DRY_RUN]
        return tuple(RecentCycle(cycle, reading.verdicts(ask, cycle.cycle_id, account_id)) for cycle in found)
