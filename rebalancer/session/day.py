"""The trading day: the order of its effects.

    prepare    wait until shortly before the open; close what earlier processes left behind (`Work.recover`)
    sweep      every slot that passed without a session is recorded as MISSED; in simulation only those of today
    slots      at each: ask the broker's clock, then run a cycle, or record why not
    between    the position monitor checks prices (`Work.look`)
    close      some minutes after the close: the end-of-day work (`Work.end_of_day`)

The broker's time decides what is due; the claim in the journal decides who runs it; this machine's clock decides
nothing. Of several slots that are due at once only the newest runs, and only within `session.late_start_seconds`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from rebalancer.brokers.protocol import BrokerClock, TradingHours
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused, LockHeld, WrongAccount
from rebalancer.core.new_york import day_in_new_york, in_new_york
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.market_data.trading_calendar import Slot, TradingDay, midnight_after
from rebalancer.ops.clock import Clock
from rebalancer.ops.logs.context import LogEvent, note
from rebalancer.ops.notify import Notify
from rebalancer.ops.session_status import WAITING
from rebalancer.session.hours import LOOK_BACK_DAYS, Hours
from rebalancer.session.scheduler import Alarm
from rebalancer.session.slots import SlotBook
from rebalancer.session.stop import Stop

LOG: Final = logging.getLogger(__name__)
QUIET_SECONDS: Final = 30.0  # longest wait when there is nothing to watch; below any reasonable watchdog interval
JUMP_SECONDS: Final = 2.0  # if wall and monotonic clock differ by more, the wall clock was changed or the machine slept
REQUEST_SECONDS: Final = 10.0  # a slot that is due so soon answers a request itself
_DATED: Final = "%a %Y-%m-%d %H:%M ET"
CLOSE_ATTEMPTS: Final = 10
CLOSE_PAUSE: Final = timedelta(minutes=1)


class TimeBroker(Protocol):
    """What the session reads from the broker itself. Every method may raise BrokerUnavailable."""

    def clock(self) -> BrokerClock: ...
    def now(self) -> datetime: ...
    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]: ...


class Work(NamedTuple):
    """The work of a session, passed in from outside.

    prepare: checks before the day, then recover. recover: close what an earlier process left behind. cycle: run one
    slot's cycle and return a short sentence. look: the position monitor, every `protection.poll_seconds` while the
    market is open. end_of_day: cancel leftovers, check, report and notify; it may be called again when it raises
    BrokerUnavailable, and does nothing for a day that is closed already. serve_requests: extra cycles that somebody
    asks for, while the session waits for a slot that is not due within `REQUEST_SECONDS`.
    """

    prepare: Callable[[], None]
    recover: Callable[[], None]
    cycle: Callable[[Slot], str]
    look: Callable[[datetime], None]
    end_of_day: Callable[[TradingDay, Mapping[str, int]], None]
    serve_requests: Callable[[], None] = lambda: None


class TradingSession:
    """One session from its start to its end."""

    def __init__(
        self,
        broker: TimeBroker,
        book: SlotBook,
        hours: Hours,
        clock: Clock,
        alarm: Alarm,
        stop: Stop,
        notify: Notify,
        work: Work,
        rules: Rules,
        note: Callable[[date, datetime | None, str], None] | None = None,
        *,
        skips_days: bool = False,
        price_seconds: float = 0.0,
    ) -> None:
        """note: called at every step with the trading day, the time of the next slot and what is being done.
        skips_days: the market's days are played, so that a day without a session has missed nothing.
        price_seconds: prices change only at whole multiples of so many seconds, and positions are checked right after
        a change; 0: at any time."""
        self._broker, self._book, self._hours, self._clock = broker, book, hours, clock
        self._alarm, self._stop, self._notify, self._work, self._rules = alarm, stop, notify, work, rules
        self._late = timedelta(seconds=rules.session.late_start_seconds)
        self._always = rules.session.crypto_around_the_clock
        self._busy_until: datetime | None = None
        self._looked = self._clock.monotonic()
        self._marks = (clock.wall(), clock.monotonic())
        self._last = ""
        self._note, self._upcoming = note, deque[Slot]()
        self._skips_days, self._price_seconds = skips_days, price_seconds
        self._today: date | None = None

    def run(self) -> str:
        """Work through today, or through all days until stopped when trading around the clock. Returns in a sentence
        how it ended.

        Raises CredentialsRefused, WrongAccount, JournalBroken, BrokerUnavailable (when the day cannot be closed), and
        any unexpected error of a cycle: then nothing more is sent.
        """
        self._notify.ready("preparing")
        while self._stop.reason() is None:
            now = self._now()
            today = self._hours.day(day_in_new_york(now))
            self._sweep_earlier(today, now)
            first_use_is_over = self._book.newest_day() is None and now >= today.ends and not self._always
            if (today.hours is None and not self._always) or first_use_is_over:
                upcoming = self._hours.next_open(now)
                opens = "" if upcoming is None else f"; the next session opens {in_new_york(upcoming):{_DATED}}"
                closed = f"the market is closed {'on ' if today.hours is None else 'for today, '}{today.day}{opens}"
                self._notify.stopping(closed)
                return closed
            self._run_day(today)
            if not self._always:
                break
            self._wait_until(midnight_after(today.day), f"day {today.day} is over")
        stopped = self._stop.reason()
        if stopped is not None:
            self._notify.stopping(stopped)
            return stopped
        return f"the trading day {today.day} is closed"

    def _run_day(self, day: TradingDay) -> None:
        self._today, self._upcoming = day.day, deque(day.slots)
        if day.hours is not None and not self._always:
            lead = timedelta(minutes=self._rules.session.start_lead_minutes)
            if not self._wait_until(day.hours.open - lead, f"waiting for the open, {_spoken(day.hours.open)}"):
                return
        self._when_it_answers(self._work.prepare)
        now = self._now()
        self._book.sweep(day.slots, now - self._late)
        self._upcoming = pending = deque(self._book.left(day.slots))
        closes = day.ends + timedelta(minutes=self._rules.session.end_of_day_minutes)
        self._alarm.plan([slot.at for slot in pending] + [closes], now)
        is_closed = False
        while pending or not is_closed:
            due = min([slot.at for slot in list(pending)[:1]] + ([] if is_closed else [closes]))
            if not self._wait_until(due, self._next(pending, day.ends, closes), self._last):
                return
            if pending and pending[0].at <= self._now():
                self._run_due(pending)
            elif not is_closed and self._now() >= closes:
                is_closed = self._close(day)
                if not is_closed:
                    return

    def _run_due(self, pending: deque[Slot]) -> None:
        """Take the slots that are due; run the newest if it is not too late, and record why the others did not run."""
        clock = self._ask_clock()
        now = clock.now if clock is not None else self._now()
        due: list[Slot] = []
        while pending and pending[0].at <= now:
            due.append(pending.popleft())
        if not due:
            return  # by the broker's clock it is not due yet
        newest = due.pop() if now - due[-1].at <= self._late else None
        for slot in due:
            self._passed_over(slot, now)
        if newest is None:
            return
        if clock is None:
            self._write(newest, now, CycleOutcome.HALTED_BROKER_DOWN, "the broker's clock did not answer")
        elif not newest.crypto_only and not clock.session.is_open:
            self._write(newest, now, CycleOutcome.SKIPPED_MARKET_CLOSED, "the broker's clock says it is closed")
        else:
            self._run(newest)

    def _passed_over(self, slot: Slot, now: datetime) -> None:
        """Record a slot that can no longer begin: an earlier cycle ran too long, or this machine was not running."""
        if self._busy_until is not None and slot.at < self._busy_until:
            self._write(slot, now, CycleOutcome.SKIPPED_OVERLAPPING, "the cycle before it was still running")
        else:
            behind = (now - slot.at).total_seconds()
            self._write(slot, now, CycleOutcome.SKIPPED_TOO_LATE, f"noticed {behind:,.0f} s after its time")

    def _run(self, slot: Slot) -> None:
        self._say(f"running the cycle of {_spoken(slot.at)}")
        try:
            self._last = f"{_spoken(slot.at)} {self._work.cycle(slot)}"
        except LockHeld as error:  # another run holds the lock or has claimed this slot: write nothing
            self._write(slot, self._now(), CycleOutcome.SKIPPED_OVERLAPPING, _first_line(error))
        except BrokerUnavailable as error:
            self._write(slot, self._now(), CycleOutcome.HALTED_BROKER_DOWN, _first_line(error))
        except BadDocument as error:
            self._write(slot, self._now(), CycleOutcome.MISSED, _first_line(error))
        except (CredentialsRefused, WrongAccount) as error:
            self._write(slot, self._now(), CycleOutcome.HALTED_ACCOUNT, _first_line(error))
            raise
        finally:
            self._busy_until = self._now()

    def _write(self, slot: Slot, now: datetime, outcome: CycleOutcome, because: str) -> None:
        if self._book.close(slot, now, outcome, because):
            self._last = f"{_spoken(slot.at)} {outcome}"
            said = f"slot {slot.id}: {outcome}: {because}"
            note(LOG, LogEvent.SLOT_ENDED, said, logging.WARNING, cycle=slot.id)

    def _close(self, day: TradingDay) -> bool:
        """Do the end-of-day work, retrying while the broker does not answer. False when the session was stopped
        meanwhile."""
        for attempt in range(1, CLOSE_ATTEMPTS + 1):
            self._say(f"end of day {day.day}")
            done = [slot for slot in day.slots if slot.at <= self._now()]
            try:
                self._when_it_answers(self._work.recover)
                self._book.sweep(done, self._now(), "it was left without an outcome")
                self._work.end_of_day(day, self._book.slot_counts(done))
            except BrokerUnavailable as error:
                if attempt == CLOSE_ATTEMPTS:
                    raise
                note(LOG, LogEvent.RETRY, f"end of day, attempt {attempt}: {_first_line(error)}", logging.WARNING)
                if not self._wait_until(self._now() + CLOSE_PAUSE, "end of day: the broker does not answer"):
                    return False
                continue
            return True
        raise AssertionError("the last attempt returns or raises")

    def _when_it_answers(self, reconcile: Callable[[], None]) -> None:
        """Reconcile now; when that is not possible, each cycle tries again before it plans anything."""
        try:
            reconcile()
        except BrokerUnavailable as error:
            LOG.warning("reconciliation has to wait: %s", _first_line(error))
        except LockHeld as error:
            LOG.warning("reconciliation is left to the run that holds the lock: %s", _first_line(error))

    def _sweep_earlier(self, today: TradingDay, now: datetime) -> None:
        """Record the slots of the days since the journal's last one on which no session ran."""
        if self._skips_days:
            return
        for day in self._hours.days_since(self._book.newest_day(), today.day, LOOK_BACK_DAYS):
            self._book.sweep(day.slots, now)

    def _wait_until(self, at: datetime, doing: str, last: str = "") -> bool:
        """Wait, monitoring positions meanwhile. False when the session is stopped instead."""
        self._say(doing, last)
        while self._stop.reason() is None:
            self._notify.alive()
            now = self._now()
            if now >= at:
                return True
            if (at - now).total_seconds() > REQUEST_SECONDS:
                self._work.serve_requests()
                now = self._now()
            pause = self._look(now)
            self._alarm.wait(min((at - self._now()).total_seconds(), pause))
        return False

    def _look(self, now: datetime) -> float:
        """Run the position monitor when it is due; returns the seconds until it is due again."""
        if not (self._always or self._hours.is_open(now)):
            return QUIET_SECONDS
        step, every = self._price_seconds, float(self._rules.protection.poll_seconds)
        if every < step:  # each look right after a change
            every = step
        else:
            step = 0.0
        since = self._clock.monotonic() - self._looked
        if since >= every:
            since = now.timestamp() % step if step else 0.0
            self._looked = self._clock.monotonic() - since
            try:
                self._work.look(now)
            except BrokerUnavailable as error:
                LOG.warning("the position monitor has no prices: %s", _first_line(error))
        return min(every - since, QUIET_SECONDS)

    def _now(self) -> datetime:
        """The broker's time, read again when this machine's wall and monotonic clocks have diverged: it slept, or its
        time was set."""
        wall, ran = self._clock.wall(), self._clock.monotonic()
        parted = abs((wall - self._marks[0]).total_seconds() - (ran - self._marks[1])) > JUMP_SECONDS
        self._marks = (wall, ran)
        clock = self._ask_clock() if parted else None
        if clock is not None:
            return clock.now
        try:
            return self._broker.now()
        except BrokerUnavailable:
            return wall  # it never answered: enough to know what is due; nothing is sent without it

    def _ask_clock(self) -> BrokerClock | None:
        try:
            return self._broker.clock()
        except BrokerUnavailable as error:
            LOG.warning("the broker's clock does not answer: %s", _first_line(error))
            return None

    def _say(self, doing: str, last: str = "") -> None:
        """Report what is being done to the service manager, with how the last slot ended, and to `status`."""
        self._notify.status(f"{doing}; last {last}" if last else doing)
        if self._note is not None and self._today is not None:
            next_at = self._upcoming[0].at if self._upcoming else self._hours.next_slot(self._now())
            self._note(self._today, next_at, doing)

    def _next(self, pending: Sequence[Slot], ends: datetime, closes: datetime) -> str:
        if pending and (pending[0].at <= closes or self._always):
            return f"{WAITING} {_spoken(pending[0].at)}"
        state = "closed" if self._now() >= ends else "no cycle is left today"
        return f"{state}; end-of-day work {_spoken(closes)}"


def _spoken(moment: datetime) -> str:
    return in_new_york(moment).strftime("%a %H:%M ET")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
