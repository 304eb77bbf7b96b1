"""The work of a real session: its cycles, its preparation and its end of day, on one setup and one connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from typing import Final

from rebalancer.accounting.daily_close import check_day
from rebalancer.brokers.counted import CountedBroker
from rebalancer.brokers.factory import Connection
from rebalancer.brokers.protocol import TradingBroker
from rebalancer.core.decisions import Plan
from rebalancer.core.errors import LockHeld
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.units import amount_of
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.journal import Journal
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.journal.backups import FOLDER, take
from rebalancer.journal.parity_row import PARITY
from rebalancer.market_data.trading_calendar import Slot, TradingDay
from rebalancer.ops.clock import Clock, SystemClock
from rebalancer.ops.logs.context import LogEvent, note
from rebalancer.ops.mirror_status import read_mirror_status
from rebalancer.ops.notify import Notify
from rebalancer.ops.paths import LOCK_NAME
from rebalancer.ops.run_lock import RunLock
from rebalancer.rebalance.recover import recover
from rebalancer.rebalance.world import World
from rebalancer.report.files import ReportNotWritten, WrittenReport, remove_outdated, write_edition, write_report
from rebalancer.report.period.gather import period_report_of
from rebalancer.session.end_of_day import Steps, cancel_leftovers, close_day
from rebalancer.session.evening import measured_day
from rebalancer.session.execute import SharedConnection, execute, opened_connection, opened_world
from rebalancer.session.monitor import Monitor
from rebalancer.session.preflight import clock_problem, preflight
from rebalancer.session.run_requests import restricted
from rebalancer.session.setup import Setup, report_mode
from rebalancer.session.stop import Stop
from rebalancer.session.tradervue import copy_at_end_of_day
from rebalancer.session.unchanged import MarketWithin

LOG: Final = logging.getLogger(__name__)
TICK_SECONDS: Final = 20.0  # the longest part of a long wait; far below any reasonable watchdog interval
Tell = Callable[[date, str], None]


class SessionWork:
    """The functions behind `day.Work`. Each holds the run lock only while it runs, so that runs by hand fit in
    between."""

    def __init__(
        self,
        setup: Setup,
        connection: Connection,
        journal: Journal,
        account_id: str,
        broker: TradingBroker,
        stop: Stop,
        notify: Notify,
        clock: Clock,
        tell: Tell | None = None,
        look_seconds: float = 0.0,
        market: MarketWithin | None = None,
    ) -> None:
        """clock: the session's own, compared with the broker's. tell: sends the day's message; by default it is an
        alert in the journal. look_seconds: how far looks are apart at least. market: what can tell that a look would
        find what the last one did."""
        self._setup, self._connection, self._journal, self._account_id = setup, connection, journal, account_id
        self._heard: Callable[[str], None] = lambda _: notify.alive()  # a call to the broker is progress
        self._notify = notify
        self._broker, self._stop, self._clock = CountedBroker(broker, self._heard), stop, clock
        self._attentive = AttentiveClock(notify, clock)
        self._tell = tell or self._note
        self._monitor = Monitor(setup.rules, look_seconds=look_seconds, market=market)
        self._open, self._begun = ExitStack(), SystemClock().wall()
        self._world: World | None = None
        self._shared: SharedConnection | None = None
        self._lock = setup.state / LOCK_NAME

    def prepare(self) -> None:
        """Check what must hold before the open, verify the whole journal, and reconcile."""
        self._journal.verify(self._notify.alive)  # a journal of years takes minutes on a small machine
        setup = self._setup
        stopped = KillSwitch(setup.state, self._journal).reason(self._account_id)
        found = list(preflight(self._broker.account(), stopped, setup.state, setup.reports))
        skew = clock_problem(self._clock.wall(), self._broker.clock().now) if setup.mode != "simulated" else None
        for text in [*found, *([] if skew is None else [skew])]:
            LOG.warning("%s", text)
            self._alert(text, "warning", "preflight")
        self.recover()

    def recover(self) -> None:
        """Bring every order of earlier cycles to its end, and close those cycles."""
        with (
            RunLock(self._lock, "session"),
            opened_world(
                self._setup,
                self._connection,
                dry_run=False,
                clock=self._attentive,
                heard=self._heard,
                shared=self._shared_connection(),
            ) as (world, broker),
        ):
            recover(world, broker, self._setup.rules)

    def cycle(self, slot: Slot) -> str:
        """Run the slot's cycle; a page is written when it sent something or a person has to look at it."""
        with RunLock(self._lock, "session"):
            record = execute(
                self._setup,
                self._connection,
                dry_run=False,
                cycle_id=slot.id,
                clock=self._attentive,
                stopping=self._stop,
                heard=self._heard,
                shared=self._shared_connection(),
                has_page=has_page,
            )
            if has_page(record.plan, record.outcome):
                self._written(lambda: write_report(record, self._setup.reports))
        self._watch_mirror()
        filled = sum(1 for order in record.orders if order.state is OrderState.FILLED)
        said = f"{record.outcome} {filled} of {amount_of(len(record.orders), 'order')} filled"
        note(LOG, LogEvent.SLOT_ENDED, f"cycle {slot.id}: {said}", cycle=slot.id)
        return said

    def extra_cycle(self, symbols: Sequence[str]) -> str:
        """Run a cycle of these symbols alone, as a run by hand."""
        setup = self._setup
        narrow = setup._replace(loaded=setup.loaded._replace(rules=restricted(setup.rules, symbols)))
        with RunLock(self._lock, "session"):
            record = execute(
                narrow, self._connection, dry_run=False, clock=self._attentive, stopping=self._stop,
                heard=self._heard, shared=self._shared_connection(),
            )  # fmt: skip
            if record.orders:
                self._written(lambda: write_report(record, setup.reports))
        return f"{record.outcome}, {amount_of(len(record.orders), 'order')}"

    def look(self, now: datetime) -> None:
        """Run the position monitor once. A run by hand that holds the lock protects its positions itself."""
        if self._setup.rules.protection.mode == "off" or self._monitor.is_unchanged(self._journal, now):
            return
        try:
            with RunLock(self._lock, "session"):
                self._monitor.look(self._watched())
        except LockHeld:
            return

    def _watched(self) -> World:
        """The monitor's own World, kept open from its first check on: it checks every few seconds."""
        if self._world is None:
            opened = opened_world(
                self._setup,
                self._connection,
                dry_run=False,
                clock=self._attentive,
                stopping=self._stop,
                heard=self._heard,
                shared=self._shared_connection(),
            )
            self._world = self._open.enter_context(opened).world
        return self._world

    def _shared_connection(self) -> SharedConnection:
        """The one connection of all cycles and looks."""
        if self._shared is None:
            self._shared = self._open.enter_context(opened_connection(self._setup, self._connection, self._attentive))
        return self._shared

    def close(self) -> None:
        """Close the monitor's World and the connection; later work opens them again."""
        self._world = self._shared = None
        self._open.close()

    def end_of_day(self, day: TradingDay, slot_counts: Mapping[str, int]) -> None:
        """Cancel what is left, check the journal against the broker, write the day's page, notify people."""
        self.close()
        timeout = self._setup.rules.execution.cancel_timeout_seconds
        with RunLock(self._lock, "session"):
            steps = Steps(
                cancel=lambda: cancel_leftovers(self._broker, self._attentive, timeout),
                check=self._check,
                report=self._report,
                tell=self._tell,
            )
            close_day(self._journal, self._account_id, day, slot_counts, steps, self._broker.now())
        if said := copy_at_end_of_day(self._setup, self._journal, self._account_id, clock=self._attentive):
            self._alert(said, "warning", "tradervue")
        if self._setup.rules.reporting.evidence:
            self._notify.alive()
            self._write_evidence(day.day)
        self._notify.alive()
        self._back_up()
        self._watch_mirror()
        if self._setup.rules.reporting.parity:
            self._measure(day.day)

    def _measure(self, day: date) -> None:
        """Plan the day again in a process of its own, and write its page once more; the day is closed without it."""
        newest = self._journal.recall(self._account_id, "cycle_planned", last=1)
        if not newest or day_in_new_york(newest[0].at) < day:  # no cycle of the day was planned
            return
        found = measured_day(self._setup, day, goes_on=self._goes_on)
        if found is None:
            return
        try:
            self._journal.record_event(self._account_id, None, self._broker.now(), PARITY, day.isoformat(), found)
            self._page(day)
        except Exception as error:  # noqa: BLE001 - a measurement must never end a trading day
            LOG.warning("parity: %s", error)

    def _watch_mirror(self) -> None:
        """Report a mirror that is behind or refused; trading goes on whatever it is."""
        if self._setup.mirror is None:
            return
        try:
            from rebalancer.session.mirror_alerts import mirror_alerts

            latest = self._journal.latest_events(1)
            rows = mirror_alerts(
                self._journal, self._account_id, read_mirror_status(self._setup.state), latest[0].seq if latest else 0,
                begun=self._begun, now=SystemClock().wall(), warn_minutes=self._setup.rules.journal.mirror_warn_minutes,
            )  # fmt: skip
            for row in rows:
                self._journal.record_event(self._account_id, None, self._broker.now(), *row)
        except Exception as error:  # noqa: BLE001 - a mirror must never end a trading day
            LOG.warning("mirror: %s", error)

    def _goes_on(self) -> bool:
        self._notify.alive()
        return self._stop.reason() is None

    def _write_evidence(self, day: date) -> None:
        """Write the signed file of the day; the day is closed even without it."""
        from rebalancer.report.evidence.day_file import write_day

        try:
            path = write_day(self._journal, self._account_id, day, self._setup.state)
        except Exception as error:  # noqa: BLE001 - a file for auditors must never end a trading day
            LOG.warning("evidence: %s", error)
            self._alert(f"the signed file of the day was not written: {error}", "warning", "evidence")
            return
        LOG.info("signed file of the day: %s", path)

    def _back_up(self) -> None:
        """Copy the journal of the day that has just been closed; the day is closed even without a copy."""
        try:
            copy = take(
                self._setup.journal, self._setup.state / FOLDER, self._clock.wall(), progress=self._notify.alive
            )
        except Exception as error:  # noqa: BLE001 - a failed copy must never end a trading day
            LOG.warning("backup: %s", error)
            self._alert(f"the journal was not copied: {error}; try: rebalancer db backup", "warning", "backup")
            return
        LOG.info("journal copied and verified: %s, %s rows", copy.path, copy.rows)

    def _check(self, day: date) -> tuple[str, ...]:
        """The differences between the broker's activities, its account and our journal."""
        if not self._journal.cycles(self._account_id, 1):
            return ()
        benchmark = self._setup.rules.reporting.benchmark
        return check_day(self._broker, self._journal, self._account_id, day, benchmark=benchmark).sentences

    def _report(self, day: date) -> str:
        """Write the day's page, and remove those that are too old."""
        page = self._page(day)
        self._remove_old_pages(day)
        return page

    def _page(self, day: date) -> str:
        """Write the day's page; returns its path, "" when it could not be written."""
        setup, now = self._setup, self._broker.now()
        edition = period_report_of(self._journal, self._account_id, report_mode(setup), setup.rules, "day", day, now)
        return self._written(lambda: write_edition(edition, setup.reports))

    def _remove_old_pages(self, day: date) -> None:
        """Remove the pages of runs and days that are older than `reporting.keep_days`."""
        try:
            removed = remove_outdated(self._setup.reports, day, self._setup.rules.reporting.keep_days)
        except ReportNotWritten as error:  # the day's page is written and trading is done
            LOG.warning("%s", error)
            self._alert(str(error), "warning", "report")
            return
        if removed:
            LOG.info("%s old report pages removed", removed)

    def _written(self, write: Callable[[], WrittenReport]) -> str:
        try:
            return str(write().html_path)
        except ReportNotWritten as error:  # trading is done and stays done
            LOG.warning("the report was not written: %s", error)
            self._alert(f"the report was not written: {error}", "warning", "report")
            return ""

    def _note(self, day: date, text: str) -> None:
        self._alert(text, "info", f"day {day.isoformat()}")

    def _alert(self, text: str, level: AlertLevel, code: str) -> None:
        row = alert_row(code, level, code, text)
        self._journal.record_event(self._account_id, None, self._broker.now(), *row)


def has_page(plan: Plan, outcome: CycleOutcome) -> bool:
    """Whether a slot's cycle gets a page: it sent something, or a person has to look at it."""
    return bool(plan.orders) or outcome.startswith(("HALTED", "ABANDONED"))


class AttentiveClock:
    """The session's clock for its work. Its waits are real at any speed and notify the watchdog: every wait is bounded
    by the operation that it belongs to, so a waiting session does not hang."""

    def __init__(self, notify: Notify, clock: Clock, real: Clock | None = None) -> None:
        self._notify, self._clock, self._real = notify, clock, real or SystemClock()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wall(self) -> datetime:
        return self._clock.wall()

    def wait(self, seconds: float) -> None:
        while seconds > TICK_SECONDS:
            self._notify.alive()
            self._real.wait(TICK_SECONDS)
            seconds -= TICK_SECONDS
        self._notify.alive()
        self._real.wait(seconds)
