from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from journal_kit import WRITER, at, end, intent, run_cycle, start, told

from rebalancer.core.errors import JournalBroken
from rebalancer.core.facts import Day
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.journal.day_events import VALUES, DayEvents
from rebalancer.journal.status_query import JournalStatus, query_status


def told_by_the_journal(journal: Journal, account: str) -> JournalStatus:
    """What a glance must say, by the journal's own answers."""
    unresolved = journal.unresolved_orders(account)
    last = next(iter(journal.cycles(account, limit=1)), None)
    of_last = () if last is None else journal.orders_of(last.cycle_id, account)
    planned = [event.cycle_id or "" for event in journal.recall(account, "cycle_planned", last=1)]

    alerts = [event for event in journal.latest_events(1000) if event.kind == "alert" and event.account_id == account]
    return JournalStatus(
        schema_ok=True,
        account_ids=tuple(sorted({record.account_id for record in journal.cycles()})),
        account_id=account,
        now=at(200),
        last_cycle=last,
        last_end=journal.last_end(account),
        unresolved=len(unresolved),
        unknown=sum(order.state is OrderState.UNKNOWN for order in unresolved),
        filled=sum(order.state is OrderState.FILLED for order in of_last),
        account=next(iter(journal.events(kind="account", account_id=account)[::-1]), None),
        orders_today=journal.orders_sent(account, midnight_in_new_york(at(200))),
        peak_equity=journal.peak_equity(account),
        kill_switch=journal.kill_switch(account),
        alerts=tuple(alerts[:5]),
        latched=journal.recall(account, "latched"),
        plan=journal.plan_text(planned[0], account) if planned else None,
        rules=journal.rules_text(planned[0], account) if planned else None,
        protection=journal.newest_of_each("protection", account),
        day=day_by_the_journal(journal, account),
    )


def day_by_the_journal(journal: Journal, account: str) -> DayEvents:
    """The newest value of the account and the newest end of a cycle that was no dry run."""
    values = [event for kind in VALUES for event in journal.recall(account, kind)]
    ended = [event for event in journal.recall(account, "cycle_ended") if event.key != "dry_run"]
    end = ended[-1] if ended else None
    if not values:
        return DayEvents(ended=end)
    planned = journal.recall(account, "cycle_planned")
    opening = journal.snapshot_text(planned[0].cycle_id or "", account) if planned else None
    return DayEvents(max(values, key=lambda event: event.seq), None, opening, end, journal.recall(account, "flow"))


def test_a_glance_equals_the_journals_own_answers_at_every_step(journal: Journal) -> None:
    def both_agree() -> JournalStatus | None:
        for account in (WRITER, "beta"):
            assert query_status(journal.place, now=at(200), account_id=account) == told_by_the_journal(journal, account)
        return query_status(journal.place, now=at(200))

    empty = both_agree()
    assert empty is not None
    assert empty.account_id is None
    for number in range(3):
        run_cycle(journal, f"c{number}", when=100 * number)
        both_agree()
    for number in range(7):
        journal.record_event(WRITER, None, at(number), "alert", str(number), {"text": "x"})
    for cash in ("10", "20"):
        journal.record_event(WRITER, None, at(0), "account", None, {"cash": cash})
    journal.begin_cycle(start("dry", mode="dry_run"))
    journal.close_cycle(end("dry", equity="100000.5"), [])
    both_agree()
    journal.begin_cycle(start("c9", account="beta"))
    journal.record_intents("beta", [intent("o1", "c9", when=200), intent("o2", "c9", when=201)])
    told(journal, "o1", OrderState.UNKNOWN, account="beta")
    journal.set_kill("beta", at(0), "by hand")
    doubtful = both_agree()
    assert doubtful is not None
    assert (doubtful.unresolved, doubtful.unknown) == (2, 1)
    told(journal, "o1", OrderState.NOT_SENT, account="beta")
    told(journal, "o1", OrderState.OPEN, broker_id="b", account="beta")
    last = both_agree()
    assert last is not None
    assert (last.account_id, last.unresolved, last.kill_switch) == ("beta", 2, "by hand")
    journal.clear_kill("beta", at(0), "seen")
    both_agree()


def test_a_day_ends_at_midnight_in_new_york(journal: Journal) -> None:
    """What was sent, and which loss limit broke, shortly before the close is not of the next day when that opens. The
    throttle stays until a person lifts it."""
    before_the_close, next_open = 6.4 * 3600, 24 * 3600
    run_cycle(journal, "c1", when=before_the_close)
    for limit in ("daily_loss", "throttle"):
        journal.record_event(WRITER, "c1", at(before_the_close), "latched", limit, {"because": limit})
    seen = [query_status(journal.place, now=at(when)) for when in (before_the_close + 60, next_open)]
    evening, morning = ((s.orders_today, [e.key for e in s.latched]) for s in seen if s is not None)
    assert evening == (Day(2, {"AAPL": 1, "MSFT": 1}), ["daily_loss", "throttle"])
    assert morning == (Day(), ["throttle"])


def test_a_cycle_that_has_no_account_yet_does_not_move_the_time(journal: Journal) -> None:
    """The time by the account's clock follows from the moment at which the account was last recorded by both clocks."""
    run_cycle(journal, "c1")
    journal.record_event(WRITER, "c1", at(8), "account", None, {"cash": "1", "run_at": time_text(at(8))})
    journal.begin_cycle(start("c2", when=24 * 3600))
    seen = query_status(journal.place, now=at(24 * 3600 + 60))
    assert seen is not None
    assert seen.now == at(24 * 3600 + 60)


def test_the_day_begins_with_the_last_value_of_an_earlier_one(journal: Journal) -> None:
    run_cycle(journal, "c1")
    for hours in (1, 20, 30, 31):
        journal.record_event(WRITER, None, at(hours * 3600), "account", None, {"equity": str(hours)})
    journal.record_event(WRITER, None, at(30 * 3600), "flow", "f", {"amount": "5"})
    seen = query_status(journal.place, now=at(32 * 3600))
    assert seen is not None
    assert seen.day.value is not None
    assert seen.day.before is not None
    assert (seen.day.value.body["equity"], seen.day.before.body["equity"], seen.day.opening) == ("31", "1", None)
    assert [event.key for event in seen.day.flows] == ["f"]
    journal.record_event(WRITER, None, at(31 * 3600), "books_accepted", None, {})
    again = query_status(journal.place, now=at(32 * 3600))
    assert again is not None
    assert (again.day.value, again.day.before, again.day.flows) == (None, None, ())


def test_no_journal_no_glance(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    assert query_status(path, now=at(0)) is None
    path.touch()
    assert query_status(path, now=at(0)) is None
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(JournalBroken, match="this is not a journal"):
        query_status(path, now=at(0))
    assert [file.name for file in tmp_path.iterdir()] == ["journal.sqlite"]


def test_a_glance_imports_nothing_heavy() -> None:
    code = "import sys, rebalancer.journal.status_query, rebalancer.ops.run_lock; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"sqlalchemy", "alembic", "pydantic", "numpy"}.isdisjoint(loaded)


def test_an_up_to_date_journal_opens_without_alembic(path: Path) -> None:
    code = f"import sys; from rebalancer.journal import Journal; Journal.open({str(path)!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "alembic" not in loaded
    assert "sqlalchemy" in loaded
