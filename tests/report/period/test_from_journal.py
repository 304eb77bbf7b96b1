"""Editions gathered from a real journal: two days on the exchange, with a deposit, a trade by hand and a weekend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rebalancer.accounting.daily_close import check_day
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.report.period.gather import PARTS, Part, period_report_of
from rebalancer.report.period.page import edition_html
from rebalancer.report.period.records import PeriodReport
from rebalancer.report.period.words import attention_of
from tests.rebalance.conftest import BASE, NEXT
from tests.rebalance.hands import MONDAY, pay_in, until
from tests.report.html_tree import parse
from tests.support.rig import Rig, by_hand, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")  # pandas_market_calendars says it to pandas 3

FRIDAY = date(2026, 11, 20)
LAST = {**BASE, "MSFT": 0.0, "XOM": 0.3}  # one position is left on Monday
DEPOSIT = Decimal("12345.67")
D = Decimal


class Account(NamedTuple):
    """The journal of the two days, and the edition of Friday as it was before the books were closed."""

    journal: Journal
    account_id: str
    open_friday: PeriodReport
    held: dict[str, Decimal]

    def edition(self, period: Any, day: date, own: Rules | None = None) -> PeriodReport:
        newest = self.journal.cycles(self.account_id, 1)[0].started_at
        return period_report_of(self.journal, self.account_id, "simulated", own or rules(), period, day, newest)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path_factory.mktemp("account")
    with Rig(folder) as rig:
        rig.run(BASE, rules())
        pay_in(rig, str(DEPOSIT))
        by_hand(rig, "UNH", "3")
        rig.run(NEXT, rules())
        rig.run(NEXT, rules())
        process = rig.process()
        newest = process.journal.cycles(rig.account_id, 1)[0].started_at
        opened = period_report_of(process.journal, rig.account_id, "simulated", rules(), "day", FRIDAY, newest)
        closed(rig, FRIDAY)
        until(rig, MONDAY)
        rig.run(LAST, rules())
        rig.run(LAST, rules())
        closed(rig, MONDAY.date())
        process = rig.process()
        held = {p.symbol: p.qty for p in process.world.broker.positions()}
        rig.end()
        with Journal.open(rig.journal_file) as journal:
            yield Account(journal, rig.account_id, opened, held)
    patch.undo()


def closed(rig: Rig, day: date) -> None:
    until(rig, datetime(day.year, day.month, day.day, 21, 5, tzinfo=UTC))
    process = rig.process()
    books = check_day(process.world.broker, process.journal, rig.account_id, day, benchmark="SPY")
    assert (books.differences, books.unexplained) == ((), 0)


@pytest.mark.parametrize("day", [FRIDAY, MONDAY.date()])
def test_everything_that_is_known_has_its_section(account: Account, day: date) -> None:
    found = account.edition("day", day)
    assert found.broken == ()
    sections = [s.attributes["id"] for s in parse(edition_html(found)).all("section")]
    assert [s for s in sections if s != "attention"] == [
        "equity", "figures", "trades", "allocation", "exposure", "bridge", "performance", "trips", "signals", "limits",
        "positions", "quality", "health", "config",
    ]  # fmt: skip


def test_the_bridge_closes_and_knows_the_deposit(account: Account) -> None:
    bridge = account.edition("day", FRIDAY).bridge
    assert bridge is not None
    assert bridge.unexplained == 0
    assert bridge.adds_up
    assert {line.label: line.amount for line in bridge.lines}["Deposits and withdrawals"] == DEPOSIT
    week = account.edition("week", FRIDAY)
    assert (week.equity, week.flows) == (bridge.closing, DEPOSIT)


def test_price_moves_are_reckoned_from_prices_and_leave_nothing(account: Account) -> None:
    for period, day in (("day", FRIDAY), ("day", MONDAY.date()), ("all", MONDAY.date())):
        found = account.edition(period, day)
        assert found.bridge is not None
        assert (found.bridge.by_prices, found.bridge.unexplained, found.bridge.adds_up) == (True, 0, True)
        steps = {line.label: line.amount for line in found.bridge.lines}
        moved = steps["Price moves"] + steps.get("Slippage", D(0))
        assert abs(sum((c.amount for c in found.contributions), D(0)) - moved) <= D("0.01") * len(found.contributions)


def test_contributions_are_the_change_of_equity_at_the_prices_of_the_cycles(account: Account) -> None:
    opened = account.open_friday
    assert opened.bridge is None  # nothing is proved before the books are closed
    assert opened.latest is not None
    first = account.journal.cycles(account.account_id, 50)[-1]
    text = account.journal.snapshot_text(first.cycle_id)
    assert text is not None
    before = D(json.loads(text)["account"]["equity"])
    won = opened.latest.snapshot.account.equity - before - DEPOSIT
    assert len(opened.contributions) >= 6
    spread = D("0.0005") * opened.latest.plan.capital  # equity is at last trades, decisions at quotes
    assert abs(sum((c.amount for c in opened.contributions), D(0)) - won) < spread


def test_gaps_are_their_parts(account: Account) -> None:
    for day in (FRIDAY, MONDAY.date()):
        found = account.edition("day", day)
        assert found.latest is not None
        assert {g.symbol for g in found.gaps} >= {t.symbol for t in found.latest.plan.targets if t.weight}
        for gap in found.gaps:
            assert sum(gap.parts.values()) == pytest.approx(gap.now - gap.target, abs=1e-9)
    friday = {g.symbol: g for g in account.edition("day", FRIDAY).gaps}
    assert friday["UNH"].now > 0  # bought by hand
    traded = {t.line.symbol for t in account.open_friday.trades}
    assert any(friday[s].parts["price_move"] for s in traded & set(friday))  # walked from the cycle that traded


def test_the_quality_is_that_of_the_orders(account: Account) -> None:
    found = account.edition("day", FRIDAY)
    own = [t for t in found.trades if t.is_ours]
    assert [t.line.symbol for t in found.trades if not t.is_ours] == ["UNH"]  # bought by hand
    assert sum(q.orders for q in found.quality) == len(own)
    assert sum(q.value for q in found.quality) == sum(t.line.fill_value for t in own)
    assert sum(q.orders for q in found.quality_by_hour) == len(own)
    assert all(q.arrival_bp is not None and q.spread_bp is not None for q in found.quality)


@pytest.mark.parametrize(
    ("mode", "kept"),
    [("monitor", "watched by the session"), ("broker", "watched by the session"), ("off", "not protected")],
)
def test_positions_are_those_of_the_closed_books(account: Account, mode: str, kept: str) -> None:
    found = account.edition("day", MONDAY.date(), rules(protection__mode=mode))
    assert {g.symbol: g.qty for g in found.guarded} == account.held
    assert {g.kept for g in found.guarded} == {kept}
    assert all((g.stop is None) == (mode == "off") for g in found.guarded)


def test_a_pair_at_the_broker_says_so(account: Account) -> None:
    journal, symbol = account.journal, next(iter(sorted(account.held)))
    qty, at = account.held[symbol], datetime(2026, 11, 23, 20, 59, tzinfo=UTC)
    body = {
        "id": "rp-1", "state": "open", "qty": str(int(qty)), "stop": "1.5", "target": "9999", "ids": ["a", "b"],
        "number": 1, "failures": 0, "intended_at": "2026-11-23T20:58:00Z", "because": "", "earlier": [],
    }  # fmt: skip
    journal.record_event(account.account_id, None, at, "protection", symbol, body)
    row = next(g for g in account.edition("day", MONDAY.date()).guarded if g.symbol == symbol)
    rest = qty - int(qty)
    tail = f"; {rest.normalize():f} watched by the session" if rest else ""
    assert (row.stop, row.target, row.kept) == (D("1.5"), D(9999), f"open at the broker since 15:59 ET{tail}")
    assert next(g for g in account.edition("day", FRIDAY).guarded if g.symbol == symbol).kept != row.kept


def test_trips_end_in_their_period(account: Account) -> None:
    friday, week = account.edition("day", FRIDAY), account.edition("all", MONDAY.date())
    monday = account.edition("day", MONDAY.date())
    assert monday.trips
    assert all(day_in_new_york(t.closed_at) == MONDAY.date() for t in monday.trips)
    assert (*friday.trips, *monday.trips) == week.trips
    assert {t.source for t in week.trips} <= {"external", "held before", "outside", "external + held before"}


def test_the_course_leaves_the_deposit_out(account: Account) -> None:
    found = account.edition("all", MONDAY.date())
    course = found.performance
    assert course is not None
    assert course.days == (FRIDAY, MONDAY.date())
    assert found.equity is not None
    assert found.equity_before is not None
    won = found.equity - found.equity_before - DEPOSIT
    assert course.total == course.growth[-1] - 1 == pytest.approx(float(won / found.equity_before), rel=0.2)
    assert (course.months[0].year, course.months[0].months[10]) == (2026, pytest.approx(course.total))
    assert course.benchmark_name == "SPY"
    assert [p.at for p in found.through_the_day] == []
    day = account.edition("day", FRIDAY)
    assert day.performance is not None
    assert day.performance.days == (FRIDAY,)  # what came later is not known on Friday's page
    assert max(abs(float(p.equity / day.equity_before) - 1) for p in day.through_the_day if day.equity_before) < 0.02


def test_a_benchmark_is_drawn_when_its_closes_are_there(account: Account) -> None:
    sheet = account.journal.state / "day-sheet.json"
    before = sheet.read_text()
    try:
        days = ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24"]
        found = {
            "schema": json.loads(before)["schema"],
            "days": days,
            "closes": {"SPY": [90.0, 100.0, 101.0, 99.0, 1.0]},
        }
        sheet.write_text(json.dumps(found))
        course = account.edition("day", MONDAY.date()).performance
    finally:
        sheet.write_text(before)
    assert course is not None
    assert (course.benchmark_name, course.benchmark) == ("SPY", (1.01, 0.99))
    assert course.benchmark_change == pytest.approx(99 / 101 - 1)


def test_the_risk_is_of_what_is_held_at_the_end(account: Account) -> None:
    found = account.edition("day", MONDAY.date())
    assert found.risk is not None
    assert found.equity is not None
    values = [float(g.qty * g.last) for g in found.guarded if g.last is not None]
    assert found.risk.names == len(values) > 1
    assert found.risk.net == pytest.approx(sum(values) / float(found.equity), rel=0.01)
    assert found.risk.gross == pytest.approx(sum(map(abs, values)) / float(found.equity), rel=0.01)
    assert (found.risk.days, found.risk.covered, len(found.risk.pairs)) == (120, pytest.approx(1.0), 3)
    assert found.risk.last is not None
    assert found.risk.last < MONDAY.date()  # the sheet ends with the day before
    assert found.risk.volatility is not None
    assert found.risk.volatility > 0
    assert found.risk.beta is not None


def test_the_risk_of_an_open_day_is_of_what_its_last_cycle_left(account: Account) -> None:
    opened = account.open_friday
    assert opened.risk is not None
    assert opened.latest is not None
    values = [float(g.qty * g.last) for g in opened.guarded if g.last is not None]
    equity = float(opened.latest.snapshot.account.equity)
    assert opened.risk.names == len(values) > 1
    assert (opened.risk.net, opened.risk.gross) == (
        pytest.approx(sum(values) / equity),
        pytest.approx(sum(map(abs, values)) / equity),
    )


def test_the_next_cycle_is_the_first_slot_after_the_making(account: Account) -> None:
    made = datetime(2026, 11, 20, 21, 5, tzinfo=UTC)
    found = period_report_of(account.journal, account.account_id, "simulated", rules(), "day", FRIDAY, made)
    assert found.next_run == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    coins = rules(session__crypto_around_the_clock=True)
    found = period_report_of(account.journal, account.account_id, "simulated", coins, "day", FRIDAY, made)
    assert found.next_run == datetime(2026, 11, 20, 21, 10, tzinfo=UTC)
    assert account.edition("day", FRIDAY).next_run is None  # made on Monday


@pytest.mark.parametrize("field", PARTS)
def test_a_part_that_cannot_be_read_is_named_and_the_rest_stands(
    account: Account, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = account.edition("day", FRIDAY)

    def fails(_: object) -> None:
        raise ZeroDivisionError("a planted fault")

    part = PARTS[field]
    monkeypatch.setitem(PARTS, field, Part(part.words, fails, part.absent))
    found = account.edition("day", FRIDAY)
    assert found.broken == (f"{part.words}: a planted fault",)
    kept = [name for name in PeriodReport._fields if name not in (field, "broken", "next_run_here")]
    assert [getattr(found, name) for name in kept] == [getattr(whole, name) for name in kept]
    assert getattr(found, field) == part.absent
    assert f"{part.words}: a planted fault" in edition_html(found)
    assert [i.text for i in attention_of(found) if i.title == "A record cannot be read"] == list(found.broken)


def test_broken_rows_are_named(account: Account, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    account.journal.backup(copy)
    with Journal.open(copy, any_file_system=True) as journal:
        at = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
        journal.record_event(account.account_id, None, at, "day_closed", "2026-11-20", {"day": "2026-11-20"})
        journal.record_event(account.account_id, None, at, "activity", "strange", {"type": "FILL"})
        found = period_report_of(journal, account.account_id, "simulated", rules(), "day", FRIDAY, at)
    assert sorted(found.broken) == ["the books of 2026-11-20: KeyError: 'opening_equity'", "the ledger: KeyError: 'at'"]
    assert found.trades == tuple(t for t in account.open_friday.trades if t.is_ours)  # no fills without the ledger
    assert "the books of 2026-11-20" in edition_html(found)


def test_nothing_at_all_is_a_page_too(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.sqlite", any_file_system=True) as journal:
        made = datetime(2026, 11, 20, 21, 5, tzinfo=UTC)
        found = period_report_of(journal, "PA1", "paper", Rules(), "all", FRIDAY, made)
    assert found.broken == ()
    assert "No slot of the calendar" in edition_html(found)
