"""Real sessions on the embedded exchange by a schedule: days without a slot have a monitor, books and a report all the
same, and a book within its drift is HOLDING, with its reason, also when it is planned again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import Journal
from tests.cli.conftest import Command, command, project  # noqa: F401 - fixtures


def play(command: Command, day: str) -> None:  # noqa: F811
    done = command("session", "--speed", "100000", "--day", day)
    assert (done.code, done.out) == (0, "")


def test_a_week_with_one_slot(
    command: Command,  # noqa: F811
    project: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REBALANCER__EXECUTION__SCHEDULE", "weekly last 15:45")
    monkeypatch.setenv("REBALANCER__PROTECTION__POLL_SECONDS", "600")
    days = ["2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27"]
    for day in days:
        play(command, day)
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        cycles = journal.cycles(None, 100)
        account = cycles[0].account_id
        slots = [c.cycle_id for c in reversed(cycles) if c.cycle_id.endswith(":45Z")]
        exits = [c.cycle_id for c in cycles if c.cycle_id.startswith("exit-")]
        closed = [event.key for event in journal.recall(account, "day_closed")]
        ends = {event.key: event.body["slots"] for event in journal.recall(account, "end_of_day")}
    assert slots == ["2026-11-20T20:45Z", "2026-11-27T17:45Z"]
    assert {name[5:15] for name in exits} <= set(days)
    assert closed == days[1:]  # on the first day nothing had been traded yet
    assert list(ends) == days
    assert [sum(ends[day].values()) for day in days] == [0, 1, 0, 0, 0, 1]
    pages = sorted(path.name for path in (project / "reports" / "2026").glob("*_day.html"))
    assert pages == [f"{day}_simulated_day.html" for day in days]
    replayed = command("replay", "--all")
    assert (replayed.code, replayed.out) == (0, "")
    assert json.loads(command("status", "--json").out)["next_cycle"] == "2026-12-04T20:45:00Z"


def test_a_day_within_the_drift(
    command: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key, value in {
        "EXECUTION__SCHEDULE": "drift 0.02",
        "EXECUTION__INTERVAL_MINUTES": "60",
        "EXECUTION__MAX_ORDERS_PER_EXECUTION": "3",
        "PROTECTION__MODE": "off",
    }.items():
        monkeypatch.setenv(f"REBALANCER__{key}", value)
    play(command, "2026-11-23")
    waits = "no name is more than 2.00 pp off its target (execution.schedule)"
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        cycles = [c for c in reversed(journal.cycles(None, 100)) if c.started_at.date() == date(2026, 11, 23)]
        assert len(cycles) == 7
        waited = [c for c in cycles if c.because.startswith(waits)]
        traded = [c for c in cycles if c.outcome is CycleOutcome.COMPLETED]
        assert traded
        assert waited
        assert all("of execution.schedule" in c.because for c in traded)
        assert {(c.outcome, c.orders) for c in waited} == {(CycleOutcome.HOLDING, 0)}
        verdicts = journal.verdicts(waited[0].cycle_id)
        held = [str(v.because) for v in verdicts if "nothing is traded while no name" in str(v.because)]
        assert held
    replayed = command("replay", "--all")
    assert (replayed.code, replayed.out, replayed.err) == (0, "", "")
    monkeypatch.setenv("REBALANCER__EXECUTION__SCHEDULE", "every 5m")
    assert (command("replay", "--all").out, date(2026, 11, 23).weekday()) == ("", 0)
