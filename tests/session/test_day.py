"""One day: what is run, what is written instead, and in which order things happen."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused, LockHeld
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.market_data.trading_calendar import Slot
from rebalancer.session.stop import Stop
from tests.session.simulated import Company, Machine, at

DAY = "2026-11-20"


def company(start: str = f"{DAY}T14:20", **rules: object) -> Company:
    return Company(Machine(at(start)), Rules.model_validate({"protection": {"poll_seconds": 3600}} | rules))


def outcomes(made: Company) -> Counter[CycleOutcome]:
    return Counter(outcome for outcome, _ in made.journal.ended.values())


def test_a_whole_day_runs_every_slot_once_and_is_closed() -> None:
    made = company()
    assert made.session().run() == f"the trading day {DAY} is closed"
    assert outcomes(made) == {CycleOutcome.HOLDING: 78}
    assert set(made.ran.values()) == {1}
    assert made.closed_days == [at(DAY).date()]
    assert made.machine.true >= at(f"{DAY}T21:05")


def test_a_day_that_is_no_trading_day_ends_at_once() -> None:
    made = company("2026-11-26T13:00")
    assert made.session().run() == (
        "the market is closed on 2026-11-26; the next session opens Fri 2026-11-27 09:30 ET"
    )
    assert not made.journal.claims


def test_a_late_start_writes_down_what_it_missed_and_never_makes_up_for_it() -> None:
    made = company(f"{DAY}T15:01")
    made.session().run()
    assert outcomes(made) == {CycleOutcome.MISSED: 6, CycleOutcome.HOLDING: 72}
    assert made.started[0] == at(f"{DAY}T15:01")  # the slot of 15:00 is one minute old: still in time
    assert made.ended_because("2026-11-20T14:30Z") == "no session was running"


def test_a_start_after_the_close_only_does_the_books() -> None:
    made = company("2026-11-19T14:20")
    made.session().run()
    made.machine.true = at(f"{DAY}T22:00")
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 78, CycleOutcome.MISSED: 78}
    assert made.closed_days == [at("2026-11-19").date(), at(DAY).date()]


def test_a_first_start_after_the_close_has_missed_nothing() -> None:
    made = company(f"{DAY}T22:00")
    assert made.session().run() == (
        f"the market is closed for today, {DAY}; the next session opens Mon 2026-11-23 09:30 ET"
    )
    assert not made.journal.claims


def test_a_restart_goes_on_where_the_first_one_stopped() -> None:
    made = company()
    stop = Stop()
    made.machine.faults.append((at(f"{DAY}T16:02"), lambda _: stop.ask("SIGTERM")))
    assert made.session(stop).run() == "SIGTERM"
    assert outcomes(made) == {CycleOutcome.HOLDING: 19}
    assert not made.closed_days
    made.machine.wait(600)
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 77, CycleOutcome.MISSED: 1}
    assert set(made.ran.values()) == {1}


def test_days_without_any_session_are_written_down_at_the_next_start() -> None:
    made = company()
    made.session().run()
    made.machine.true = at("2026-11-30T14:20")
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 156, CycleOutcome.MISSED: 3 * 78 + 42}


def test_days_that_nobody_played_have_missed_nothing_in_simulation() -> None:
    made = company()
    made.session(skips_days=True).run()
    made.machine.true = at("2026-11-30T15:01")
    made.session(skips_days=True).run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 78 + 72, CycleOutcome.MISSED: 6}
    assert {slot for slot, (outcome, _) in made.journal.ended.items() if outcome is CycleOutcome.MISSED} == {
        f"2026-11-30T14:{minute}Z" for minute in (30, 35, 40, 45, 50, 55)
    }


def test_in_simulation_positions_are_looked_at_right_after_each_change_of_the_prices() -> None:
    made = company(protection={"poll_seconds": 5})
    made.session(price_seconds=15.0).run()
    late = Counter(round(moment.timestamp() % 15, 3) for moment in made.looked[1:])
    assert set(late) == {0.0, 3.0}
    assert late[3.0] <= 78  # a cycle takes three seconds, and the look that came due in it follows at once
    assert late[0.0] > 1400
    slow = company(protection={"poll_seconds": 60})
    slow.session(price_seconds=15.0).run()
    plain = company(protection={"poll_seconds": 60})
    plain.session().run()
    assert slow.looked == plain.looked


def test_an_overrun_is_not_bunched_and_says_so() -> None:
    made = company()
    made.duration = lambda slot: 660.0 if slot.id.endswith("15:00Z") else 3.0
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 77, CycleOutcome.SKIPPED_OVERLAPPING: 1}
    assert made.journal.ended["2026-11-20T15:05Z"] == (
        CycleOutcome.SKIPPED_OVERLAPPING, "the cycle before it was still running",
    )  # fmt: skip
    assert made.ran["2026-11-20T15:10Z"] == 1  # 61 s late, within the limit of 120


def test_an_unscheduled_closure_is_believed() -> None:
    made = company()
    made.machine.closed = [(at(f"{DAY}T17:00"), at(f"{DAY}T18:00"))]
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 66, CycleOutcome.SKIPPED_MARKET_CLOSED: 12}
    assert made.outside == 0


def test_a_broker_that_is_down_costs_its_slots_only() -> None:
    made = company()
    made.machine.down = (at(f"{DAY}T15:58"), at(f"{DAY}T16:58"))
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 66, CycleOutcome.HALTED_BROKER_DOWN: 12}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BrokerUnavailable("503"), CycleOutcome.HALTED_BROKER_DOWN),
        (BadDocument("signals.csv:3", "no symbol"), CycleOutcome.MISSED),
        (LockHeld("process 7"), CycleOutcome.SKIPPED_OVERLAPPING),
    ],
)
def test_a_cycle_that_cannot_be_run_is_written_down_and_the_day_goes_on(
    error: Exception, outcome: CycleOutcome
) -> None:
    made = company()

    def cycle(slot: Slot) -> bool:
        if slot.id == "2026-11-20T15:00Z":
            made.journal.forget(slot.id)
            made.ran[slot.id] = 0
            raise error
        return False

    made.dies = cycle
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 77, outcome: 1}


def test_a_refused_key_ends_the_session_at_once() -> None:
    made = company()

    def refused(slot: Slot) -> bool:
        made.journal.forget(slot.id)
        raise CredentialsRefused("401")

    made.dies = refused
    with pytest.raises(CredentialsRefused):
        made.session().run()
    assert outcomes(made) == {CycleOutcome.HALTED_ACCOUNT: 1}


def test_a_cycle_that_breaks_in_an_unknown_way_ends_the_session() -> None:
    made = company()
    made.dies = lambda slot: bool(1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.session().run()
    assert len(made.journal.claims) == 1


def test_the_monitor_looks_while_the_market_is_open_and_not_otherwise() -> None:
    made = company(protection={"poll_seconds": 5})
    made.session().run()
    open_seconds = 6.5 * 3600
    assert 0.9 * open_seconds / 5 < made.looks <= open_seconds / 5
    assert made.outside == 0


def test_end_of_day_is_tried_again_while_the_broker_is_silent() -> None:
    made = company(f"{DAY}T20:50")
    made.session()
    tries = []

    def closing(day: object, slot_counts: object) -> None:
        tries.append(made.machine.true)
        if len(tries) < 3:
            raise BrokerUnavailable("503")

    made._end_of_day = closing  # type: ignore[method-assign]  # the part under test is the session around it
    assert made.session().run() == f"the trading day {DAY} is closed"
    assert [t - tries[0] >= timedelta(minutes=n) for n, t in enumerate(tries)] == [True] * 3
    made.machine.true = at(f"{DAY}T20:50")
    tries.clear()

    def never(day: object, slot_counts: object) -> None:
        tries.append(made.machine.true)
        raise BrokerUnavailable("503")

    made._end_of_day = never  # type: ignore[method-assign]  # as above
    with pytest.raises(BrokerUnavailable):
        made.session().run()
    assert len(tries) == 10


def test_around_the_clock_crypto_has_slots_day_and_night_until_stopped() -> None:
    made = company("2026-11-20T05:00", session={"crypto_around_the_clock": True})
    stop = Stop()
    made.machine.faults.append((at("2026-11-23T05:00"), lambda _: stop.ask("SIGTERM")))
    assert made.session(stop).run() == "SIGTERM"
    slots = 3 * 24 * 12
    assert outcomes(made) == {CycleOutcome.HOLDING: slots}
    assert [str(day) for day in made.closed_days] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert made.outside == 0


def test_a_short_sleep_is_noticed_on_waking() -> None:
    made = company()
    made.machine.faults.append((at(f"{DAY}T16:02"), lambda machine: machine.sleep(4 / 60)))
    made.session().run()
    assert outcomes(made) == {CycleOutcome.HOLDING: 78}
    assert at(f"{DAY}T16:06") in made.started  # the slot of 16:05, one minute late instead of four
