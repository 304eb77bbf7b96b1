"""Short words for the journal's tests: one account, one Friday, small cycles."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.codec import canonical, sha256
from rebalancer.core.decisions import Verdict
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.journal import CycleEnd, CycleStart, Intent, Journal, postgres
from rebalancer.journal.place import Place, PostgresPlace

OPENING = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
RULES = "{}"
WRITER = "alpha"
FORK = multiprocessing.get_context("fork")


def at(seconds: float) -> datetime:
    """So many seconds after the opening."""
    return OPENING + timedelta(seconds=seconds)


def start(cycle_id: str, *, account: str = WRITER, mode: str = "paper", when: float = 0) -> CycleStart:
    return CycleStart(account, cycle_id, mode, at(when), "0.1.0", sha256(RULES))


def intent(order_id: str, cycle_id: str, *, symbol: str = "AAPL", qty: str = "5", when: float = 1) -> Intent:
    body = canonical({"client_order_id": order_id, "symbol": symbol, "qty": qty, "side": "buy"})
    return Intent(order_id, cycle_id, "increase", symbol, "buy", Decimal(qty), sha256(body), body, at(when))


def end(cycle_id: str, *, account: str = WRITER, equity: str | None = "100000", when: float = 9) -> CycleEnd:
    return CycleEnd(
        account_id=account,
        cycle_id=cycle_id,
        at=at(when),
        outcome=CycleOutcome.COMPLETED,
        because="2 of 2 orders filled",
        expected_positions={"AAPL": Decimal("5.25"), "BRK.B": Decimal("-3")},
        unexplained={"MSFT": Decimal(7)},
        orders_after=at(when - 0.5),
        fills_seen={"b-1": Decimal("5.25")},
        equity=None if equity is None else Decimal(equity),
        positions_trusted=True,
    )


def verdict(signal_id: str, outcome: Outcome = Outcome.FILLED) -> Verdict:
    return Verdict(signal_id, "AAPL", outcome, stated("5 shares bought"))


def told(
    journal: Journal,
    order_id: str,
    state: OrderState,
    filled: str = "0",
    *,
    broker_id: str | None = None,
    price: str | None = None,
    account: str = WRITER,
    when: float = 2,
    message: str = "",
) -> None:
    """Tell the journal about an order."""
    average = None if price is None else Decimal(price)
    journal.record_order(account, order_id, at(when), state, Decimal(filled), average, broker_id, "", message)


def steps_of_a_cycle(journal: Journal, cycle_id: str, *, when: float = 0) -> list[Callable[[], object]]:
    """Every write of one whole cycle with two orders, to be called one after the other."""
    first, second = f"{cycle_id}-1", f"{cycle_id}-2"
    return [
        lambda: journal.begin_cycle(start(cycle_id, when=when)),
        lambda: journal.record_plan(WRITER, cycle_id, at(when), f"snapshot {cycle_id}", RULES, f"plan {cycle_id}"),
        lambda: journal.record_intents(
            WRITER, [intent(first, cycle_id, when=when + 1), intent(second, cycle_id, symbol="MSFT", when=when + 1)]
        ),
        lambda: told(journal, first, OrderState.OPEN, broker_id=f"b-{first}", when=when + 2),
        lambda: told(journal, second, OrderState.UNKNOWN, message="timed out", when=when + 2),
        lambda: told(journal, first, OrderState.FILLED, "5", price="190.01", when=when + 3),
        lambda: told(journal, second, OrderState.CANCELED, "2", broker_id=f"b-{second}", price="410", when=when + 4),
        lambda: journal.record_event(WRITER, cycle_id, at(when + 5), "alert", "MSFT", {"text": "partly filled"}),
        lambda: journal.close_cycle(end(cycle_id, when=when + 9), [verdict("s-1"), verdict("s-2")]),
    ]


def run_cycle(journal: Journal, cycle_id: str, *, when: float = 0) -> None:
    for step in steps_of_a_cycle(journal, cycle_id, when=when):
        step()


class Raw:
    """A database without the journal: every statement is committed at once. `?` stands for a value."""

    def __init__(self, connection: Any, mark: str) -> None:
        self.connection, self._mark = connection, mark

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        return self.connection.execute(statement.replace("?", self._mark), values)

    def close(self) -> None:
        self.connection.close()


def plain(place: Place) -> Raw:
    """The database as a user in a shell has it."""
    if not isinstance(place, PostgresPlace):
        return Raw(sqlite3.connect(place, isolation_level=None), "?")
    connection = postgres.connect(place)
    connection.execute(f'SET search_path TO "{place.schema}"')
    return Raw(connection, "%s")


def unguarded(place: Place) -> Raw:
    """The same with its triggers dropped: an attacker or a bad disk."""
    if not isinstance(place, PostgresPlace):
        return Raw(raw(place), "?")
    found = plain(place)
    for table in ("events", "documents", "claims"):
        found.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    return found


def raw(path: Path) -> sqlite3.Connection:
    """The file without the journal, its triggers dropped: an attacker or a bad disk."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    return connection


def in_a_child(work: Callable[[], None]) -> int:
    """Run in a forked process and return its exit code; minus the signal when it was killed."""
    child = FORK.Process(target=work)
    child.start()
    child.join(300)
    assert child.exitcode is not None
    return child.exitcode
