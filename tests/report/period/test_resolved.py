"""What ends an alert, kind by kind. A red alarm that nothing has ended stands, however much happened after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.codec import canonical, plain, sha256
from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.journal import CycleEnd, CycleStart, Intent, Journal
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.records import Event
from rebalancer.report.period.parts.resolved import Resolutions
from rebalancer.report.period.parts.source import Source
from tests.planning.examples import snapshot

ACCOUNT = "alpha"
OPENING = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
FRIDAY = date(2026, 11, 20)
RAN = "a later cycle ran as planned"


class Desk:
    """A journal, written to in the order of the lines of a test; each line is a minute later than the one before."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.now = journal, OPENING

    def alert(self, about: str, code: str, cycle: str | None = None, level: Any = "action", **more: object) -> None:
        self.note(*alert_row(about, level, code, f"{about}: something", **more), cycle=cycle)

    def note(self, kind: str, key: str, body: dict[str, object], cycle: str | None = None) -> None:
        self.journal.record_event(ACCOUNT, cycle, self._next(), kind, key, body)

    def cycle(
        self,
        outcome: CycleOutcome = CycleOutcome.HOLDING,
        *,
        planned: bool = True,
        held: str = "",
        frozen: str = "",
        ends: dict[str, Outcome] | None = None,
        order: OrderState | None = None,
    ) -> str:
        """A whole cycle. frozen: the symbol of an order in an unknown status. ends: by source, what became of its
        signal. order: how one for A ended."""
        at = self._next()
        name = f"c-{at:%H%M}"
        self.journal.begin_cycle(CycleStart(ACCOUNT, name, "paper", at, "1", sha256("{}")))
        signals = tuple(Signal(f"{s}-{name}", "A", 0.5, 0.5, s, at) for s in ends or {})
        verdicts = [Verdict(f"{s}-{name}", "A", outcome, stated("so")) for s, outcome in (ends or {}).items()]
        if planned:
            words = {frozen: "says so"} if frozen else {}
            seen = snapshot(cycle_id=name, as_of=at, signals=signals, unknown_words=words)
            self.journal.record_plan(ACCOUNT, name, at, canonical(plain(seen)), "{}", f"plan {name}")
        if order is not None:
            intent = Intent(f"{name}-A", name, "increase", "A", "buy", Decimal(1), sha256("b"), "b", at)
            self.journal.record_intents(ACCOUNT, [intent])
            self.told(name, order)
        self.journal.close_cycle(
            CycleEnd(
                account_id=ACCOUNT,
                cycle_id=name,
                at=at,
                outcome=outcome,
                because="so",
                expected_positions={held: Decimal(1)} if held else {},
                unexplained={},
                orders_after=None,
                fills_seen={},
                equity=None,
                positions_trusted=True,
            ),
            verdicts,
            carried=[f"{name}-A"] if order is not None and not order.is_final else (),
        )
        return name

    def told(self, cycle: str, state: OrderState) -> None:
        """What the broker says of the order of a cycle."""
        self.journal.record_order(ACCOUNT, f"{cycle}-A", self._next(), state, Decimal(0), None, "b-1", "", "")

    @property
    def resolved(self) -> str:
        """What has ended the first alert."""
        source = Source(self.journal, ACCOUNT, Rules(), "day", FRIDAY, self.now)
        return Resolutions(source).of(self._first)

    @property
    def _first(self) -> Event:
        return self.journal.recall(ACCOUNT, "alert")[0]

    def _next(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        desk = Desk(journal)
        desk.cycle(held="A")
        yield desk


@pytest.mark.parametrize("code", ["halted", "doubt", "missed_slots"])
def test_what_stopped_a_cycle_is_over_when_another_runs_as_planned(desk: Desk, code: str) -> None:
    desk.alert(code, code)
    assert desk.resolved == ""
    desk.cycle(CycleOutcome.HALTED_DRAWDOWN)
    desk.cycle(CycleOutcome.COMPLETED, planned=False)  # an exit, or a flatten: they trade while everything is halted
    assert desk.resolved == ""
    desk.cycle(CycleOutcome.HOLDING)
    assert desk.resolved == RAN


def test_a_constrained_cycle_does_not_end_the_constraint(desk: Desk) -> None:
    desk.alert("CONSTRAINED", "constrained", level="warning")
    desk.cycle(CycleOutcome.CONSTRAINED)
    assert desk.resolved == ""
    desk.cycle(CycleOutcome.COMPLETED)
    assert desk.resolved == "a later cycle could send what was due"


def test_another_program_stands_until_a_person_has_its_orders_adopted(desk: Desk) -> None:
    desk.alert("another_program", "another_program")
    desk.cycle()
    assert desk.resolved == ""
    desk.alert("adopted", "adopted", level="warning")
    assert desk.resolved == "the orders were adopted after a person had accepted them"


def test_an_unknown_order_is_over_when_those_of_its_own_cycle_have_ended(desk: Desk) -> None:
    earlier, later = desk.cycle(order=OrderState.UNKNOWN), desk.cycle(order=OrderState.OPEN)
    desk.told(earlier, OrderState.CANCELED)
    desk.alert("A", "unknown_order", later)
    desk.cycle()
    assert desk.resolved == ""
    desk.told(later, OrderState.EXPIRED)
    assert desk.resolved == "the order ended expired"


@pytest.mark.parametrize(("trades", "said"), [(True, RAN), (False, ""), (None, "")])
def test_a_unit_that_does_not_trade_is_not_repaired_by_a_cycle(desk: Desk, trades: bool | None, said: str) -> None:
    desk.alert("unit_failed", "unit_failed", **({} if trades is None else {"trades": trades}))
    desk.cycle()
    assert desk.resolved == said


def test_a_preflight_finding_is_over_when_a_later_day_does_not_find_it(desk: Desk) -> None:
    desk.alert("preflight", "preflight", level="warning")
    desk.cycle()
    desk.note("day_closed", "2026-11-20", {})
    assert desk.resolved == ""
    desk.note("day_closed", "2026-11-23", {})
    assert desk.resolved == "a later day did not find it again"
    desk.alert("preflight", "preflight", level="warning")
    assert desk.resolved == ""


def test_stale_signals_are_over_when_a_cycle_uses_newer_ones(desk: Desk) -> None:
    desk.alert("external", "stale_signals", level="warning")
    desk.cycle(ends={"external": Outcome.REJECTED_STALE, "other": Outcome.FILLED})
    assert desk.resolved == ""
    desk.cycle(ends={"external": Outcome.HELD_WITHIN_BAND})
    assert desk.resolved == "its signals are no longer stale"


def test_a_latch_is_over_when_it_is_lifted_after_it(desk: Desk) -> None:
    desk.note("rearmed", "throttle", {"reason": "looked at"})  # of an earlier one, on a clock that is ahead
    desk.now -= timedelta(minutes=5)
    desk.alert("throttle", "latched")
    desk.cycle()
    assert desk.resolved == ""
    desk.note("rearmed", "daily_loss", {"reason": "of another limit"})
    assert desk.resolved == ""
    desk.note("rearmed", "throttle", {"reason": "looked at again"})
    assert desk.resolved == "lifted by a person"


@pytest.mark.parametrize(("limit", "said"), [("drawdown", "lifted on the next day"), ("throttle", "")])
def test_only_loss_limits_are_lifted_by_the_next_day(desk: Desk, limit: str, said: str) -> None:
    desk.alert(limit, "latched")
    desk.now += timedelta(days=3)
    desk.cycle()
    assert desk.resolved == said


@pytest.mark.parametrize("code", ["exit_failed", "unprotected", "protection"])
def test_a_position_is_closed_only_when_a_later_cycle_says_so(desk: Desk, code: str) -> None:
    desk.alert("B", code)  # bought by a cycle that has not ended
    assert desk.resolved == ""
    desk.cycle(CycleOutcome.ABANDONED, held="B")
    assert desk.resolved == ""
    desk.cycle(CycleOutcome.COMPLETED, planned=False)
    assert desk.resolved != ""


def test_the_monitor_itself_is_no_position(desk: Desk) -> None:
    desk.alert("monitor", "unprotected")
    desk.cycle()
    assert desk.resolved == ""
    desk.note("unprotected", "monitor", {"state": "ended", "since": "2026-11-20T14:30:00Z", "text": ""})
    assert desk.resolved == "it is protected again"


def test_differences_of_the_books_stand_until_a_person_accepts_them(desk: Desk) -> None:
    desk.alert("cash", "books")
    desk.note("day_closed", "2026-11-23", {"differences": []})  # begins with the broker's own closing, so it agrees
    assert desk.resolved == ""
    desk.note("books_accepted", "c", {"reason": "a fee, looked up"})
    assert desk.resolved == "the broker's books were accepted by a person"


def test_an_unknown_status_is_over_when_a_later_cycle_does_not_freeze_its_symbol(desk: Desk) -> None:
    desk.alert("order-1 odd_status", "unknown_word", symbol="A")
    desk.note("day_closed", "2026-11-23", {})
    desk.cycle(frozen="A")
    assert desk.resolved == ""
    desk.cycle(frozen="B")
    assert desk.resolved == "its symbol is no longer frozen"


def test_an_unknown_activity_of_the_account_is_over_with_the_books_of_a_later_day(desk: Desk) -> None:
    desk.alert("the account 77", "unknown_word", symbol="")
    desk.cycle()
    desk.note("day_closed", "2026-11-20", {})
    assert desk.resolved == ""
    desk.note("day_closed", "2026-11-23", {})
    assert desk.resolved == "the books of a later day are closed"


@pytest.mark.parametrize(
    ("code", "level"),
    [("form", "action"), ("journal", "action"), ("report", "warning"), ("unexplained", "warning"), ("new", "action")],
)
def test_what_nothing_is_known_to_end_stands(desk: Desk, code: str, level: str) -> None:
    desk.alert("A", code, level=level)
    desk.cycle()
    desk.note("day_closed", "2026-11-23", {"differences": []})
    assert desk.resolved == ""
