"""Read one account's state folder into a live view. All of the journal is read in one transaction, so that every figure
belongs to the row that the view names as its head."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.accounting.newest_day import day_began
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.units import in_units
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.execution.kill_switch import halt_reason
from rebalancer.journal.day_events import VALUES
from rebalancer.journal.place import Place
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import CycleRecord, OrderRecord
from rebalancer.journal.status_query import JournalStatus, StatusReads, status_reads
from rebalancer.ops.paths import LOCK_NAME
from rebalancer.ops.run_lock import holder_of
from rebalancer.ops.session_status import session_status
from rebalancer.report.allocation import by_symbol, largest_drift
from rebalancer.report.archive import PlannedCycle, planned_cycle, record_of_cycle
from rebalancer.report.figures.figure import Figure, Form
from rebalancer.report.live.records import (
    LiveAccount,
    LiveAlarm,
    LiveEquity,
    LiveFigure,
    LiveHead,
    LiveOrder,
    LiveRegime,
)
from rebalancer.report.live.rows import (
    alarm_rows,
    counted_limit,
    held_now,
    limit_rows,
    order_rows,
    position_rows,
    signal_rows,
)
from rebalancer.report.live.state import needs_of, sentence_of, state_of
from rebalancer.report.numbers import masked
from rebalancer.report.records import LimitStatus, Mode, RunRecord, StatusView
from rebalancer.report.redact import redact
from rebalancer.report.status_view import installed_timer, nothing_yet, view_of, with_schedule

ALARMS_MAX: Final = 20
ORDERS_MAX: Final = 200  # of today
_CYCLES: Final = 1000  # looked at for the newest planned one
_OF_STATUS: Final[tuple[tuple[str, str, Form], ...]] = (
    ("equity", "Equity", "usd"),
    ("return", "Today", "percent_signed"),
    ("below_mark", "Below high-water mark", "percent"),
    ("mark", "High-water mark", "usd"),
    ("cash", "Cash", "usd"),
    ("cash_share", "Cash, of equity", "share"),
    ("orders", "Orders, last cycle", "count"),
    ("orders_filled", "Filled, last cycle", "count"),
)  # name in `figures_of_status`, label, form when it is not known


class LivePlace(NamedTuple):
    """Where an account is: its state folder, and what people call it."""

    state: Path
    mode: Mode
    journal: Place
    name: str = ""


class LiveReader:
    """Reads one account again and again. What a cycle was planned from is decoded once."""

    def __init__(self, place: LivePlace) -> None:
        self._place = place
        self._planned: tuple[tuple[str | None, ...], PlannedCycle] | None = None
        self._reasons: dict[str, Mapping[str, str]] = {}  # of the orders of each cycle, by their ids

    def read(self, now: datetime) -> LiveAccount:
        """The account as it is. now: the time by this machine's clock. Raises JournalBroken."""
        place = self._place
        process = holder_of(place.journal.parent / LOCK_NAME)  # before the rows: a cycle may end in between
        with status_reads(place.journal, now=now) as found:
            if found is None or not found.status.schema_ok or found.status.account_id is None:
                return self._nothing(now, found)
            return self._account(found, now, process)

    def _account(self, found: StatusReads, now: datetime, process: int | None) -> LiveAccount:
        place, look, reads = self._place, found.status, found.reads
        account_id = look.account_id or ""
        view = view_of(look, place.mode, place.journal, now, process)
        cycle = _planned(reads, account_id)
        planned = None if cycle is None else self._decoded(reads, cycle)
        rules = None if look.rules is None else json.loads(look.rules)
        view = with_schedule(view, {place.mode: place.state}, rules, now)
        record = None
        held: Mapping[str, Decimal] = {} if look.last_end is None else look.last_end.expected_positions
        held_at = None if look.last_end is None else look.last_end.at
        if cycle is not None and planned is not None:
            own = reads.orders_of(cycle.cycle_id, account_id)
            if cycle.outcome is None and view.running is not None:
                held, held_at = _moving(planned, own), max([cycle.started_at, *(order.at for order in own)])
            record = held_now(redact(record_of_cycle(reads, cycle, planned)), held)
        morning = midnight_in_new_york(_clock(view, look))
        today = _orders_today(reads, account_id, morning)
        orders = order_rows(today, self._because(reads, account_id, today), account_id)
        alarms = _alarms(reads, account_id)
        state = state_of(view, attended=_attended(place.state))
        needs = needs_of(view, halt_reason(place.state) or look.kill_switch, record, alarms)
        value_at = None if look.day.value is None else look.day.value.at
        began = None if look.day.value is None else day_began(look.day)
        scope = "now" if cycle is None else cycle.cycle_id
        limits = () if record is None else limit_rows(record.plan.limits, scope, record.snapshot.as_of)
        sent = reads.orders_sent(account_id, morning).orders_sent
        counted = () if planned is None else (counted_limit(_orders_limit(sent, planned), "now", view.now),)
        return LiveAccount(
            name=place.name,
            mode=place.mode,
            account_id=masked(account_id),
            state=state,
            sentence=sentence_of(state, view, orders, needs),
            needs=needs,
            head=LiveHead(found.seq, found.hash, found.written_at),
            now=max([view.now, *(at for at in (value_at, held_at) if at is not None)]),
            read_at=now,
            figures=_figures(view, look, record, held, held_at),
            equity_today=_equity_today(reads, look, orders),
            day_began=None if began is None else began[1],
            session=None if record is None else (record.snapshot.session.open, record.snapshot.session.close),
            next_at=view.next_at,
            next_here=view.next_here,
            next_hint=view.next_hint,
            cycle_id="" if cycle is None else cycle.cycle_id,
            planned_at=None if record is None else record.snapshot.as_of,
            positions=() if record is None else position_rows(record),
            positions_at=held_at,
            orders=orders,
            signals=() if record is None else signal_rows(record),
            limits=(*counted, *limits),
            sources=view.sources,
            regimes=_regimes(view, look),
            alarms=alarms,
            report=_below_reports(view.report),
        )

    def _decoded(self, reads: JournalReads, cycle: CycleRecord) -> PlannedCycle:
        key = (cycle.cycle_id, cycle.snapshot_sha256, cycle.plan_sha256, cycle.rules_sha256)
        if self._planned is None or self._planned[0] != key:
            self._planned = key, planned_cycle(reads, cycle)
        return self._planned[1]

    def _because(self, reads: JournalReads, account_id: str, orders: Sequence[OrderRecord]) -> Mapping[str, str]:
        """The reasons that the plans gave, by the ids of the orders."""
        cycles = {order.cycle_id for order in orders}
        kept = {name: found for name, found in self._reasons.items() if name in cycles}
        for name in cycles - kept.keys():
            text = reads.plan_text(name, account_id)
            rows = [] if text is None else json.loads(text)["orders"]
            kept[name] = {row["client_order_id"]: in_units(row["because"], row["symbol"]) for row in rows}
        self._reasons = kept
        return {name: text for found in kept.values() for name, text in found.items()}

    def _nothing(self, now: datetime, found: StatusReads | None) -> LiveAccount:
        place = self._place
        view = nothing_yet(now)._replace(mode=place.mode, stopped=halt_reason(place.state) or "")
        view = with_schedule(view, {place.mode: place.state}, None, now)
        state = state_of(view, attended=_attended(place.state))
        needs = needs_of(view, halt_reason(place.state), None, ())
        head = LiveHead(0, "", None) if found is None else LiveHead(found.seq, found.hash, found.written_at)
        return LiveAccount(
            name=place.name, mode=place.mode, account_id="", state=state,
            sentence=sentence_of(state, view, (), needs), needs=needs, head=head, now=now, read_at=now,
            figures=_figures(view, None, None, {}, None), equity_today=(), day_began=None, session=None,
            next_at=view.next_at, next_here=view.next_here, next_hint=view.next_hint, cycle_id="", planned_at=None,
            positions=(), positions_at=None, orders=(), signals=(), limits=(), sources=(), regimes=(), alarms=(),
            report="",
        )  # fmt: skip


