"""Target weights in the inbox: the newest book of a source replaces the one before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.signals.sources import InboxSignals

NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
DAY = timedelta(days=1)


def inbox_at(path: Path) -> SignalInbox:
    return SignalInbox.open(path / "inbox.sqlite")


def read(path: Path, now: datetime = NOW, held: tuple[str, ...] = ()) -> dict[str, Decimal | None]:
    found = InboxSignals(path / "inbox.sqlite", lambda: now, DAY).read(now, held)
    assert len({(s.source, s.symbol) for s in found}) == len(found)
    return {f"{s.source} {s.symbol}": s.target for s in found}


def target(symbol: str, weight: object, **more: object) -> dict[str, object]:
    return {"symbol": symbol, "target": weight, **more}


def test_the_newest_book_of_a_source_replaces(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        first = inbox.receive([target("SPY", "0.6"), target("AGG", 0.4)], source="desk", at=NOW)
        inbox.receive([target("GLD", "0.1")], source="other", at=NOW)
        again = inbox.receive([target("SPY", "0.6"), target("AGG", 0.4)], source="desk", at=NOW)
        assert [(r.problem, r.is_new) for r in first] == [("", True)] * 2
        assert [(r.id, r.is_new) for r in again] == [(r.id, False) for r in first]
        assert read(tmp_path) == {"desk SPY": Decimal("0.6"), "desk AGG": Decimal("0.4"), "other GLD": Decimal("0.1")}
        inbox.receive([target("SPY", "0.5")], source="desk", at=NOW)
        assert read(tmp_path) == {"desk SPY": Decimal("0.5"), "other GLD": Decimal("0.1")}
        inbox.receive([target("SPY", "0.6"), target("AGG", 0.4)], source="desk", at=NOW)
        assert read(tmp_path) == {"desk SPY": Decimal("0.6"), "desk AGG": Decimal("0.4"), "other GLD": Decimal("0.1")}


def test_books_neither_age_nor_leave_with_their_rows(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive([target("SPY", "0.6")], source="desk", at=NOW)
        assert inbox.prune(NOW + DAY, 10, 10) == 1
    assert read(tmp_path, NOW + 300 * DAY) == {"desk SPY": Decimal("0.6")}


def test_a_complete_book_closes_what_it_does_not_mention(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive_book([target("SPY", "0.6")], source="desk", at=NOW, complete=True)
        assert read(tmp_path, held=("SPY", "AAPL")) == {"desk SPY": Decimal("0.6"), "desk AAPL": Decimal(0)}
        inbox.receive([target("AAPL", "0.1")], source="other", at=NOW)
        held = read(tmp_path, held=("SPY", "AAPL"))
        assert held == {"desk SPY": Decimal("0.6"), "other AAPL": Decimal("0.1")}
        inbox.receive_book([], source="desk", at=NOW)
        assert read(tmp_path, held=("SPY",)) == {"other AAPL": Decimal("0.1")}


def test_a_book_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive_book([target("SPY", "0.6")], source="desk", at=NOW)
        with pytest.raises(ValueError, match="percent"):
            inbox.receive_book([target("SPY", "0.5"), target("AGG", 40)], source="desk", at=NOW)
        assert read(tmp_path) == {"desk SPY": Decimal("0.6")}
        assert len(inbox.after(0, 10)) == 1


def test_single_alerts_change_one_symbol(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        for symbol in ("AAPL", "MSFT"):
            inbox.receive([target(symbol, 0)], source="tv", at=NOW, merge=True)
        assert read(tmp_path) == {"tv AAPL": Decimal(0), "tv MSFT": Decimal(0)}
        inbox.receive([{"symbol": "AAPL", "score": 1, "confidence": 1}], source="tv", at=NOW, merge=True)
        assert read(tmp_path) == {"tv AAPL": None, "tv MSFT": Decimal(0)}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (target("SPY", 60), "target: 60 is above 5: percent? (write a fraction: 0.25)"),
        (target("SPY", "x"), "target: 'x' is not a number (write a decimal number)"),
        (
            target("SPY", 1, score=1),
            "score: stands together with a target (a target weight has neither score nor confidence)",
        ),
        (target("", 1), "symbol: "),
    ],
)
def test_what_is_no_target_is_refused(tmp_path: Path, row: dict[str, object], problem: str) -> None:
    with inbox_at(tmp_path) as inbox:
        (receipt,) = inbox.receive([row], source="desk", at=NOW)
        assert receipt.problem.startswith(problem)
    assert read(tmp_path) == {}


def test_a_sum_that_looks_like_percent_is_refused(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        receipts = inbox.receive([target(f"A{i}", 5) for i in range(5)], source="desk", at=NOW)
    assert {r.problem for r in receipts} == {"target: the weights sum to more than 20: percent?"}


def test_an_altered_book_is_an_error(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive([target("SPY", "0.6")], source="desk", at=NOW)
    with closing(sqlite3.connect(tmp_path / "inbox.sqlite")) as raw, raw:
        raw.execute("UPDATE target_books SET targets = replace(targets, '0.6', '0.9')")
    with pytest.raises(BadDocument, match="altered"):
        read(tmp_path)


def test_an_inbox_of_edition_1_is_opened_and_keeps_its_rows(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        inbox.receive([{"symbol": "AAPL", "score": 1, "confidence": 1, "id": "a"}], source="desk", at=NOW)
    with closing(sqlite3.connect(tmp_path / "inbox.sqlite")) as raw, raw:
        raw.executescript("DROP TABLE target_books; DROP TABLE run_requests; PRAGMA user_version = 1")
    with inbox_at(tmp_path) as inbox:
        inbox.receive([target("SPY", "0.6")], source="desk", at=NOW)
    assert read(tmp_path) == {"desk AAPL": None, "desk SPY": Decimal("0.6")}


def test_requests_are_fresh_and_taken_in_order(tmp_path: Path) -> None:
    with inbox_at(tmp_path) as inbox:
        for i, symbol in enumerate(("AAPL", "MSFT")):
            inbox.ask_for_run(symbol, f"s-{i}", NOW + i * timedelta(seconds=1))
        assert [(r.n, r.symbol, r.signal_id) for r in inbox.run_requests(0, NOW)] == [
            (1, "AAPL", "s-0"),
            (2, "MSFT", "s-1"),
        ]
        assert [r.n for r in inbox.run_requests(1, NOW)] == [2]
        assert inbox.run_requests(0, NOW + timedelta(seconds=40)) == ()


def test_a_target_is_the_signal_that_was_sent(tmp_path: Path) -> None:
    row = target("spy", "0.25", id="t-1", source="fund", stop_price="400")
    with inbox_at(tmp_path) as inbox:
        inbox.receive([row], source="desk", at=NOW)
        (book,) = inbox.books()
    expected = Signal.of_target("t-1", "SPY", Decimal("0.25"), "fund", NOW, Decimal(400))
    assert (book.source, book.targets) == ("fund", (expected,))
