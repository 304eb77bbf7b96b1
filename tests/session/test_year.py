"""A year of sessions in which clocks, machines and brokers go wrong: no slot runs twice, none is lost, none is late."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from rebalancer.core.new_york import NEW_YORK
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.market_data.trading_calendar import Slot, hours_of, trading_day
from rebalancer.session.stop import Stop
from tests.session.simulated import PUBLISHED, Company, Died, Machine

YEAR = [hours for hours in PUBLISHED if hours.day.year == 2026]
LATE = 120  # session.late_start_seconds
FIVE = timedelta(minutes=5)


def expected_slots(first: date, last: date) -> list[Slot]:
    return [
        slot
        for hours in PUBLISHED
        if first <= hours.day <= last
        for slot in trading_day(hours.day, hours_of(hours.day, PUBLISHED), 5, around_the_clock=False).slots
    ]


def start_of(day: date) -> datetime:
    """When the timer starts the session: 09:25 in New York."""
    return datetime.combine(day, datetime.min.time().replace(hour=9, minute=25), NEW_YORK).astimezone(
        YEAR[0].open.tzinfo
    )


def hold(made: Company, slots: list[Slot]) -> None:
    """The laws of every run; `pytest -rP` shows the figures."""
    twice = sum(count > 1 for count in made.ran.values())
    print(f"{len(slots)} slots due, {len(made.journal.ended)} with an outcome, {sum(made.ran.values())} cycles")
    print(f"{made.outside} outside the session, {twice} slots run twice, the latest {made.late:.0f} s after its time")
    assert set(made.journal.claims) == {slot.id for slot in slots}
    assert set(made.journal.ended) == set(made.journal.claims)
    assert max(made.ran.values()) == 1
    assert made.outside == 0
    assert made.late <= LATE
    # never bunched: a cycle begins at its own slot or a little after it, so two are never closer than this
    gaps = [later - earlier for earlier, later in zip(made.started, made.started[1:], strict=False)]
    assert min(gaps) >= FIVE - timedelta(seconds=LATE)


def test_a_year_without_faults() -> None:
    made = Company(Machine(start_of(YEAR[0].day)))
    for hours in YEAR:
        made.machine.true = start_of(hours.day)
        made.session().run()
    slots = expected_slots(YEAR[0].day, YEAR[-1].day)
    assert (len(YEAR), len(slots)) == (251, 249 * 78 + 2 * 42)
    hold(made, slots)
    assert Counter(outcome for outcome, _ in made.journal.ended.values()) == {CycleOutcome.HOLDING: len(slots)}
    assert made.closed_days == [hours.day for hours in YEAR]


def back_one_hour(machine: Machine) -> None:
    machine.wall_error -= timedelta(hours=1)


def forward_two_hours(machine: Machine) -> None:
    machine.wall_error += timedelta(hours=2)


def set_right(machine: Machine) -> None:
    machine.wall_error = timedelta(0)


def asleep_six_hours(machine: Machine) -> None:
    machine.sleep(6)


def asleep_ten_minutes(machine: Machine) -> None:
    machine.sleep(1 / 6)


def broker_back_one_hour(machine: Machine) -> None:
    machine.lie = timedelta(hours=-1)


def broker_right(machine: Machine) -> None:
    machine.lie = timedelta(0)


def broker_down(machine: Machine) -> None:
    machine.down = (machine.true, machine.true + timedelta(minutes=17))


HOST_FAULTS: list[Callable[[Machine], None]] = [
    back_one_hour, forward_two_hours, set_right, asleep_six_hours, asleep_ten_minutes, broker_down,
]  # fmt: skip


@pytest.mark.parametrize("fault", HOST_FAULTS)
def test_each_fault_at_every_hour_of_a_day(fault: Callable[[Machine], None]) -> None:
    day = date(2026, 11, 2)
    for minutes in range(-4, 400, 13):
        made = Company(Machine(start_of(day)))
        made.machine.faults.append((start_of(day) + timedelta(minutes=minutes, seconds=31), fault))
        made.session().run()
        hold(made, expected_slots(day, day))


@pytest.mark.campaign
@pytest.mark.parametrize("fault", HOST_FAULTS)
def test_each_fault_on_every_day_of_a_year(fault: Callable[[Machine], None]) -> None:
    chance = random.Random(fault.__name__)
    made = Company(Machine(start_of(YEAR[0].day)))
    for hours in YEAR:
        made.machine.true = begin = max(made.machine.true, start_of(hours.day))
        made.machine.faults = [(begin + timedelta(seconds=chance.randrange(0, 24_000)), fault)]
        made.session().run()
    hold(made, expected_slots(YEAR[0].day, YEAR[-1].day))


@pytest.mark.parametrize("fault", [back_one_hour, forward_two_hours])
def test_the_hosts_clock_alone_costs_no_slot(fault: Callable[[Machine], None]) -> None:
    day = date(2026, 11, 2)
    made = Company(Machine(start_of(day)))
    made.machine.faults.append((start_of(day) + timedelta(minutes=77), fault))
    made.session().run()
    assert Counter(outcome for outcome, _ in made.journal.ended.values()) == {CycleOutcome.HOLDING: 78}


def test_a_brokers_clock_that_goes_back_and_comes_right_runs_nothing_twice() -> None:
    day = date(2026, 11, 2)
    made = Company(Machine(start_of(day)))
    begin = start_of(day)
    made.machine.faults = [
        (begin + timedelta(minutes=101), broker_back_one_hour),
        (begin + timedelta(minutes=131), broker_right),
    ]
    made.session().run()
    assert max(made.ran.values()) == 1
    assert set(made.journal.ended) == {slot.id for slot in expected_slots(day, day)}


@pytest.mark.parametrize("seed", range(4))
def test_a_year_in_which_everything_goes_wrong(seed: int) -> None:
    chance = random.Random(seed)
    made = Company(Machine(start_of(YEAR[0].day)))
    seen: Counter[str] = Counter()

    def takes(_: Slot) -> float:
        long = chance.random() < 0.004
        seen["overrun"] += long
        return chance.uniform(200, 900) if long else chance.uniform(1, 40)

    def dies(_: Slot) -> bool:
        kill = chance.random() < 0.0008
        seen["killed"] += kill
        return kill

    made.duration, made.dies = takes, dies
    machine = made.machine
    for hours in YEAR:
        if chance.random() < 0.03 and hours != YEAR[0] and hours != YEAR[-1]:
            seen["absent"] += 1
            continue
        if machine.true > hours.close:
            seen["slept over a day"] += 1
            continue
        machine.true = max(machine.true, start_of(hours.day) + timedelta(minutes=chance.choice([0, 0, 0, 0, 47])))
        machine.closed = []
        if chance.random() < 0.02:
            begin = hours.open + timedelta(minutes=chance.randrange(0, 300))
            machine.closed = [(begin, begin + timedelta(minutes=50))]
        machine.faults = sorted(
            (
                (start_of(hours.day) + timedelta(seconds=chance.randrange(0, 25_000)), chance.choice(HOST_FAULTS))
                for _ in range(chance.choice([0, 0, 1, 2]))
            ),
            key=lambda one: one[0],
        )
        seen["faults"] += len(machine.faults)
        while True:  # systemd starts it again after a crash
            try:
                stop = Stop()
                if chance.random() < 0.01:
                    when = start_of(hours.day) + timedelta(seconds=chance.randrange(0, 25_000))
                    machine.faults = sorted([*machine.faults, (when, lambda _, s=stop: s.ask("SIGTERM"))])  # type: ignore[misc]  # one stop each
                made.session(stop).run()
            except Died:
                machine.wait(30)
                continue
            if stop.reason() is None:
                break
            seen["stopped"] += 1
            machine.wait(600)
    machine.faults, machine.closed = [], []
    machine.true = max(machine.true, YEAR[-1].close + timedelta(hours=1))
    made.session().run()
    hold(made, expected_slots(YEAR[0].day, YEAR[-1].day))
    assert min(seen[name] for name in ("overrun", "killed", "absent", "faults", "stopped")) > 0
    met = Counter(outcome for outcome, _ in made.journal.ended.values())
    wanted = {
        CycleOutcome.HOLDING, CycleOutcome.MISSED, CycleOutcome.SKIPPED_TOO_LATE, CycleOutcome.SKIPPED_OVERLAPPING,
        CycleOutcome.SKIPPED_MARKET_CLOSED, CycleOutcome.HALTED_BROKER_DOWN, CycleOutcome.ABANDONED,
    }  # fmt: skip
    assert set(met) == wanted, met