def _planned(reads: JournalReads, account_id: str) -> CycleRecord | None:
    """The newest planned cycle, dry runs aside when there is another."""
    found = [cycle for cycle in reads.cycles(account_id, 50) if cycle.plan_sha256 is not None]
    if not found:
        found = [cycle for cycle in reads.cycles(account_id, _CYCLES) if cycle.plan_sha256 is not None]
    return next((cycle for cycle in found if cycle.mode != "dry_run"), found[0] if found else None)


def _moving(planned: PlannedCycle, orders: tuple[OrderRecord, ...]) -> Mapping[str, Decimal]:
    """The signed shares while a cycle trades: what the broker said at its start, and the fills since."""
    held = {position.symbol: position.qty for position in planned.snapshot.positions}
    for order in orders:
        signed = order.filled_qty if order.side == "buy" else -order.filled_qty
        held[order.symbol] = held.get(order.symbol, ZERO) + signed
    return {symbol: qty for symbol, qty in held.items() if qty}


def _clock(view: StatusView, look: JournalStatus) -> datetime:
    """The time by the account's clock. Before the first value is recorded nothing tells it but the running cycle."""
    return view.now if look.account is not None or view.running is None else view.running.started_at


def _orders_limit(sent: int, planned: PlannedCycle) -> LimitStatus:
    return LimitStatus("orders_today", sent, planned.rules.risk_management.max_orders_per_day, counts=True)


