"""One simulated month with everything that happens to an account: stops, targets, a flatten, trades by hand, orders
whose answer was lost, a deposit, a withdrawal, a split, a dividend and a halt. Real cycles on the embedded exchange."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rebalancer.accounting.daily_close import check_day
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.journal import Journal
from rebalancer.rebalance.flatten import flatten
from rebalancer.report.period.gather import period_report_of
from rebalancer.report.period.records import Period, PeriodReport
from rebalancer.report.run_record import record_of
from rebalancer.session.alert_rules import report_cycle
from rebalancer.session.monitor import Monitor
from tests.rebalance.hands import dividend, pay_in, split, until
from tests.support.faults import lost_after, lost_before
from tests.support.rig import Rig, by_hand, held, rules

FIRST, LAST = date(2026, 11, 2), date(2026, 11, 30)
CLOSED = {date(2026, 11, 26)}
BEGINS = datetime(2026, 11, 2, 14, 35, tzinfo=UTC)
BOOK = {"AAPL": 0.9, "KO": 0.8, "V": 0.7, "MSFT": 0.6, "JNJ": 0.7, "XOM": 0.5, "WMT": 0.6, "CAT": 0.5}
OTHER = {**BOOK, "AAPL": 0.3, "KO": 0.0, "NVDA": 0.8, "UNH": 0.7, "XOM": 0.0}
THIRD = {**OTHER, "V": 0.0, "KO": 0.9, "DUK": 0.6, "WMT": 0.2}
DEPOSIT, WITHDRAWAL = "12345.67", "-2500"


class Month(NamedTuple):
    """The account after its month: its state folder and its rules. `journal` is open for reading."""

    folder: Path
    journal: Journal
    account_id: str
    rules: Rules

    @property
    def now(self) -> datetime:
        """The last moment that the journal knows."""
        return self.journal.latest_events(1)[0].at

    def report(self, period: Period, day: date) -> PeriodReport:
        """The report of a period as it is made today."""
        return period_report_of(self.journal, self.account_id, "simulated", self.rules, period, day, self.now)


def trading_days() -> list[date]:
    """The days of the month on which the market is open."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    return [day for day in days if day.weekday() < 5 and day not in CLOSED]


def month_rules(**changes: Any) -> Rules:
    """Rules with stops and targets close enough to be reached within the month."""
    close: dict[str, Any] = {
        "protection__mode": "monitor",
        "protection__stop_loss": 0.012,
        "protection__take_profit": 0.02,
        "protection__cool_off": "none",
        "risk_management__max_orders_per_day": 400,
        "risk_management__max_orders_per_symbol_per_day": 50,
    }
    return rules(**(close | changes))


def live_through(folder: Path) -> str:
    """Run the month in a folder and return the account's id."""
    with Rig(folder, start=BEGINS) as rig:
        for number, day in enumerate(trading_days()):
            _day(rig, number, day)
        rig.end()
        return rig.account_id


def _day(rig: Rig, number: int, day: date) -> None:
    resting = 9 <= number < 13  # some days keep their exits at the broker
    own = month_rules(protection__mode="broker" if resting else "monitor")
    until(rig, datetime(day.year, day.month, day.day, 14, 36, tzinfo=UTC))
    if number == 3:
        pay_in(rig, DEPOSIT)
    if number == 11:
        pay_in(rig, WITHDRAWAL)
    if number == 5:
        split(rig, "V", 2, 1, ex_date=day + timedelta(days=1))
        dividend(rig, "JNJ", "1.24", ex_date=day + timedelta(days=1), pay_date=day + timedelta(days=1))
    signals = (BOOK, OTHER, THIRD)[number % 3]
    faults = {2: {"submit": lost_before}, 7: {"submit": lost_after}}.get(number, {})
    _cycle(rig, signals, own, {name: _for_one(fault) for name, fault in faults.items()})
    if number in (1, 8):
        by_hand(rig, "HON", "4", f"by-hand-{number}")
    if number == 2 and held(rig).get("HON", 0) >= 3:
        by_hand(rig, "HON", "-3", f"by-hand-{number}")
    for hour in (16, 17, 18):
        until(rig, datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC))
        if hour < 18 or day != date(2026, 11, 27):
            _look(rig, own)
    if number == 14:
        process = rig.process(rules=own)
        flatten(process.world, process.broker, own, prefix="kill", because="a person asked for it")  # type: ignore[arg-type]
    elif day != date(2026, 11, 27):
        _cycle(rig, signals, own, {})
    _close(rig, day)


def _for_one(fault: Any) -> Any:
    """The fault, for the first order alone."""
    left = [1]

    def once(real: Any, order: Any) -> Any:
        return fault(real, order) if left and left.pop() else real(order)

    return once


def _world(rig: Rig, own: Rules) -> Any:
    process = rig.process(rules=own)
    kill = KillSwitch(rig.folder, process.journal)
    broker: Any = process.world.broker
    keeper = ExitOrderManager(rig.account_id, broker, process.journal, kill, process.clock, own)
    return process._replace(world=process.world._replace(protection=keeper))


def _cycle(rig: Rig, signals: Mapping[str, float], own: Rules, faults: Mapping[str, Any]) -> None:
    process = _world(rig, own)
    process.broker.script.update(faults)
    result = rig.cycle(process, signals, own)
    now = result.snapshot.as_of
    report_cycle(process.journal, record_of(result, process.journal, own, "simulated", {}, now, now))
    rig.exchange.clock.advance(300)


def _look(rig: Rig, own: Rules) -> None:
    """What the session does between two slots: look after stops and targets."""
    process = _world(rig, own)
    Monitor(own).look(process.world)
    rig.exchange.clock.advance(60)


def _close(rig: Rig, day: date) -> None:
    until(rig, datetime(day.year, day.month, day.day, 21, 5, tzinfo=UTC))
    process = rig.process()
    check_day(process.world.broker, process.journal, rig.account_id, day, benchmark="SPY")


def last_day(month: Month) -> date:
    """The newest day with a cycle."""
    return day_in_new_york(month.journal.cycles(month.account_id, 1)[0].started_at)
