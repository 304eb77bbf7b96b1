from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_kit import RULES, WRITER, at, end, intent, run_cycle, start, told, verdict

from rebalancer.core.codec import sha256
from rebalancer.core.errors import JournalBroken
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import ZERO
from rebalancer.journal import CycleRecord, Event, Journal, reading
from rebalancer.journal.place import Place

equities = st.none() | st.decimals(50_000, 150_000, places=2)
flows = st.decimals(-9_000, 9_000, places=2)


def test_a_cycle_reads_back_as_it_was_written(journal: Journal) -> None:
    run_cycle(journal, "c1")
    assert journal.cycle("c1") == CycleRecord(
        account_id=WRITER,
        cycle_id="c1",
        mode="paper",
        started_at=at(0),
        ended_at=at(9),
        outcome=CycleOutcome.COMPLETED,
        because="2 of 2 orders filled",
        snapshot_sha256=sha256("snapshot c1"),
        rules_sha256=sha256(RULES),
        plan_sha256=sha256("plan c1"),
        orders=2,
        equity=Decimal(100000),
    )
    assert journal.last_end(WRITER) == end("c1")
    assert journal.verdicts("c1") == (verdict("s-1"), verdict("s-2"))
    texts = (journal.snapshot_text("c1"), journal.rules_text("c1"), journal.plan_text("c1"))
    assert texts == ("snapshot c1", RULES, "plan c1")
    assert journal.open_cycles(WRITER) == ()
    kinds = [event.kind for event in journal.events("c1")]
    assert kinds == [
        "cycle_started",
        "cycle_planned",
        *["order_intended"] * 2,
        *["order_changed"] * 2,
        *["order_ended"] * 2,
        "alert",
        "cycle_verdicts",
        "cycle_ended",
    ]


def test_nothing_is_known_of_what_never_was(journal: Journal) -> None:
    assert (journal.cycle("c1"), journal.plan_text("c1"), journal.last_end(WRITER), journal.order("x")) == (None,) * 4
    assert (journal.cycles(), journal.orders_of("c1"), journal.verdicts("c1"), journal.latest_events(3)) == ((),) * 4
    assert (journal.peak_equity(WRITER), journal.kill_switch(WRITER)) == (None, None)
    assert journal.verify() == 0


def test_a_slot_is_claimed_once_for_ever_and_per_account(place: Place) -> None:
    with Journal.open(place) as journal:
        assert journal.begin_cycle(start("c1")) is True
        assert journal.begin_cycle(start("c1", mode="dry_run", when=5)) is False
        assert journal.begin_cycle(start("c1", account="beta")) is True
    with Journal.open(place) as again:
        assert again.begin_cycle(start("c1")) is False
        assert [record.account_id for record in again.cycles()] == ["beta", WRITER]
        with pytest.raises(ValueError, match="the accounts alpha, beta all have a cycle c1: say which one"):
            again.cycle("c1")
        mine = again.cycle("c1", WRITER)
        assert mine is not None
        assert (mine.mode, again.open_cycles(WRITER)) == ("paper", (mine,))


def test_the_last_reading_is_the_account_s_own(journal: Journal) -> None:
    """Slots have the same ids in every account, and the other account's cycle had no plan."""
    run_cycle(journal, "c1")
    journal.begin_cycle(start("c1", account="beta"))
    journal.close_cycle(end("c1", account="beta", when=20), [])
    assert journal.last_reading(WRITER, ()) == end("c1")
    assert journal.last_reading("beta", ()) is None


def test_only_an_open_cycle_takes_plans_intents_and_an_end(journal: Journal) -> None:
    def refuses(problem: str) -> None:
        with pytest.raises(JournalBroken, match=problem):
            journal.record_plan(WRITER, "c1", at(1), "s", RULES, "p")
        with pytest.raises(JournalBroken, match=problem):
            journal.record_intents(WRITER, [intent("o1", "c1")])
        with pytest.raises(JournalBroken, match=problem):
            journal.close_cycle(end("c1"), [])

    refuses("cycle c1 of alpha was never begun")
    journal.begin_cycle(start("c1"))
    journal.close_cycle(end("c1"), [])
    refuses("cycle c1 of alpha is closed already")
    assert len(journal.latest_events(100)) == 3


def test_a_cycle_has_one_plan_made_with_the_rules_it_began_with(journal: Journal) -> None:
    journal.begin_cycle(start("c1"))
    with pytest.raises(JournalBroken, match="begun with other rules"):
        journal.record_plan(WRITER, "c1", at(1), "s", "other", "p")
    for _ in range(2):
        journal.record_plan(WRITER, "c1", at(1), "s", RULES, "p")
    with pytest.raises(JournalBroken, match="another plan already"):
        journal.record_plan(WRITER, "c1", at(1), "s", RULES, "q")
    assert [event.kind for event in journal.events("c1")] == ["cycle_started", "cycle_planned"]
    assert journal.verify() == 2 + 3 + 1


