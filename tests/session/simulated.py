"""A year in a second: the real session on a virtual machine and a virtual broker, with clocks that go wrong.

Three times run apart: `true` is the market's, `mono` the machine's monotonic clock (it stands still while the machine
sleeps), and the wall clock is `true` plus an error. The broker tells `true` unless it is made to lie.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rebalancer.brokers.protocol import BrokerClock, TradingHours
from rebalancer.core.errors import BrokerUnavailable, LockHeld
from rebalancer.core.facts import Session as MarketSession
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.market_data.trading_calendar import Slot, TradingDay, published_hours
from rebalancer.ops.notify import Notify
from rebalancer.session.day import TradingSession, Work
from rebalancer.session.hours import Hours
from rebalancer.session.slots import SlotBook
from rebalancer.session.stop import Stop

FIRST, LAST = date(2025, 12, 1), date(2027, 2, 1)
PUBLISHED = published_hours(FIRST, LAST)
CLOSES = [hours.close for hours in PUBLISHED]


class Died(Exception):
    """The process was killed."""


class MemoryJournal:
    """Claims and outcomes of slots, as the journal keeps them."""

    def __init__(self) -> None:
        self.claims: dict[str, str] = {}
        self.ended: dict[str, tuple[CycleOutcome, str]] = {}
        self.open: set[str] = set()

    def begin(self, slot_id: str) -> bool:
        if slot_id in self.claims:
            return False
        self.claims[slot_id] = "cycle"
        self.open.add(slot_id)
        return True

    def forget(self, slot_id: str) -> None:
        """The cycle failed before it claimed its slot."""
        del self.claims[slot_id]
        self.open.discard(slot_id)

    def close_slot(self, _: str, slot_id: str, at: datetime, outcome: CycleOutcome, because: str) -> bool:
        if slot_id in self.claims:
            return False
        self.claims[slot_id] = "slot"
        self.ended[slot_id] = (outcome, because)
        return True

    def slots(self, _: str, ids: Collection[str]) -> Mapping[str, tuple[str, CycleOutcome | None, str]]:
        return {i: (self.claims[i], *self.ended.get(i, (None, ""))) for i in ids if i in self.claims}

    def newest_claim(self, _: str) -> str | None:
        return max(self.claims, default=None)


class Machine:
    """The host and the broker: every wait moves the times, and what is to go wrong goes wrong in between."""

    def __init__(self, start: datetime, closed: Sequence[tuple[datetime, datetime]] = ()) -> None:
        self.true, self.mono, self.wall_error = start, 1000.0, timedelta(0)
        self.lie = timedelta(0)
        self.closed = closed
        self.down: tuple[datetime, datetime] | None = None
        self.stops: list[Stop] = []
        self.faults: list[tuple[datetime, Callable[[Machine], None]]] = []
        self._told: tuple[datetime, float] | None = None
        self.asked = 0

    def monotonic(self) -> float:
        return self.mono

    def wall(self) -> datetime:
        return self.true + self.wall_error

    def plan(self, moments: Sequence[datetime], now: datetime) -> None:
        pass

    def wait(self, seconds: float) -> None:
        assert seconds >= 0
        until = self.true + timedelta(seconds=max(seconds, 1e-6))
        if self.faults and self.faults[0][0] <= until:
            at, fault = self.faults.pop(0)
            self._pass(max((at - self.true).total_seconds(), 0.0))
            fault(self)
        else:
            self._pass((until - self.true).total_seconds())

    def _pass(self, seconds: float) -> None:
        self.true += timedelta(seconds=seconds)
        self.mono += seconds

    def sleep(self, hours: float) -> None:
        self.true += timedelta(hours=hours)

    def forget(self) -> None:
        """A new process has heard nothing yet."""
        self._told = None

    # the broker

    def clock(self) -> BrokerClock:
        self.asked += 1
        if self.down is not None and self.down[0] <= self.true < self.down[1]:
            raise BrokerUnavailable("no answer")
        now = self.true + self.lie
        self._told = (now, self.mono)
        session = PUBLISHED[bisect_right(CLOSES, now)]
        is_open = session.open <= now < session.close and not self.is_closed(now)
        return BrokerClock(now, MarketSession(is_open, session.open, session.close))

    def now(self) -> datetime:
        if self._told is None:
            return self.clock().now
        return self._told[0] + timedelta(seconds=self.mono - self._told[1])

    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        return tuple(h for h in PUBLISHED if first <= h.day <= last)

    def is_closed(self, at: datetime) -> bool:
        return any(begin <= at < end for begin, end in self.closed)

    def trades(self, at: datetime) -> bool:
        hours = PUBLISHED[bisect_right(CLOSES, at)]
        return hours.open <= at < hours.close and not self.is_closed(at)


class Company:
    """Everything that outlives a process: the journal, and the log of what really happened."""

    def __init__(self, machine: Machine, rules: Rules | None = None) -> None:
        self.machine, self.rules = machine, rules or Rules.model_validate({"protection": {"poll_seconds": 3600}})
        self.journal = MemoryJournal()
        self.ran: Counter[str] = Counter()
        self.started: list[datetime] = []
        self.outside = 0
        self.late = 0.0
        self.closed_days: list[date] = []
        self.looks = 0
        self.looked: list[datetime] = []
        self.duration: Callable[[Slot], float] = lambda _: 3.0
        self.dies: Callable[[Slot], bool] = lambda _: False

    def ended_because(self, slot_id: str) -> str:
        return self.journal.ended[slot_id][1]

    def session(self, stop: Stop | None = None, journal: Any = None, **simulation: Any) -> TradingSession:
        machine = self.machine
        kept: Any = journal or self.journal
        stop = stop or Stop()
        machine.forget()
        self.stop = stop
        work = Work(self._recover, self._recover, self._cycle, self._look, self._end_of_day)
        hours = Hours(machine.calendar, self.rules, lambda a, b: tuple(h for h in PUBLISHED if a <= h.day <= b))
        return TradingSession(
            machine, SlotBook(kept, "acc"), hours, machine, machine, stop, Notify(None), work, self.rules, **simulation
        )

    def _recover(self) -> None:
        for name in self.journal.open:
            self.journal.ended[name] = (CycleOutcome.ABANDONED, "its process ended before the cycle did")
        self.journal.open.clear()

    def _cycle(self, slot: Slot) -> str:
        self._recover()
        machine = self.machine
        if not self.journal.begin(slot.id):
            raise LockHeld("run already")
        self.ran[slot.id] += 1
        self.started.append(machine.true)
        self.late = max(self.late, (machine.true - slot.at).total_seconds())
        self.outside += not slot.crypto_only and not machine.trades(machine.true)
        if self.dies(slot):
            raise Died
        machine.wait(self.duration(slot))
        self.journal.open.discard(slot.id)
        self.journal.ended[slot.id] = (CycleOutcome.HOLDING, "")
        return "HOLDING"

    def _look(self, at: datetime) -> None:
        self.looks += 1
        self.looked.append(at)

    def _end_of_day(self, day: TradingDay, slot_counts: Mapping[str, int]) -> None:
        del slot_counts
        if day.day not in self.closed_days:
            self.closed_days.append(day.day)


def at(text: str) -> datetime:
    """A UTC time, written short."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