def _orders_today(reads: JournalReads, account_id: str, morning: datetime) -> tuple[OrderRecord, ...]:
    """The orders since midnight in New York, and older ones that may still change."""
    intents = reads.recall(account_id, "order_intended", last=ORDERS_MAX)
    mine = reads.orders([event.key for event in intents if event.key and event.at >= morning])
    still = reads.unresolved_orders(account_id)
    return tuple({**{order.client_order_id: order for order in still}, **mine}.values())


def _alarms(reads: JournalReads, account_id: str) -> tuple[LiveAlarm, ...]:
    alerts = reads.recall(account_id, "alert", last=ALARMS_MAX)
    if not alerts:
        return ()
    numbers, reached = {alert.seq for alert in alerts}, dict[str, dict[int, tuple[str, ...]]]()
    for kind in ("alert_sent", "alert_failed"):
        found: dict[int, tuple[str, ...]] = {}
        for event in reads.recall(account_id, kind, after=min(numbers)):
            for number in [event.body["alert"]] if kind == "alert_sent" else event.body["alerts"]:
                if number in numbers:
                    channel = str(event.body["channel"])
                    found[number] = tuple(dict.fromkeys((*found.get(number, ()), channel)))
        reached[kind] = found
    return alarm_rows(alerts, reached["alert_sent"], reached["alert_failed"], account_id)


def _equity_today(reads: JournalReads, look: JournalStatus, orders: Sequence[LiveOrder]) -> tuple[LiveEquity, ...]:
    """Every value of the account on the day of its newest one, oldest first, each with the orders before it."""
    value = look.day.value
    if value is None or look.account_id is None:
        return ()
    morning = midnight_in_new_york(value.at)
    found = [event for kind in VALUES for event in reads.recall(look.account_id, kind, since=morning)]
    sent = sorted((order.sent_at, order.side) for order in orders if order.sent_at >= morning)
    points = list[LiveEquity]()
    for event in sorted(found, key=lambda event: event.seq):
        equity = event.body.get("closing_equity" if event.kind == "day_closed" else "equity")
        if equity is not None and event.at <= value.at:
            sides = [side for at, side in sent if at <= event.at and (not points or at > points[-1].at)]
            points.append(LiveEquity(event.at, decimal_of(str(equity)), sides.count("buy"), sides.count("sell")))
    return tuple(points)


def _figures(
    view: StatusView,
    look: JournalStatus | None,
    record: RunRecord | None,
    held: Mapping[str, Decimal],
    held_at: datetime | None,
) -> tuple[LiveFigure, ...]:
    """The account in figures: those of `status`, with the moments of which they are."""
    value = None if look is None or look.day.value is None else look.day.value.at
    end = None if look is None or look.last_end is None else look.last_end.at
    known = {one.id.partition("@")[0]: one for one in view.figures}
    found = []
    for name, label, form in _OF_STATUS:
        at = end if name.startswith("orders") else value
        found.append(LiveFigure(label, known.get(name) or Figure(f"{name}@now", None, form), at))
    scope = "now" if record is None else record.plan.cycle_id
    drift = None if record is None else largest_drift(by_symbol(record))[1]
    found.append(LiveFigure("Largest drift", Figure(f"largest_drift@{scope}", drift, "points"), held_at))
    count = None if held_at is None else sum(1 for qty in held.values() if qty)
    found.append(LiveFigure("Positions", Figure("positions@now", count, "count"), held_at))
    counts = (view.open_orders, view.unknown_orders) if view.account_id else (None, None)
    found.append(LiveFigure("Open orders", Figure("open_orders@now", counts[0], "count"), view.now))
    found.append(LiveFigure("Unknown orders", Figure("unknown_orders@now", counts[1], "count"), view.now))
    return tuple(found)


def _attended(state: Path) -> bool:
    session = session_status(state)
    return (session is not None and session.is_alive) or bool(installed_timer())


def _regimes(view: StatusView, look: JournalStatus) -> tuple[LiveRegime, ...]:
    """The market's regime, where it is judged, with the time since which it is known."""
    if view.regime is None or look.regime is None:
        return ()
    return (LiveRegime("market", view.regime.text, look.regime.at),)


def _below_reports(page: str) -> str:
    """The place of a page below the report folder, whatever the folder: its year and its name."""
    return "/".join(page.split("/")[-2:]) if page else ""
