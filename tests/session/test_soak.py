"""`doctor --soak`: what a good week passes, and each thing that must be seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.journal import Journal
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.backups import FOLDER, take
from rebalancer.session.doctor.soak import DAYS, check_soak
from rebalancer.session.end_of_day import KIND
from rebalancer.session.setup import Setup, load_setup
from tests.cli.conftest import Command, command, project
from tests.journal.journal_kit import WRITER, end, intent, start, told, verdict

__all__ = ["command", "project"]  # fixtures
MONDAY = datetime(2026, 11, 16, 21, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)


def closed(journal: Journal, day: int, slots: dict[str, int], found: tuple[str, ...] = ()) -> None:
    at = MONDAY + timedelta(days=day)
    body = {"slots": slots, "cancelled": 0, "found": list(found), "page": "", "text": ""}
    journal.record_event(WRITER, None, at, KIND, at.date().isoformat(), body)


@pytest.fixture
def setup(project: Path) -> Setup:
    return load_setup(None)._replace(mode="paper", state=project)


def good_week(journal: Journal) -> None:
    for day in range(DAYS):
        closed(journal, day, {"completed": 2, "holding": 76})
    journal.begin_cycle(start("2026-11-20T14:30:05Z"))
    journal.record_intents(WRITER, [intent("o1", "2026-11-20T14:30:05Z")])
    told(journal, "o1", OrderState.FILLED, "5", price="190", broker_id="b1")
    journal.close_cycle(end("2026-11-20T14:30:05Z")._replace(unexplained={}), [verdict("s")])
    journal.set_kill(WRITER, NOW - timedelta(hours=8), "a try")
    journal.clear_kill(WRITER, NOW - timedelta(hours=7), "tried")


def results(setup: Setup) -> dict[str, tuple[str, str]]:
    return {one.what.removeprefix("soak: "): (one.level, one.found) for one in check_soak(setup, NOW)}


def test_a_good_week(setup: Setup) -> None:
    with Journal.open(setup.journal) as journal:
        good_week(journal)
    take(setup.journal, setup.state / FOLDER, NOW)
    found = results(setup)
    days = ", ".join(f"2026-11-{day}" for day in range(16, 21))
    assert found["days"] == ("ok", f"5 of 5 trading days closed in the last 14 days: {days}")
    assert found["slots"] == ("ok", "0 of 390 slots missed")
    assert found["cycles"] == ("ok", "1 cycle, 0 halted, 0 abandoned")
    nothing = "0 differences at the ends of days, 0 unknown orders, 0 unexplained positions"
    assert found["reconciliation"] == ("ok", nothing)
    assert found["orders"] == ("ok", "1 of 1 order that the broker answered were filled")
    assert found["kill switch"] == ("ok", "set and lifted, last on 2026-11-20")
    assert found["run by hand"] == ("ok", "1 run")
    assert found["backup"][0] == "ok"
    assert {name for name, (level, _) in found.items() if level != "ok"} == {"plans", "speed", "delivery"}


def unknown(journal: Journal) -> None:
    journal.begin_cycle(start("c2", when=20))
    journal.record_intents(WRITER, [intent("o2", "c2", when=21)])
    told(journal, "o2", OrderState.UNKNOWN, when=22)


def halted(journal: Journal) -> None:
    journal.begin_cycle(start("c2", when=20))
    journal.close_cycle(end("c2", when=29)._replace(outcome=CycleOutcome.HALTED_KILL_SWITCH, unexplained={}), [])


def alarmed(journal: Journal) -> None:
    journal.record_event(WRITER, None, NOW, *alert_row("halt", "action", "halt", "look at it"))


@pytest.mark.parametrize(
    ("spoil", "what", "level", "said"),
    [
        (lambda journal: closed(journal, 5, {"missed": 3}), "slots", "warn", "3 of 393 slots missed"),
        (lambda journal: closed(journal, 5, {"done": 1}, ("cash differs",)), "reconciliation", "fail", "1 difference "),
        (unknown, "reconciliation", "fail", "1 unknown order,"),
        (halted, "cycles", "fail", "1 halted"),
        (alarmed, "alerts", "warn", "1 of them for a person"),
    ],
)
def test_what_must_be_seen(setup: Setup, spoil: Callable[[Journal], None], what: str, level: str, said: str) -> None:
    with Journal.open(setup.journal) as journal:
        good_week(journal)
        spoil(journal)
    found = results(setup)
    assert (found[what][0], said in found[what][1]) == (level, True), found[what]


def test_nothing_yet_a_damaged_copy_and_another_mode(setup: Setup) -> None:
    assert results(setup) == {"journal": ("fail", "nothing has been run yet in paper mode")}
    with Journal.open(setup.journal) as journal:
        good_week(journal)
    copy = take(setup.journal, setup.state / FOLDER, NOW).path
    copy.write_bytes(copy.read_bytes().replace(b"a try", b"b try"))
    found = results(setup._replace(mode="simulated"))
    assert (found["backup"][0], found["account"][0]) == ("fail", "warn")


def test_the_command(command: Command) -> None:
    assert command("run-now").code == 0
    said = command("doctor", "--offline", "--soak", "--json")
    found = {row["what"]: row for row in json.loads(said.out)["checks"]}
    assert found["soak: plans"]["found"] == "1 of the newest 1 plan are planned the same again"
    assert found["soak: account"]["level"] == "warn"
    assert found["soak: run by hand"]["level"] == "ok"
