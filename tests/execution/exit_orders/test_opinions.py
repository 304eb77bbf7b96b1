"""What signals say about leaving a position is kept until a later signal says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.execution.exit_orders.signal_exits import record_signal_exits, signal_exits
from rebalancer.journal import Journal
from rebalancer.planning import plan
from rebalancer.planning.exit_levels import SignalExits
from tests.planning.examples import ACCOUNT, NOW, book, rules, signal, snapshot

D = Decimal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        yield journal


def bought(journal: Journal, *signals: object, **facts: object) -> None:
    seen = snapshot("AB", signals=signals, **facts)
    record_signal_exits(journal, seen, plan(seen, rules()).orders)


def test_the_newest_signal_of_the_direction_counts_until_another_says_otherwise(journal: Journal) -> None:
    old = signal("A", 0.9)._replace(id="old", source="x", stop_price=D(45), issued_at=NOW - timedelta(minutes=9))
    new = signal("A", 0.9)._replace(id="new", source="y", stop_price=D(48), target_price=D(60))
    bought(journal, old, new)
    assert signal_exits(journal, ACCOUNT.id) == {"A": SignalExits("new", D(48), D(60))}
    bought(journal, new._replace(id="same"))
    assert len(journal.events(kind="opinion")) == 1
    bought(journal, signal("A", 0.9)._replace(id="silent"))
    assert signal_exits(journal, ACCOUNT.id) == {"A": SignalExits("silent", None, None)}


def test_a_reduction_and_a_signal_that_names_nothing_note_nothing(journal: Journal) -> None:
    bought(journal, signal("A", 0.0)._replace(stop_price=D(45)), signal("B", 0.9), positions=book(A="10"))
    assert signal_exits(journal, ACCOUNT.id) == {}
