"""Receipts one by one: the inbox, what becomes of each signal, orders that change later, pages, retention."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import SignalsUnavailable
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import OrderState, Outcome
from rebalancer.journal import Journal
from rebalancer.signals import InboxSignals
from rebalancer.signals.receipts import Receipt, queries, receive, retention
from rebalancer.signals.receipts.following import settle
from rebalancer.signals.receipts.inbox import NAME, SignalInbox
from tests.signals.receipts_kit import Filling, Place, at, report, signal

HOUR = timedelta(hours=1)
ROW = {"id": "w-1", "symbol": "AAPL", "score": 0.5, "confidence": 0.9}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def current(place: Place, minutes: float, ahead: float = 0) -> tuple[Signal, ...]:
    """What a cycle reads when the broker's clock is `ahead` minutes ahead of ours."""
    with SignalInbox.open(place.folder / NAME) as inbox:
        return inbox.current(at(minutes + ahead), at(minutes), HOUR)


# --- the inbox


def test_the_same_row_has_the_same_receipt(place: Place) -> None:
    (first,) = place.receive(ROW)
    (again,) = place.receive(ROW, minutes=3)
    assert (first.problem, first.is_new, first.symbol, first.signal_id) == ("", True, "AAPL", "w-1")
    assert again == first._replace(is_new=False)
    assert current(place, 4) == (Signal("w-1", "AAPL", 0.5, 0.9, "web", at(0)),)


def test_an_id_belongs_to_one_signal(place: Place) -> None:
    (first,) = place.receive(ROW)
    other, timed = place.receive(ROW | {"score": -0.5}, ROW | {"issued_at": "2026-11-20T14:00:00Z"}, minutes=1)
    said = "id: 'w-1' stands for another signal (an id belongs to one signal; give it a new one)"
    assert [(r.problem, r.is_new, r.signal_id) for r in (other, timed)] == [(said, True, "w-1")] * 2
    assert len({first.id, other.id, timed.id}) == 3
    assert [s.score for s in current(place, 2)] == [0.5]


def test_a_row_that_is_no_signal_has_a_receipt_too(place: Place) -> None:
    rows = [
        {"symbol": "AAPL", "score": 0.5, "confidence": 85},
        {"symbol": "AAPL", "score": float("nan"), "confidence": 1},
        {"symbol": "АAPL", "score": 0.5, "confidence": 1},  # a Cyrillic letter
        {"symbl": "AAPL", "score": 0.5, "confidence": 1},
        {"symbol": "AAPL", "score": 0.5, "confidence": 1, "issued_at": "2026-11-20T15:30:00Z"},
        {"symbol": "\ud800", "score": 0.5, "confidence": 1},
        {"symbol": ["AAPL"], "id": 7},
    ]
    found = place.receive(*rows, ROW)
    assert [r.problem for r in found] == [
        "confidence: 85 is outside 0 to 1 (from 0 to 1 beside a score: 0.85)",
        "score: nan is not finite (write a finite number)",
        "symbol: 'АAPL' is not a symbol (write it as AAPL, BRK.B or BTC/USD)",
        "symbl: unknown column (did you mean 'symbol'?)",
        "issued_at: is in the future (write when the signal was issued)",
        "symbol: '\\ud800' is not a symbol (write it as AAPL, BRK.B or BTC/USD)",
        "symbol: ['AAPL'] is not a text (put the symbol in quotes: \"ON\")",
        "",
    ]
    assert [r.is_new for r in place.receive(*rows)] == [False] * len(rows)
    assert [s.id for s in current(place, 1)] == ["w-1"]
    place.cycle({signal("s-1"): Outcome.FILLED})
    place.follow()
    with place.open() as receipts:
        stored = {receipt.id: queries.find(receipts, receipt.id).receipt for receipt in found[:-1]}  # type: ignore[union-attr]
    assert [(r.outcome, r.because, r.kind) for r in stored.values()] == [
        ("REJECTED_INVALID", receipt.problem, "refused") for receipt in found[:-1]
    ]


def test_a_key_makes_a_delivery_repeatable(place: Place) -> None:
    row = {"symbol": "AAPL", "action": "BUY", "confidence": 80}
    first = place.receive(row, row, key="alert-1")
    again = place.receive(row, row, minutes=2, key="alert-1")
    assert [r.is_new for r in (*first, *again)] == [True, True, False, False]
    assert [r.id for r in again] == [r.id for r in first]
    (other,) = place.receive(row, minutes=2, key="alert-2")
    without = [*place.receive(row, minutes=3), *place.receive(row, minutes=4)]
    assert len({r.id for r in (*first, other, *without)}) == 5


