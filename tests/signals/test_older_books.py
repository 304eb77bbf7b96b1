"""Older target weights never replace newer ones, whichever way and in whichever order they arrive."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.core.values import time_text
from rebalancer.signals.receipts.books import OlderBook
from rebalancer.signals.receipts.inbox import SignalInbox
from tests.signals.receipts_kit import Place

NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
HOUR = timedelta(hours=1)


def inbox_at(path: Path) -> SignalInbox:
    return SignalInbox.open(path / "inbox.sqlite")


def row(weight: str, at: datetime | None = None, symbol: str = "SPY", **more: object) -> dict[str, object]:
    return {"symbol": symbol, "target": weight, **({} if at is None else {"issued_at": time_text(at)}), **more}


def weights(inbox: SignalInbox, source: str = "desk") -> dict[str, Decimal | None]:
    return {t.symbol: t.target for book in inbox.books() if book.source == source for t in book.targets}


deliveries = st.lists(st.tuples(st.none() | st.integers(-5, 0), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_books=deliveries)
def test_the_newest_book_is_in_force_whatever_the_order(tmp_path: Path, given_books: list[Any]) -> None:
    """A book without a time is as new as its arrival. `whole`: by `receive_book`, else by `receive`."""
    with inbox_at(tmp_path) as inbox:
        inbox._database._connection.executescript("DELETE FROM target_books; DELETE FROM inbox")
        in_force, expected = NOW - 100 * HOUR, Decimal(0)
        for number, (hours, whole) in enumerate(given_books, start=1):
            arrived, weight = NOW + number * HOUR, Decimal(number) / 100
            dated = None if hours is None else NOW + hours * HOUR
            rows = [row(str(weight), dated)]
            is_older = dated is not None and dated < in_force
            if whole and is_older:
                with pytest.raises(OlderBook):
                    inbox.receive_book(rows, source="desk", at=arrived)
            elif whole:
                inbox.receive_book(rows, source="desk", at=arrived)
            else:
                (receipt,) = inbox.receive(rows, source="desk", at=arrived)
                assert ("older than the weights of desk in force" in receipt.problem) is is_older
            if not is_older:
                in_force, expected = dated or arrived, weight
            assert weights(inbox) == {"SPY": expected}


def test_an_older_delivery_is_refused_in_its_receipts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with inbox_at(tmp_path) as inbox:
        first = inbox.receive([row("0.2", NOW - 2 * HOUR)], source="desk", at=NOW)
        inbox.receive([row("0.3", NOW - HOUR)], source="desk", at=NOW)
        late = inbox.receive(
            [row("0.1", NOW - 3 * HOUR), {"symbol": "KO", "score": 1, "confidence": 1}], source="desk", at=NOW
        )
        problem = (
            "target: as of 2026-11-20T12:35:00Z, older than the weights of desk in force, which are as of "
            "2026-11-20T14:35:00Z (to return to them, send them with a newer time)"
        )
        assert [(r.problem, r.is_new) for r in late] == [(problem, True), ("", True)]
        again = inbox.receive([row("0.2", NOW - 2 * HOUR)], source="desk", at=NOW)  # of the book that was replaced
        assert [(r.id, r.is_new) for r in again] == [(first[0].id, False)]
        assert "2026-11-20T13:35:00Z, older than" in again[0].problem
        assert weights(inbox) == {"SPY": Decimal("0.3")}
    place.plan([])
    place.follow()
    found = {(symbol, issued): outcome for symbol, issued, outcome in place.rows("symbol", "issued_at", "outcome")}
    assert sorted(found.values()) == ["PENDING", "PENDING", "PENDING", "REJECTED_SUPERSEDED"]


def test_the_time_of_a_withdrawn_book_is_remembered(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive_book([], source="desk", at=NOW, as_of=NOW - HOUR)
        with pytest.raises(OlderBook):
            inbox.receive_book([row("0.1")], source="desk", at=NOW, as_of=NOW - 2 * HOUR)
        assert [len(book.targets) for book in inbox.books()] == [0]
        assert len(inbox.after(0, 10)) == 0  # nothing of it was stored
        inbox.receive_book([row("0.1")], source="desk", at=NOW, as_of=NOW - HOUR)
        inbox.receive_book([row("0.2")], source="other", at=NOW, as_of=NOW - 9 * HOUR)  # of another source
        assert (weights(inbox), weights(inbox, "other")) == ({"SPY": Decimal("0.1")}, {"SPY": Decimal("0.2")})


def test_an_older_alert_changes_nothing(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive([row("0.2", NOW - HOUR), row("0.1", NOW - HOUR, "KO")], source="tv", at=NOW, merge=True)
        inbox.receive([row("0.3", NOW - 2 * HOUR)], source="tv", at=NOW, merge=True)
        old = {"symbol": "KO", "score": 1, "confidence": 1, "issued_at": time_text(NOW - 2 * HOUR)}
        inbox.receive([old], source="tv", at=NOW, merge=True)
        assert weights(inbox, "tv") == {"SPY": Decimal("0.2"), "KO": Decimal("0.1")}
        inbox.receive([row("0.4", NOW)], source="tv", at=NOW, merge=True)
        assert weights(inbox, "tv") == {"SPY": Decimal("0.4"), "KO": Decimal("0.1")}
        with pytest.raises(OlderBook):
            inbox.receive_book([row("0.1")], source="tv", at=NOW, as_of=NOW - HOUR)


def test_an_inbox_of_edition_2_is_opened_and_its_books_have_a_time(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive([row("0.2", NOW - HOUR)], source="desk", at=NOW)
    with closing(sqlite3.connect(tmp_path / "inbox.sqlite")) as raw, raw:
        raw.executescript("ALTER TABLE target_books DROP COLUMN as_of; PRAGMA user_version = 2")
    with inbox_at(tmp_path) as inbox:
        assert [book.as_of for book in inbox.books()] == [NOW - HOUR]
        with pytest.raises(OlderBook):
            inbox.receive_book([row("0.1", NOW - 2 * HOUR)], source="desk", at=NOW)
