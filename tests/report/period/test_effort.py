"""Where the time of the cycles went: gathered from the journal, and shown or said to be not recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.journal.records import CycleStart
from rebalancer.rebalance.cycle_stats import KIND
from rebalancer.report.period.document import edition_json
from rebalancer.report.period.page import edition_html, redacted
from rebalancer.report.period.parts.effort import effort
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import PeriodReport
from rebalancer.report.period.run_health import Effort, Requests, StepTime
from tests.report.html_tree import parse
from tests.report.period.sample import edition

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
ACCOUNT = "PA3ABCDEF7Q2"
COUNTS = {"calls": 9, "repeats": 2, "limited": 1, "failed": 0, "lost": 1, "longest_ms": 250}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def begun(journal: Journal, number: int) -> str:
    at = NOON + timedelta(minutes=5 * number)
    name = f"{at:%Y-%m-%dT%H:%MZ}"
    assert journal.begin_cycle(CycleStart(ACCOUNT, name, "paper", at, "1", "0" * 64))
    return name


def note(journal: Journal, key: str, at: datetime, **body: object) -> None:
    whole = {"mode": "paper", "ended": "COMPLETED", "feed": "iex", **body}
    journal.record_event(ACCOUNT, None, at, KIND, key, whole)


def source(journal: Journal) -> Source:
    return Source(journal, ACCOUNT, Rules(), "day", DAY, NOON + timedelta(hours=5))


def test_the_cycles_of_the_day_together(journal: Journal) -> None:
    first, second, _unmeasured = (begun(journal, number) for number in range(3))
    later = NOON + timedelta(minutes=5)
    note(journal, first, NOON, read_seconds=0.4, plan_seconds=0.1, **COUNTS, oldest_quote_seconds=12.5)
    note(
        journal,
        second,
        later,
        read_seconds=0.8,
        plan_seconds=0.0,
        wait_seconds=3,
        **COUNTS | {"calls": 31, "longest_ms": 900, "oldest_quote_seconds": 4},
    )
    note(journal, "failed", NOON + timedelta(minutes=7), ended="BrokerUnavailable", failed_seconds=2.5, feed="sip")
    note(journal, "dry", NOON, mode="dry_run", read_seconds=99)
    note(journal, "yesterday", NOON - timedelta(days=1), read_seconds=99)
    note(journal, "tomorrow", NOON + timedelta(days=1), read_seconds=99)
    asked = source(journal)
    assert effort(asked) == Effort(
        cycles=3,
        unrecorded=1,
        steps=(
            StepTime("read", 2, 0.6, 0.8, later),
            StepTime("plan", 1, 0.1, 0.1, NOON),
            StepTime("wait", 1, 3.0, 3.0, later),
            StepTime("failed", 1, 2.5, 2.5, NOON + timedelta(minutes=7)),
            StepTime("all", 3, 2.5, 3.8, later),
        ),
        requests=Requests(total=40, most=31, repeats=4, limited=2, failed=0, lost=2, longest_ms=900),
        feeds=("iex", "sip"),
        oldest_quote_seconds=12.5,
    )
    assert asked.broken == []


def test_a_row_of_another_shape_costs_itself_alone(journal: Journal) -> None:
    note(journal, "good", NOON, read_seconds=0.4)
    note(journal, "bad", NOON, read_seconds="soon")
    asked = source(journal)
    found = effort(asked)
    assert found is not None
    assert (found.cycles, found.requests, found.oldest_quote_seconds) == (1, None, None)
    assert asked.broken == ["the times of cycle bad: could not convert string to float: 'soon'"]


def test_a_day_from_before_has_none(journal: Journal) -> None:
    begun(journal, 0)
    assert effort(source(journal)) is None


def health(shown: PeriodReport) -> str:
    (section,) = [s for s in parse(edition_html(shown)).all("section") if s.attributes["id"] == "health"]
    return section.text


def test_the_page_says_what_was_not_recorded() -> None:
    whole = edition()
    assert whole.effort is not None
    assert "Where the time of 75 cycles went (2 more not recorded)" in health(whole)
    old = health(whole._replace(effort=None))
    assert "Steps, requests, age of prices" in old
    assert "not recorded" in old
    assert "Where the time" not in old
    bare = health(whole._replace(effort=whole.effort._replace(requests=None, oldest_quote_seconds=None)))
    assert "not recorded" in bare.replace("(2 more not recorded)", "")
    assert "iex; none was used" in bare


def test_the_json_has_it() -> None:
    document = json.loads(edition_json(redacted(edition())))
    assert document["effort"]["requests"] == {
        "total": 1204, "most": 38, "repeats": 5, "limited": 2, "failed": 1, "lost": 3, "longest_ms": 1204,
    }  # fmt: skip
    assert document["effort"]["steps"][0] == {
        "step": "read", "cycles": 75, "median": 0.412, "worst": 1.236, "worst_at": "2026-11-20T14:30:00Z",
    }  # fmt: skip