def test_a_cycle_reads_the_newest_of_each_source_and_symbol(place: Place) -> None:
    early, late = "2026-11-20T14:00:00Z", "2026-11-20T14:29:00Z"
    place.receive(
        ROW | {"id": "a", "issued_at": late},
        ROW | {"id": "b", "issued_at": early},
        ROW | {"id": "c", "issued_at": early, "source": "other"},
        {"id": "d", "symbol": "KO", "action": "HOLD", "issued_at": early},
        ROW | {"id": "e", "symbol": "V", "stop_price": "180.05", "issued_at": "2026-11-20T12:00:00Z"},
        ROW | {"id": "f", "symbol": "XOM", "stop_price": "180.05"},
    )
    assert [(s.id, s.hold, s.stop_price and str(s.stop_price)) for s in current(place, 0)] == [
        ("c", False, None),
        ("a", False, None),
        ("d", True, None),
        ("f", False, "180.05"),
    ]
    assert [s.id for s in current(place, 31)] == ["a", "f"]
    assert current(place, 61) == ()


def test_a_row_without_a_time_is_dated_by_the_brokers_clock(place: Place) -> None:
    place.receive(ROW, ROW | {"id": "w-2", "symbol": "KO", "issued_at": "2026-11-20T14:30:00Z"})
    ahead = 60 * 24 * 10
    assert [(s.id, s.issued_at) for s in current(place, 5, ahead)] == [("w-1", at(ahead))]
    assert [(s.id, s.issued_at) for s in current(place, 5)] == [("w-1", at(0)), ("w-2", at(0))]


def test_a_source_is_a_word(place: Place) -> None:
    with pytest.raises(ValueError, match="'two words' cannot be a source"):
        receive(place.folder / NAME, [ROW], source="two words", at=at(0))
    assert receive(place.folder / NAME, [ROW], source="web", at=at(0))[0].is_new


def test_an_altered_row_is_noticed(place: Place) -> None:
    place.receive(ROW)
    with SignalInbox.open(place.folder / NAME) as inbox, inbox._database.writing() as connection:
        connection.execute("UPDATE inbox SET content = replace(content, '0.5', '0.6')")
    with pytest.raises(BadDocument, match="was altered: its content does not match its hash"):
        current(place, 1)


@pytest.mark.parametrize("harm", ["fifo", "folder", "garbage", "newer"])
def test_an_inbox_that_cannot_be_read_is_an_error_and_not_an_empty_one(place: Place, harm: str) -> None:
    path = place.folder / NAME
    source = InboxSignals(path, lambda: at(1), HOUR)
    assert (source.read(at(1)), source.was_used()) == ((), False)
    if harm == "fifo":
        os.mkfifo(path)
    elif harm == "folder":
        path.mkdir()
    elif harm == "garbage":
        path.write_bytes(b"this is no database" * 1000)
    else:
        place.receive(ROW)
        with SignalInbox.open(path) as inbox, inbox._database.writing() as connection:
            connection.execute("PRAGMA user_version = 9")
    said = {"fifo": "regular file", "folder": "regular file", "garbage": "not a database", "newer": "has edition 9"}
    with pytest.raises(BadDocument, match=said[harm]):
        source.read(at(1))
    with pytest.raises(SignalsUnavailable, match=said[harm]):
        place.receive(ROW)


def test_a_cycle_reads_while_others_hold_the_write_lock(place: Place) -> None:
    place.receive(ROW)
    with SignalInbox.open(place.folder / NAME) as writer, writer._database.writing() as connection:
        connection.execute("DELETE FROM inbox")
        source = InboxSignals(place.folder / NAME, lambda: at(1), HOUR)
        assert [s.id for s in source.read(at(1))] == ["w-1"]
        waiting = SignalInbox.open(place.folder / NAME, wait_seconds=0.05)
        with waiting, pytest.raises(SignalsUnavailable, match="another program keeps it locked"):
            waiting.receive([ROW | {"id": "w-2"}], source="web", at=at(1))
        assert source.was_used()


PRODUCER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from rebalancer.signals.receipts import SignalInbox

folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
moment = datetime(2026, 11, 20, 14, 31, tzinfo=UTC)
with SignalInbox.open(folder / "inbox.sqlite", wait_seconds=60) as inbox:
    for n in range(count):
        own = {"id": f"{name}-{n}", "symbol": "AAPL", "score": 0.5, "confidence": 1}
        both = {"id": f"both-{n}", "symbol": "KO", "score": 0.5, "confidence": 1}
        print(json.dumps([[r.id, r.is_new, r.problem] for r in inbox.receive([own, both], source="web", at=moment)]))
