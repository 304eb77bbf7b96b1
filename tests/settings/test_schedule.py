"""`execution.schedule`: what it may say, and how every mistake is refused, with file, line, key and what to write."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from rebalancer.core.codec import rules_text, stored_rules
from rebalancer.core.rules import Rules
from rebalancer.core.schedule import FORMS, Schedule
from tests.settings.writing import load, refusal

MINUTE = timedelta(minutes=1)
READ = {
    "null": Schedule(7, buffer=MINUTE),
    "every 15m": Schedule(15, buffer=MINUTE),
    '"every  390m"': Schedule(390, buffer=MINUTE),
    "daily 15:45": Schedule(None, at=time(15, 45), buffer=MINUTE),
    "daily 15:58": Schedule(None, at=time(15, 58), buffer=MINUTE),
    "daily 09:30": Schedule(None, at=time(9, 30), buffer=MINUTE),
    "weekly last 15:45": Schedule(None, "week", "last", time(15, 45), buffer=MINUTE),
    "weekly first 10:00": Schedule(None, "week", "first", time(10), buffer=MINUTE),
    "monthly first 10:00": Schedule(None, "month", "first", time(10), buffer=MINUTE),
    "monthly last 15:45": Schedule(None, "month", "last", time(15, 45), buffer=MINUTE),
    "drift 0.05": Schedule(7, drift=0.05, buffer=MINUTE),
    "drift .001": Schedule(7, drift=0.001, buffer=MINUTE),
}

REFUSED = {
    "hourly": ("'hourly' is not a schedule", f"write one of: {FORMS}"),
    '""': ("'' is not a schedule", f"write one of: {FORMS}"),
    "15:45": ("'15:45' is not a schedule", f"write one of: {FORMS}"),
    "Daily 15:45": ("'Daily 15:45' is not a schedule", f"write one of: {FORMS}"),
    "daily 15:45 16:00": ("'daily 15:45 16:00' is not a schedule", f"write one of: {FORMS}"),
    "every 5": ("every 5 does not end in m", "write it as: every 5m"),
    "every 1h": ("every 1h does not end in m", "write it as: every 60m"),
    "every 0m": ("every 0m: from 1 to 390 minutes", "write it as: every 5m"),
    "every 500m": ("every 500m: from 1 to 390 minutes", "write it as: every 5m; for one cycle a day: daily 15:45"),
    "every soon": ("every soon is not a number of minutes", "write it as: every 5m"),
    "daily 9:45": ("daily 9:45: hours have two digits", "write it as: daily 09:45"),
    "daily 3:45pm": ("daily 3:45pm: not a time", "New York time of 24 hours: daily 15:45"),
    "daily 03:45": (
        "daily 03:45: outside the session, which is 09:30 to 16:00 in New York",
        "from 09:30, and before 16:00; in the afternoon: daily 15:45",
    ),
    "daily 16:00": (
        "daily 16:00: outside the session, which is 09:30 to 16:00 in New York",
        "from 09:30, and before 16:00",
    ),
    "daily 15:59": (
        "daily 15:59: no cycle starts within execution.close_buffer_seconds (60) of the close",
        "write daily 15:58 or earlier",
    ),
    "weekly 15:45": (
        "weekly: needs first or last, and a time",
        "its last trading day: weekly last 15:45; its first: weekly first 15:45",
    ),
    "weekly friday 14:00": (
        "weekly: 'friday' is neither first nor last",
        "its last trading day: weekly last 14:00; its first: weekly first 14:00",
    ),
    "monthly": (
        "monthly: needs first or last, and a time",
        "its last trading day: monthly last 15:45; its first: monthly first 15:45",
    ),
    "monthly last 25:00": (
        "monthly last 25:00: not a time",
        "New York time of 24 hours: monthly last 15:45",
    ),
    "drift 5%": ("drift 5% is in percent", "write the fraction: drift 0.05"),
    "drift 2": ("drift 2 must be below 1", "a fraction of capital: 5 % is 0.05; 2 % is 0.02"),
    "drift 0,05": ("drift 0,05 has a comma", "write decimals with a point: drift 0.05"),
    "drift 0": ("drift 0 must be above 0", "to trade in every slot leave the schedule out, or: every 5m"),
    "drift nan": ("drift nan is not a fraction", "a fraction of capital, such as: drift 0.05"),
    "drift -0.1": ("drift -0.1 is not a fraction", "a fraction of capital, such as: drift 0.05"),
}


@pytest.mark.parametrize("text", READ)
def test_what_a_schedule_may_say(text: str, tmp_path: Path) -> None:
    rules = load(tmp_path, f"execution:\n  interval_minutes: 7\n  schedule: {text}\n").rules
    assert rules.execution.timing == READ[text]
    assert stored_rules(rules_text(rules))["execution"]["schedule"] == (None if text == "null" else text.strip('"'))


@pytest.mark.parametrize("text", REFUSED)
def test_a_bad_schedule_is_refused_with_its_place_and_what_to_write(text: str, tmp_path: Path) -> None:
    problem, hint = REFUSED[text]
    wanted = f"c.yaml:3: execution.schedule: {problem}\n  hint: {hint}"
    assert refusal(tmp_path, f"execution:\n  mode: paper\n  schedule: {text}\n") == wanted


def test_it_is_told_beside_other_mistakes_and_from_the_environment(tmp_path: Path) -> None:
    said = refusal(tmp_path, "execution: {interval_minutes: soon, schedule: daily}")
    assert "c.yaml:1: execution.schedule: 'daily' is not a schedule" in said
    said = refusal(tmp_path, "execution: {mode: paper}", {"REBALANCER__EXECUTION__SCHEDULE": "daily 8:00"})
    assert said.startswith("REBALANCER__EXECUTION__SCHEDULE: execution.schedule: daily 8:00: hours have two digits")


def test_the_buffer_before_the_close_may_be_another(tmp_path: Path) -> None:
    body = "execution: {{close_buffer_seconds: {}, schedule: daily 15:45}}"
    assert load(tmp_path, body.format(899)).rules.execution.timing.at == time(15, 45)
    assert "write daily 15:44 or earlier" in refusal(tmp_path, body.format(900))


def test_flat_by_the_close_needs_cycles_until_the_close(tmp_path: Path) -> None:
    body = "execution: {{schedule: {}}}\nrisk_management:\n  flat_by_minutes_before_close: 15\n"
    assert refusal(tmp_path, body.format("daily 15:30")) == (
        "c.yaml:3: risk_management.flat_by_minutes_before_close: with execution.schedule daily 15:30 no cycle comes "
        "before the close to close positions\n  hint: leave it out, or set execution.schedule: every 5m"
    )
    assert load(tmp_path, body.format("drift 0.05")).rules.execution.timing.drift == 0.05


def test_rules_without_a_schedule_are_stored_as_before() -> None:
    assert "schedule" not in rules_text(Rules())