def test_a_cycle_closes_only_when_its_orders_have_ended_or_are_carried(journal: Journal) -> None:
    journal.begin_cycle(start("c1"))
    journal.record_intents(WRITER, [intent("o1", "c1"), intent("o2", "c1")])
    told(journal, "o1", OrderState.WITHHELD)
    with pytest.raises(JournalBroken, match=r"order o2 \(buy 5 AAPL\) is still INTENDED"):
        journal.close_cycle(end("c1"), [], carried=["o2"])
    told(journal, "o2", OrderState.UNKNOWN)
    with pytest.raises(JournalBroken, match="is still UNKNOWN"):
        journal.close_cycle(end("c1"), [], carried=["o1"])
    journal.close_cycle(end("c1"), [], carried=["o2"])
    assert [order.client_order_id for order in journal.unresolved_orders(WRITER)] == ["o2"]
    told(journal, "o2", OrderState.FILLED, "5", broker_id="b2", when=400)
    assert journal.unresolved_orders(WRITER) == ()
    assert [order.state for order in journal.orders_of("c1")] == [OrderState.WITHHELD, OrderState.FILLED]


def test_a_signal_has_one_verdict(journal: Journal) -> None:
    journal.begin_cycle(start("c1"))
    with pytest.raises(JournalBroken, match="signal 's-1' of AAPL has two verdicts"):
        journal.close_cycle(end("c1"), [verdict("s-1"), verdict("s-1")])


def test_the_last_end_ignores_dry_runs(journal: Journal) -> None:
    for number, mode in enumerate(("paper", "dry_run", "live", "dry_run")):
        journal.begin_cycle(start(f"c{number}", mode=mode))
        journal.close_cycle(end(f"c{number}"), [])
    assert journal.last_end(WRITER) == end("c2")
    assert journal.last_end(WRITER, modes=["paper"]) == end("c0")
    assert journal.last_end(WRITER, modes=["dry_run"]) == end("c3")
    assert journal.last_end("beta") is None


def test_peak_equity_is_the_maximum_so_far(place: Place) -> None:
    peaks = []
    for number, equity in enumerate((None, "90000", "100000.01", None, "99999.99")):
        with Journal.open(place) as journal:
            journal.begin_cycle(start(f"c{number}"))
            journal.close_cycle(end(f"c{number}", equity=equity), [])
            peaks.append(journal.peak_equity(WRITER))
    assert peaks == [None, Decimal(90000), *[Decimal("100000.01")] * 3]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(equities, equities, flows), max_size=5))
def test_the_high_water_mark_never_falls(tmp_path: Path, lives: list[tuple[Decimal | None, ...]]) -> None:
    """It is the highest equity with which any cycle began or ended, moved by the money that came in or went out."""
    (folder := tmp_path / str(len(list(tmp_path.iterdir())))).mkdir()
    with Journal.open(folder / "journal.sqlite") as journal:
        mark: Decimal | None = None
        for number, (opened, ended, flow) in enumerate(lives):
            journal.begin_cycle(start(f"c{number}"))
            last = end(f"c{number}")._replace(opening_equity=opened, equity=ended)
            journal.close_cycle(last, [])
            mark = max((one for one in (mark, opened, ended) if one is not None), default=None)
            assert (journal.peak_equity(WRITER), journal.last_end(WRITER)) == (mark, last)
            journal.record_event(WRITER, None, at(10), "flow", None, {"amount": str(flow)})
            mark = None if mark is None or flow is None else mark + flow
            assert journal.peak_equity(WRITER) == mark


def test_cycles_are_listed_newest_first(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        run_cycle(journal, f"c{number}", when=300 * number)
    journal.begin_cycle(start("open"))
    listed = journal.cycles(WRITER, limit=3)
    assert [(record.cycle_id, record.orders) for record in listed] == [("open", 0), ("c3", 2), ("c2", 2)]
    monkeypatch.setattr(reading, "_NAMED_MAX", 1)
    assert journal.cycles(WRITER, limit=3) == listed
    assert listed == tuple(journal.cycle(record.cycle_id) for record in listed)


def test_the_kill_switch_holds_until_it_is_cleared(place: Place) -> None:
    with Journal.open(place) as journal:
        journal.set_kill(WRITER, at(0), "by hand")
        journal.set_kill("beta", at(1), "other")
    with Journal.open(place) as journal:
        assert journal.kill_switch(WRITER) == "by hand"
        journal.clear_kill(WRITER, at(2), "looked at it")
        assert (journal.kill_switch(WRITER), journal.kill_switch("beta")) == (None, "other")


def test_events_of_ones_own_and_hostile_words(journal: Journal) -> None:
    text = "\ud800 \x00 'quoted' \n ☃"
    journal.record_event(WRITER, None, at(0), "alert", None, {"text": text, "qty": Decimal("1.50")})
    stored = {"text": "? \x00 'quoted' \n ☃", "qty": "1.5"}
    assert journal.latest_events(1) == (Event(1, at(0), WRITER, None, "alert", None, stored),)
    with pytest.raises(ValueError, match="cycle_ended events are written by the journal's own methods"):
        journal.record_event(WRITER, "c1", at(0), "cycle_ended", None, {})
    assert journal.verify() == 1


def test_times_need_a_zone(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        journal.set_kill(WRITER, at(0).replace(tzinfo=None), "x")
    assert journal.orders_sent(WRITER, at(0)).orders_sent == ZERO