"""


def test_two_processes_insert_while_a_third_follows(place: Place) -> None:
    count = 60
    place.cycle({signal("s-1"): Outcome.FILLED})
    command = [sys.executable, "-c", PRODUCER, str(place.folder)]
    producers = [
        subprocess.Popen([*command, name, str(count)], stdout=subprocess.PIPE, text=True) for name in ("one", "two")
    ]
    while any(producer.poll() is None for producer in producers):
        place.follow()
    said = [json.loads(line) for p in producers for line in p.communicate()[0].splitlines()]
    assert [p.returncode for p in producers] == [0, 0]
    assert len(said) == 2 * count
    place.follow()
    own, both = [row[0] for row in said], [row[1] for row in said]
    assert all(is_new and not problem for _, is_new, problem in own)
    assert sum(is_new for _, is_new, _ in both) == count  # each was new to exactly one of the two
    assert len({name for name, *_ in both}) == count
    kept = [name for (name,) in place.rows("id")]
    assert sorted(kept) == sorted({name for name, *_ in (*own, *both)} | {place_receipt(place)})


def place_receipt(place: Place) -> str:
    """The receipt of the signal that the cycle read."""
    with place.open() as receipts:
        found = queries.find(receipts, "s-1")
        assert found is not None
        return found.receipt.id


# --- what becomes of a signal


def settled(place: Place, now: float) -> int:
    with place.open() as receipts:
        return settle(receipts, at(now), at(now), HOUR, at(now))


def test_every_signal_of_the_inbox_ends(place: Place) -> None:
    place.receive(ROW | {"id": "old", "issued_at": "2026-11-20T14:00:00Z"}, ROW | {"id": "new"})
    place.receive(ROW | {"id": "unread", "symbol": "KO"})
    (read,) = (s for s in current(place, 5) if s.symbol == "AAPL")
    place.cycle({read: Outcome.FILLED}, [Filling("AAPL")])
    place.receive(ROW | {"id": "newer"}, minutes=6)
    place.follow()
    assert place.outcomes() == {
        ("new", "AAPL"): "FILLED", ("newer", "AAPL"): "PENDING", ("old", "AAPL"): "PENDING", ("unread", "KO"): "PENDING"
    }  # fmt: skip
    assert settled(place, 10) == 1
    assert place.outcomes()["old", "AAPL"] == "REJECTED_SUPERSEDED"
    assert (settled(place, 60), settled(place, 60.1), settled(place, 66.1), settled(place, 1000)) == (0, 1, 1, 0)
    assert place.rows("signal_id", "outcome", "because", "cycle_id")[1:] == [
        ("newer", "REJECTED_STALE", "no cycle decided on it within 60 minutes of its issue", None),
        ("old", "REJECTED_SUPERSEDED", "a newer signal of its source replaced it before a cycle read it", None),
        ("unread", "REJECTED_STALE", "no cycle decided on it within 60 minutes of its issue", None),
    ]


def test_an_inserted_signal_and_the_one_that_a_cycle_read_are_one(place: Place) -> None:
    (receipt,) = place.receive(ROW)
    (read,) = current(place, 1, ahead=5000)
    cycle_id = place.cycle({read: Outcome.FILLED}, [Filling("AAPL")])
    place.follow()
    assert place.rows("id", "outcome", "cycle_id", "received_at") == [
        (receipt.id, "FILLED", cycle_id, "2026-11-20T14:30:00.000000Z")
    ]


def test_the_sample_issued_again_in_every_cycle_has_one_receipt(place: Place) -> None:
    place.cycle({signal("sample-1", minutes=1): Outcome.HELD_NEUTRAL})
    place.cycle({signal("sample-1", minutes=6): Outcome.HELD_NEUTRAL})
    place.cycle({signal("sample-1", minutes=11, score=0.6): Outcome.FILLED})  # another content
    place.follow()
    assert [row[0] for row in place.rows("outcome")] == ["FILLED", "HELD_NEUTRAL"]


def test_from_a_receipt_to_its_fills(place: Place) -> None:
    first, second = signal("s-1"), signal("s-2", source="other")
    cycle_id = place.cycle(
        {first: Outcome.PARTLY_FILLED, second: Outcome.REJECTED_STALE, signal("s-3", "KO"): Outcome.FILLED},
        [
            Filling("AAPL", "10", OrderState.CANCELED, (("2", "190"), ("5", "190.3"))),
            Filling("KO", "3", OrderState.FILLED, (("3", "61.5"),)),
        ],
    )
    place.follow()
    with place.open() as receipts:
        found, other = queries.find(receipts, "s-1"), queries.find(receipts, "s-2")
        assert found is not None
        assert queries.find(receipts, found.receipt.id) == found
        assert queries.find(receipts, "s-9") is None
    assert other is not None
    assert (other.orders, other.fills) == ((), ())
    name, moment = f"rb-{cycle_id}-0", "2026-11-20T14:35:00.000000Z"
    assert found.orders == (
        {
            "client_order_id": name, "cycle_id": cycle_id, "symbol": "AAPL", "phase": "increase", "side": "buy",
            "qty": "10", "state": "CANCELED", "filled_qty": "5", "filled_avg_price": "190.3",
            "broker_id": f"b-{name}", "intended_at": moment, "at": moment,
        },
    )  # fmt: skip
    assert found.fills == (
        {"client_order_id": name, "at": moment, "qty": "2", "price": "190"},
        {"client_order_id": name, "at": moment, "qty": "3", "price": "190.5"},
    )


@pytest.mark.parametrize(
    ("state", "filled", "outcome"),
    [
        (OrderState.FILLED, "5", "FILLED"),
        (OrderState.CANCELED, "3", "PARTLY_FILLED"),
        (OrderState.CANCELED, "0", "UNFILLED"),
        (OrderState.REFUSED, "0", "REFUSED_BY_BROKER"),
        (OrderState.NOT_SENT, "0", "NOT_SENT"),
    ],
)
def test_an_order_in_an_unknown_state_gives_its_signal_an_outcome_when_it_ends(
    place: Place, state: OrderState, filled: str, outcome: str
) -> None:
    given = {signal("s-1"): Outcome.UNKNOWN_AT_BROKER}
    cycle_id = place.cycle(given, [Filling("AAPL", state=OrderState.UNKNOWN, reports=())])
    place.follow()
    assert place.outcomes() == {("s-1", "AAPL"): "UNKNOWN_AT_BROKER"}
    place.cycle({signal("s-1"): Outcome.FROZEN_UNKNOWN_ORDER})
    with Journal.open(place.journal) as journal:
        report(journal, f"rb-{cycle_id}-0", at(20), state, filled, None if filled == "0" else "190")
    place.follow()
    assert place.rows("outcome", "because", "cycle_id") == [
        (outcome, f"known since 2026-11-20T14:50:00.000000Z: filled {filled} of 5", cycle_id)
    ]


def test_another_journal_in_the_same_place_is_read_from_its_beginning(place: Place) -> None:
    place.cycle({signal("s-1"): Outcome.FILLED}, [Filling("AAPL")])
    place.cycle({signal("s-2"): Outcome.FILLED}, [Filling("AAPL")])
    place.follow()
    for path in place.folder.glob("journal.sqlite*"):
        path.unlink()
    place.cycles = 0
    place.cycle({signal("s-3"): Outcome.DENIED_CAP})
    place.follow()
    assert place.outcomes() == {("s-1", "AAPL"): "FILLED", ("s-2", "AAPL"): "FILLED", ("s-3", "AAPL"): "DENIED_CAP"}


# --- retention


def test_old_receipts_go_and_those_still_read_stay(place: Place) -> None:
    day = 24 * 60
    keeps = signal("target", "V")
    place.cycle({signal("s-1"): Outcome.FILLED, keeps: Outcome.FILLED}, [Filling("AAPL"), Filling("V")])
    place.cycle({signal("s-2"): Outcome.FILLED, keeps: Outcome.HELD_AT_TARGET}, [Filling("AAPL")], minutes=50 * day)
    place.follow()
    with place.open() as receipts:
        before = retention.forecast(receipts, 90)
        assert (before.receipts, before.days, round(before.per_day, 3)) == (3, 90, 0.033)
        assert before.expected == round(before.per_receipt * before.per_day * 90)
        assert retention.prune(receipts, at(40 * day)) == 1
        assert retention.prune(receipts, at(40 * day)) == 0
        assert queries.find(receipts, "s-1") is None
    assert place.outcomes() == {("s-2", "AAPL"): "FILLED", ("target", "V"): "FILLED"}
    assert [len(rows) for name, rows in place.dump().items() if name != "cursors"] == [2, 2, 2, 2]


def test_what_is_older_than_is_kept_is_passed_over(place: Place) -> None:
    place.cycle({signal("s-1"): Outcome.FILLED}, [Filling("AAPL")])
    place.cycle({signal("s-2"): Outcome.FILLED}, [Filling("AAPL")], minutes=5000)
    place.follow(since=at(1000))
    assert place.outcomes() == {("s-2", "AAPL"): "FILLED"}


def test_the_inbox_is_emptied_of_what_has_its_receipt(place: Place) -> None:
    place.receive(ROW, ROW | {"id": "w-2"}, ROW | {"id": "w-3"})
    with SignalInbox.open(place.folder / NAME) as inbox:
        assert inbox.prune(at(1), 2, 1) == 1
        assert inbox.prune(at(1), 2, 100) == 1
        assert [row.signal_id for row in inbox.after(0, 10)] == ["w-3"]
    (receipt,) = place.receive(ROW | {"id": "w-4"})
    assert isinstance(receipt, Receipt)
    with SignalInbox.open(place.folder / NAME) as inbox:
        assert [row.n for row in inbox.after(0, 10)] == [3, 4]  # numbers are never used again
