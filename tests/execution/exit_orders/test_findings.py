"""Which alerts count as telling of a stretch: those that nothing has taken back before it began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.exchange.calendar import MICROS
from rebalancer.execution.exit_orders.unprotected_time import INTERVAL as KIND
from rebalancer.journal import Journal
from tests.execution.exit_orders.bench import Stretch
from tests.execution.exit_orders.findings import standing_alerts

START = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)


def micros(seconds: float) -> int:
    return int((START + timedelta(seconds=seconds)).timestamp() * MICROS)


@pytest.mark.parametrize(
    ("symbol", "start", "end", "known"),
    [
        ("KO", 20, 90, True),
        ("KO", 0, 9, False),
        ("KO", 0, 10, True),
        ("KO", 51, 120, False),
        ("KO", 50, 120, True),
        ("JPM", 20, 90, False),
        ("XOM", 500, 600, True),
    ],
)
def test_what_a_person_was_told_counts_until_it_is_noted_as_over(
    tmp_path: Path, symbol: str, start: float, end: float, known: bool
) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for seconds, key, state in [(5, "KO", "begun"), (10, "KO", "told"), (50, "KO", "ended"), (60, "XOM", "told")]:
            at = START + timedelta(seconds=seconds)
            journal.record_event("a", None, at, KIND, key, {"state": state, "since": "", "text": ""})
        standing = standing_alerts(journal)
    stretch = Stretch(symbol, micros(start), micros(end), frozenset())
    assert any(one.tells(stretch) for one in standing) == known
