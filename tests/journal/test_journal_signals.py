from __future__ import annotations

from decimal import Decimal

import pytest
from journal_kit import at, plain

from rebalancer.core.codec import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.journal import Journal
from rebalancer.journal.place import PostgresPlace


def signal(name: str, when: float, **more: object) -> Signal:
    return Signal(name, "AAPL", 0.1 + 0.2, 0.9, "external", at(when))._replace(**more)


def by_hand(journal: Journal, *values: object) -> None:
    """Insert a row as a user would, in a shell."""
    connection = plain(journal.place)
    connection.execute(
        "INSERT INTO signals (id, symbol, score, confidence, source, issued_at, stop_price) "
        f"VALUES ({', '.join('?' * len(values))})",
        values,
    )
    connection.close()


def test_signals_read_back_exactly_and_in_order(journal: Journal) -> None:
    new = [signal("s-2", 20), signal("s-1", 10, stop_price=Decimal("180.05"), target_price=Decimal(250))]
    assert journal.add_signals(new, at(30)) == 2
    assert journal.add_signals([*new, signal("s-3", 20.5)], at(40)) == 1
    assert journal.signals(at(10)) == (new[1], new[0], signal("s-3", 20.5))
    assert journal.signals(at(20)) == (new[0], signal("s-3", 20.5))
    assert journal.signals(at(21)) == ()


def test_one_id_has_one_content(journal: Journal) -> None:
    journal.add_signals([signal("s-1", 1)], at(2))
    with pytest.raises(BadDocument, match="signal s-1: already exists with different content"):
        journal.add_signals([signal("s-0", 1), signal("s-1", 1, score=-0.5)], at(3))
    assert journal.signals(at(0)) == (signal("s-1", 1),)


def test_a_hold_has_no_place_in_the_table(journal: Journal) -> None:
    with pytest.raises(BadDocument, match="signal s-1: a hold cannot be kept"):
        journal.add_signals([signal("s-1", 1, score=0.0, hold=True)], at(2))
    assert journal.signals(at(0)) == ()


def test_users_insert_with_their_own_offsets_and_numbers(journal: Journal) -> None:
    by_hand(journal, "s-1", "AAPL", 1, "0.5", "mine", "2026-11-20T09:30:10-05:00", 180.05)
    by_hand(journal, "s-2", "AAPL", 1, 0.5, "mine", "2026-11-21T04:30:05+14:00", None)
    assert journal.signals(at(10)) == (Signal("s-1", "AAPL", 1.0, 0.5, "mine", at(10), Decimal("180.05")),)
    assert [s.id for s in journal.signals(at(5))] == ["s-2", "s-1"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("score", ("s-1", "AAPL", "high", 0.5, "mine", "2026-11-20T14:30:10Z", None)),
        ("issued_at", ("s-1", "AAPL", 1, 0.5, "mine", "2026-11-20 14:30:10", None)),
        ("stop_price", ("s-1", "AAPL", 1, 0.5, "mine", "2026-11-20T14:30:10Z", "none")),
    ],
)
def test_a_row_that_cannot_be_read_is_named(journal: Journal, column: str, values: tuple[object, ...]) -> None:
    if column == "score" and isinstance(journal.place, PostgresPlace):
        return  # the column takes nothing but numbers there
    by_hand(journal, *values)
    with pytest.raises(BadDocument, match=f"signals table, id s-1: {column}: "):
        journal.signals(at(0))
