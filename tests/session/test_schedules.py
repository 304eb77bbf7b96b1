"""`execution.schedule` over whole years: every slot that is due runs, none runs outside the session, and the monitor
and the end of the day run on every trading day all the same."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.new_york import from_new_york, in_new_york
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.core.schedule import Schedule, schedule_of
from rebalancer.market_data.trading_calendar import Slot, next_slot, published_hours, scheduled_day
from rebalancer.session.stop import Stop
from tests.session.simulated import PUBLISHED, Company, Machine
from tests.session.test_year import start_of

FIRST, LAST = date(2025, 12, 15), date(2027, 1, 15)  # a year with both of its ends
DAYS = [hours for hours in PUBLISHED if FIRST <= hours.day <= LAST]
USUAL = time(16)
BUFFER = timedelta(seconds=60)
SCHEDULES = {  # how many slots are due from FIRST to LAST: 273 sessions, three of them half days
    None: 270 * 78 + 3 * 42,
    "every 5m": 270 * 78 + 3 * 42,
    "every 60m": 270 * 7 + 3 * 4,
    "drift 0.05": 270 * 78 + 3 * 42,
    "daily 15:45": 273,
    "daily 09:30": 273,
    "daily 12:59": 273,
    "weekly last 15:45": 57,
    "weekly first 10:00": 57,
    "monthly first 10:00": 13,
    "monthly last 15:58": 13,
}


def expected(text: str, days: list[TradingHours]) -> list[datetime]:
    """The slots of a daily, weekly or monthly schedule, computed in another way: walk through the days and look at the
    neighbours."""
    kind, *rest = text.split()
    at = time.fromisoformat(rest[-1])
    found = []
    for index, hours in enumerate(days):
        day = hours.day
        before = days[index - 1].day if index else None
        after = days[index + 1].day if index + 1 < len(days) else None
        other = before if rest[0] == "first" else after
        if kind == "weekly" and other is not None and other.isocalendar()[:2] == day.isocalendar()[:2]:
            continue
        if kind == "monthly" and other is not None and (other.year, other.month) == (day.year, day.month):
            continue
        moment = from_new_york(day, at)
        early = from_new_york(day, USUAL) - hours.close
        found.append(moment - early if hours.close - moment <= BUFFER else moment)
    return found


@pytest.mark.parametrize("text", SCHEDULES)
def test_a_year_of_sessions_runs_what_is_due_and_nothing_else(text: str | None) -> None:
    rules = Rules.model_validate({"protection": {"poll_seconds": 3600}, "execution": {"schedule": text}})
    made, stop, quiet = Company(Machine(start_of(DAYS[0].day)), rules), Stop(), []
    for hours in DAYS:
        made.machine.true = start_of(hours.day)
        looked = made.looks
        assert made.session(stop).run() == f"the trading day {hours.day} is closed"
        quiet += [hours.day] * (made.looks == looked)
    stop.bell.close()
    print(f"{text}: {SCHEDULES[text]} due, {sum(made.ran.values())} run, {made.outside} outside the session")
    assert len(made.ran) == sum(made.ran.values()) == SCHEDULES[text]
    assert set(made.journal.claims) == set(made.ran)
    assert Counter(outcome for outcome, _ in made.journal.ended.values()) == {CycleOutcome.HOLDING: SCHEDULES[text]}
    assert (made.outside, made.late, quiet) == (0, 0.0, [])
    assert made.closed_days == [hours.day for hours in DAYS]
    if text is not None and text.split()[0] in ("daily", "weekly", "monthly"):
        # the first week is whole, and so is the last; the first month begins before FIRST, and January 2027 goes on
        wanted = [at for at in expected(text, list(PUBLISHED)) if FIRST <= in_new_york(at).date() <= LAST]
        assert made.started == wanted


@pytest.mark.parametrize("text", ["daily 15:45", "weekly last 15:45", "monthly first 10:00"])
def test_a_slot_without_a_session_is_recorded_as_missed_at_the_next_start(text: str) -> None:
    rules = Rules.model_validate({"protection": {"poll_seconds": 3600}, "execution": {"schedule": text}})
    made, stop = Company(Machine(start_of(DAYS[0].day)), rules), Stop()
    for number, hours in enumerate(DAYS):
        if number == 0 or hours == DAYS[-1] or number % 20 == 19:  # a session every four weeks
            made.machine.true = start_of(hours.day)
            made.session(stop).run()
    stop.bell.close()
    due = [slot.id for slot in slots_of(text, FIRST, LAST, PUBLISHED)]
    begins = min(made.journal.claims)
    assert sorted(made.journal.claims) == [name for name in due if name >= begins]
    assert set(made.journal.ended) == set(made.journal.claims)
    assert made.outside == 0


@pytest.mark.parametrize("text", ["daily 15:45", "weekly last 15:45"])
def test_around_the_clock_the_schedule_adds_no_slots_of_its_own(text: str) -> None:
    rules = Rules.model_validate(
        {
            "protection": {"poll_seconds": 3600},
            "execution": {"schedule": text},
            "session": {"crypto_around_the_clock": True},
        }
    )
    day = date(2026, 11, 23)  # a week with a holiday and a half day
    made = Company(Machine(start_of(day)), rules)
    made.machine.faults = [(start_of(day) + timedelta(days=7), lambda machine: made.stop.ask("SIGTERM"))]
    made.session().run()
    wanted = expected(text, list(PUBLISHED))
    assert made.started == [at for at in wanted if day <= in_new_york(at).date() <= day + timedelta(days=6)]
    assert made.outside == 0
    assert made.looks >= 7 * 24 - 1
    assert len(made.closed_days) == 7


# any year, any time


@cache
def around(year: int) -> tuple[TradingHours, ...]:
    return published_hours(date(year - 1, 11, 1), date(year + 1, 3, 1))


def slots_of(text: str, first: date, last: date, calendar: tuple[TradingHours, ...]) -> list[Slot]:
    timing = schedule_of(text, 5, 60)
    return [
        slot
        for ahead in range((last - first).days + 1)
        for slot in scheduled_day(first + timedelta(days=ahead), calendar, timing, around_the_clock=False).slots
    ]


times = st.integers(9 * 60 + 30, 15 * 60 + 58).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
texts = st.one_of(
    times.map("daily {}".format),
    st.tuples(st.sampled_from(["weekly", "monthly"]), st.sampled_from(["first", "last"]), times).map(" ".join),
)


@settings(max_examples=60)
@given(texts, st.integers(2016, 2030))
def test_each_day_week_or_month_has_one_slot_within_its_session(text: str, year: int) -> None:
    calendar = around(year)
    first, last = date(year, 1, 1), date(year, 12, 31)
    found = slots_of(text, first, last, calendar)
    wanted = [at for at in expected(text, list(calendar)) if in_new_york(at).year == year]
    assert [slot.at for slot in found] == wanted
    hours = {one.day: one for one in calendar}
    for slot in found:
        day = hours[in_new_york(slot.at).date()]
        assert day.open <= slot.at < day.close - BUFFER
        assert not slot.crypto_only
        if day.close == from_new_york(day.day, USUAL):
            assert f"{in_new_york(slot.at):%H:%M}" == text[-5:]
    kind = text.split()[0]
    assert len(found) == {"daily": sum(one.day.year == year for one in calendar), "monthly": 12}.get(kind, len(found))
    if kind == "weekly":
        gaps = {(b.at.date() - a.at.date()).days for a, b in pairwise(found)}
        assert gaps <= {5, 6, 7, 8, 9}


@settings(max_examples=60)
@given(texts | st.sampled_from(["every 5m", "every 47m", "drift 0.1"]), st.integers(2016, 2030), st.data())
def test_the_next_slot_is_the_first_one_after_any_moment(text: str, year: int, data: st.DataObject) -> None:
    calendar = around(year)
    now = data.draw(st.datetimes(datetime(year, 1, 1), datetime(year, 12, 20)))
    now = now.replace(tzinfo=calendar[0].open.tzinfo)
    timing: Schedule = schedule_of(text, 5, 60)
    today = in_new_york(now).date()
    later = [slot for slot in slots_of(text, today, today + timedelta(days=40), calendar) if slot.at > now]
    assert next_slot(now, calendar, timing, around_the_clock=False) == later[0]


def test_the_special_days_of_a_year_by_name() -> None:
    found = {
        text: [slot.id for slot in slots_of(text, date(2026, 11, 23), date(2027, 1, 4), around(2026))]
        for text in ("weekly last 15:45", "monthly last 15:45", "monthly first 10:00", "weekly first 13:00")
    }
    assert found == {
        "weekly last 15:45": [
            "2026-11-27T17:45Z",  # the half day after Thanksgiving: fifteen minutes before its close
            "2026-12-04T20:45Z",
            "2026-12-11T20:45Z",
            "2026-12-18T20:45Z",
            "2026-12-24T17:45Z",  # Thursday, a half day: Friday is Christmas
            "2026-12-31T20:45Z",  # Thursday: Friday is New Year
        ],
        "monthly last 15:45": ["2026-11-30T20:45Z", "2026-12-31T20:45Z"],
        "monthly first 10:00": ["2026-12-01T15:00Z", "2027-01-04T15:00Z"],
        "weekly first 13:00": [
            *("2026-11-23T18:00Z", "2026-11-30T18:00Z", "2026-12-07T18:00Z", "2026-12-14T18:00Z"),
            *("2026-12-21T18:00Z", "2026-12-28T18:00Z", "2027-01-04T18:00Z"),
        ],
    }
    clocks = slots_of("daily 10:00", date(2026, 3, 6), date(2026, 3, 9), around(2026))
    assert [slot.id for slot in clocks] == ["2026-03-06T15:00Z", "2026-03-09T14:00Z"]
    assert schedule_of("daily 15:45", 5).minutes_until_next == 1440
