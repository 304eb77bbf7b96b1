"""Put a session together and run it: one process per state folder, from its start to the end of the day."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import ExitStack

from rebalancer.brokers.factory import Connection
from rebalancer.core.errors import AccountLeased
from rebalancer.journal import Journal
from rebalancer.market_data.sectors import read_sectors
from rebalancer.market_data.trading_calendar import published_hours
from rebalancer.ops.clock import Clock, SystemClock
from rebalancer.ops.notify import Notify
from rebalancer.ops.paths import SESSION_LOCK_NAME
from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.session_status import SessionStatusFile
from rebalancer.session.alert_delivery import alerting
from rebalancer.session.alert_rules import ReportingSlotBook, report_day
from rebalancer.session.day import TradingSession, Work
from rebalancer.session.hours import Hours
from rebalancer.session.ownership import account_in_hand, fenced, owned
from rebalancer.session.run_requests import RunRequests
from rebalancer.session.scheduler import Alarm, ScheduledAlarm
from rebalancer.session.setup import Setup
from rebalancer.session.simulated_clock import PRICE_SECONDS, MovableTime, SimulatedClock
from rebalancer.session.standby import wait_for_lease
from rebalancer.session.stop import Stop
from rebalancer.session.unchanged import MarketWithin
from rebalancer.session.versions import keep_before_upgrade, refuse_older
from rebalancer.session.work import SessionWork
from rebalancer.signals.receipts import inbox
from rebalancer.version import __version__


def run_session(
    setup: Setup,
    connection: Connection,
    stop: Stop,
    notify: Notify,
    *,
    exchange: MovableTime | None = None,
    market: MarketWithin | None = None,
    speed: float = 1.0,
    begun: Callable[[], None] = lambda: None,
    standby: bool = False,
) -> str:
    """Run one session; returns in a sentence how it ended. Raises LockHeld when one is running already, also on another
    host; with standby it waits until that one is gone, and takes over.

    begun: called once locks, journal and account are in hand, so that nothing is logged before an error in one of them.
    exchange: the embedded exchange's clock, which is advanced during waits when `speed` is not 1. market: that exchange
    from within, so that looks at the positions that would find nothing new are left out then.
    """
    rules = setup.rules
    with ExitStack() as stack:
        stack.enter_context(RunLock(setup.state / SESSION_LOCK_NAME, "session"))
        journal = stack.enter_context(Journal.open(setup.journal))
        journal.check_pages()  # opening checks the pages of small journals only
        clock: Clock
        alarm: Alarm
        price_seconds = 0.0
        if exchange is not None and speed != 1:
            clock = alarm = SimulatedClock(exchange, speed, stop.bell)
            price_seconds = PRICE_SECONDS
        else:
            clock = SystemClock()
            alarm = scheduled = ScheduledAlarm(stop.bell, clock, rules.protection.poll_seconds)
            stack.callback(scheduled.close)
        real = connection.connect(rules.broker, monotonic=clock.monotonic)
        stack.callback(real.close)
        account_id = account_in_hand(journal, real)
        refuse_older(journal, account_id, __version__)  # before a slot that has passed is recorded
        fence = None
        while fence is None:
            if standby:
                wait_for_lease(setup, journal, account_id, stop, notify)
                if (why := stop.reason()) is not None:
                    return f"ended while standing by: {why}"
            try:
                fence = stack.enter_context(owned(setup, journal, account_id))
            except AccountLeased:  # a third host was faster
                if not standby:
                    raise
        started = refuse_older(journal, account_id, __version__)  # again: another host may have traded meanwhile
        keep_before_upgrade(journal, started, __version__, clock.wall(), progress=notify.alive)
        broker = fenced(setup, real, lambda: fence)
        if setup.mirror is not None:
            from rebalancer.session.mirror_process import mirrored_beside

            stack.enter_context(mirrored_beside(setup))  # ends after whatever writes to the journal below
        tells = stack.enter_context(alerting(setup, journal, account_id, is_real=isinstance(clock, SystemClock)))
        work = SessionWork(
            setup, connection, journal, account_id, broker, stop, notify, clock,
            tell=lambda day, text: report_day(journal, account_id, broker.now(), day, text),
            look_seconds=price_seconds, market=market if price_seconds else None,
        )  # fmt: skip
        stack.callback(work.close)
        requests = RunRequests(setup.state / inbox.NAME, work.extra_cycle, SystemClock())
        stack.enter_context(requests.listening(stop.bell))
        if rules.signals.enabled_sources:
            from rebalancer.session.source_process import asked_beside

            stack.enter_context(asked_beside(setup))
        note = SessionStatusFile(setup.state)
        stack.callback(note.remove)
        session = TradingSession(
            broker,
            ReportingSlotBook(journal, account_id),
            Hours(broker.calendar, rules, published_hours),
            clock,
            alarm,
            stop,
            notify,
            Work(
                work.prepare,
                work.recover,
                tells.beating(work.cycle),
                work.look,
                tells.closing(work.end_of_day),
                requests.serve,
            ),
            rules,
            note.tell,
            skips_days=setup.mode == "simulated",
            price_seconds=price_seconds,
        )
        read_sectors(setup.root / rules.sectors_file)  # refused now, not shortly before the open
        begun()
        gc.collect()
        gc.freeze()  # what was loaded stays for the day: the collector need not look through it again and again
        stack.callback(gc.unfreeze)
        return session.run()
