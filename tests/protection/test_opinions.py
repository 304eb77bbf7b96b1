"""What signals say about leaving a position is kept until a later signal says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.execution.exit_orders.opinions import note_opinions, opinions
from rebalancer.journal import Journal
from rebalancer.planning import plan
from rebalancer.planning.protect import Named
from tests.decide.examples import ACCOUNT, NOW, book, rules, signal, snapshot

D = Decimal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        yield journal


def bought(journal: Journal, *signals: object, **facts: object) -> None:
    seen = snapshot("AB", signals=signals, **facts)
    note_opinions(journal, seen, plan(seen, rules()).orders)


def test_the_newest_signal_of_the_direction_counts_until_another_says_otherwise(journal: Journal) -> None:
    old = signal("A", 0.9)._replace(id="old", source="x", stop_price=D(45), issued_at=NOW - timedelta(minutes=9))
    new = signal("A", 0.9)._replace(id="new", source="y", stop_price=D(48), target_price=D(60))
    bought(journal, old, new)
    assert opinions(journal, ACCOUNT.id) == {"A": Named("new", D(48), D(60))}
    bought(journal, new._replace(id="same"))
    assert len(journal.events(kind="opinion")) == 1
    bought(journal, signal("A", 0.9)._replace(id="silent"))
    assert opinions(journal, ACCOUNT.id) == {"A": Named("silent", None, None)}


def test_a_reduction_and_a_signal_that_names_nothing_note_nothing(journal: Journal) -> None:
    bought(journal, signal("A", 0.0)._replace(stop_price=D(45)), signal("B", 0.9), positions=book(A="10"))
    assert opinions(journal, ACCOUNT.id) == {}
