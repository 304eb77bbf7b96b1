"""`status` computes the next slot without the calendar library and without pydantic, and says the same as a session."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.codec import rules_text
from rebalancer.core.rules import Rules
from rebalancer.core.values import utc_of
from rebalancer.market_data.hours_from_table import hours_from_table
from rebalancer.market_data.trading_calendar import published_hours
from rebalancer.report.next_cycle import DEFAULTS, next_cycle
from rebalancer.session.hours import Hours
from tests.cli.conftest import Command
from tests.session.simulated import PUBLISHED, Machine

FRIDAY = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)  # after the close
SCHEDULES = ["every 5m", "drift 0.05", "daily 15:45", "weekly last 15:45", "monthly first 10:00", "monthly last 12:00"]


def stored(**sections: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(rules_text(Rules.model_validate(sections)))
    return found


def test_its_holidays_and_half_days_are_the_published_ones() -> None:
    first, last = date(2018, 1, 1), date(2032, 12, 31)
    assert hours_from_table(first, last) == published_hours(first, last)  # so many years are asked of the library
    assert hours_from_table(date(2033, 1, 1), date(2033, 2, 1)) == ()


def test_its_defaults_are_those_of_the_rules() -> None:
    rules = Rules().model_dump(mode="json")
    found = {key: rules[key.partition(".")[0]][key.partition(".")[2]] for key in DEFAULTS}
    assert {key: json.dumps(value) for key, value in found.items()} == DEFAULTS


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A current folder without a configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        patch.setenv("XDG_CONFIG_HOME", str(Path.cwd()))
        yield


@pytest.mark.usefixtures("nowhere")
@settings(max_examples=80)
@given(st.sampled_from(SCHEDULES), st.integers(1, 390), st.booleans(), st.integers(0, 300 * 24 * 60))
def test_it_says_what_a_session_would_say(text: str, minutes: int, around: bool, later: int) -> None:
    sections = {
        "execution": {"schedule": text, "interval_minutes": minutes},
        "session": {"crypto_around_the_clock": around},
    }
    now = datetime(2026, 2, 20, tzinfo=UTC) + timedelta(minutes=later)
    hours = Hours(
        Machine(now).calendar,
        Rules.model_validate(sections),
        lambda a, b: tuple(h for h in PUBLISHED if a <= h.day <= b),
    )
    assert next_cycle(now, stored(**sections)) == hours.next_slot(now)


def told(command: Command) -> str | None:
    document = json.loads(command("status", "--json").out)
    assert document["next_cycle"] == document["next_at"]
    found: str | None = document["next_cycle"]
    return found


@pytest.fixture
def friday(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's time is after the close of a Friday."""
    from rebalancer.cli import status

    class Frozen(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # as the standard library's
            return FRIDAY.astimezone(tz)

    monkeypatch.setattr(status, "datetime", Frozen)


@pytest.mark.usefixtures("friday")
def test_before_the_first_cycle_the_files_say_it(command: Command, project: Path) -> None:
    file = project / "config" / "execution.yaml"
    shipped = file.read_text()
    assert told(command) == "2026-11-23T14:30:00Z"
    for written, wanted in {
        "schedule: null": "2026-11-23T14:30:00Z",
        "schedule: daily 15:45": "2026-11-23T20:45:00Z",
        'schedule: "weekly last 15:45"': "2026-11-27T17:45:00Z",
        "schedule: monthly first 10:00": "2026-12-01T15:00:00Z",
        "schedule: drift 0.05": "2026-11-23T14:30:00Z",
        "schedule: hourly": None,
    }.items():
        file.write_text(shipped.replace("  schedule: null  ", f"  {written}  "))
        assert told(command) == wanted, written
    for text, wanted in {
        "execution: {mode: paper}\n": "2026-11-23T14:30:00Z",
        "execution: {mode: paper, schedule: daily 10:00}\n": "2026-11-23T15:00:00Z",
        "x-note: {schedule: daily 10:00}\nexecution:\n  # schedule: daily 11:00\n  schedule: daily 12:00\n": (
            "2026-11-23T17:00:00Z"
        ),
        "execution: {schedule: daily 15:45, close_buffer_seconds: 1800}\n": None,
        "session: {crypto_around_the_clock: true}\nexecution: {interval_minutes: 90}\n": "2026-11-20T22:30:00Z",
        "execution: {schedule: daily 10:00": None,
        "execution: {schedule: \udcff}": None,
    }.items():
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert told(command) == wanted, text
    file.unlink()
    assert told(command) == "2026-11-23T14:30:00Z"


@pytest.mark.usefixtures("friday")
def test_a_profile_and_the_environment_win(command: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "config" / "profiles" / "slow.yaml").write_text("execution: {schedule: monthly last 15:45}\n")
    monkeypatch.setenv("REBALANCER_PROFILE", "slow")
    assert told(command) == "2026-11-30T20:45:00Z"
    monkeypatch.setenv("REBALANCER__EXECUTION__SCHEDULE", "daily 15:45")
    assert told(command) == "2026-11-23T20:45:00Z"
    assert "next     Mon 2026-11-23 15:45 ET" in command("status").out


def test_after_a_cycle_its_rules_say_it_until_the_files_change(command: Command, project: Path) -> None:
    file = project / "config" / "execution.yaml"
    shipped = file.read_text()
    file.write_text(shipped.replace("  schedule: null  ", "  schedule: daily 15:45  "))
    assert command("run-now").code in (0, 4)
    played = datetime.fromisoformat(json.loads(command("status", "--json").out)["now"])
    now = max(played, datetime.now(UTC))  # a session sets the played market to this machine's time
    daily = next_cycle(now, stored(execution={"schedule": "daily 15:45"}))

    def both() -> tuple[str | None, bool]:
        code = "import sys; from rebalancer.cli.status import show_status; show_status(as_json=True, colour=False); "
        code += "print('yaml' in sys.modules, 'pydantic' in sys.modules, 'pandas' in sys.modules, file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project)
        heavy = done.stderr.split()
        assert heavy[1:] == ["False", "False"]
        found = json.loads(done.stdout)["next_cycle"]
        return found, heavy[0] == "True"

    def text(at: datetime | None) -> str:
        assert at is not None
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    assert both() == (text(daily), False)
    file.write_text(shipped)
    assert both()[1] is True
    assert told(command) == text(next_cycle(now, stored()))


def test_the_next_cycle_after_a_run_by_hand_is_never_in_the_past(command: Command) -> None:
    assert command("run-now").code in (0, 4)  # the played market stands on a day long gone
    found = json.loads(command("status", "--json").out)
    assert utc_of(found["next_cycle"]) > max(utc_of(found["now"]), datetime.now(UTC) - timedelta(minutes=1))
