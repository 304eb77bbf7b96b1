"""Journals with cycles of a few lines, and the store that follows them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from rebalancer.core.codec import canonical, plain, sha256
from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.core.values import time_text
from rebalancer.journal import CycleEnd, CycleStart, Intent, Journal
from rebalancer.signals.receipts import store
from rebalancer.signals.receipts.following import Follower
from rebalancer.signals.receipts.inbox import NAME, SignalInbox
from rebalancer.signals.receipts.store import ReceiptStore

OPENING = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
LONG_AGO = OPENING - timedelta(days=4000)
ACCOUNT = "alpha"


def at(minutes: float) -> datetime:
    """So many minutes after the opening."""
    return OPENING + timedelta(minutes=minutes)


def signal(name: str, symbol: str = "AAPL", minutes: float = 0, **more: Any) -> Signal:
    return Signal(name, symbol, 0.5, 0.9, "mine", at(minutes))._replace(**more)


class Filling(NamedTuple):
    """An order of a cycle: shares, the state when the cycle ends, and what was filled in each report."""

    symbol: str
    qty: str = "5"
    state: OrderState = OrderState.FILLED
    reports: tuple[tuple[str, str], ...] = (("5", "190"),)


@cache
def empty_journal() -> bytes:
    """A journal without rows: making one takes longer than all else here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        Journal.open(path).close()
        return path.read_bytes()


class Place:
    """A state folder: a journal, and perhaps an inbox and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cycles = 0

    @property
    def journal(self) -> Path:
        return self.folder / "journal.sqlite"

    def plan(self, signals: Sequence[Signal], *, mode: str = "paper", minutes: float | None = None) -> str:
        """Begin a cycle and record what it saw."""
        if not self.journal.exists():
            self.journal.write_bytes(empty_journal())
        self.cycles += 1
        moment = at(5 * self.cycles if minutes is None else minutes)
        cycle_id = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        text = canonical({"as_of": time_text(moment), "signals": [plain(s) for s in signals]})
        with Journal.open(self.journal) as journal:
            journal.begin_cycle(CycleStart(ACCOUNT, cycle_id, mode, moment, "0.1.0", sha256("{}")))
            journal.record_plan(ACCOUNT, cycle_id, moment, text, "{}", json.dumps({"cycle": cycle_id}))
        return cycle_id

    def end(
        self, cycle_id: str, outcomes: Mapping[tuple[str, str], Outcome], orders: Sequence[Filling] = ()
    ) -> tuple[str, ...]:
        """Send orders, and end the cycle with these verdicts by signal id and symbol. Returns the order ids."""
        moment = datetime.fromisoformat(cycle_id)
        names = tuple(f"rb-{cycle_id}-{number}" for number in range(len(orders)))
        with Journal.open(self.journal) as journal:
            for name, order in zip(names, orders, strict=True):
                body = canonical({"client_order_id": name})
                intent = Intent(
                    name, cycle_id, "increase", order.symbol, "buy", Decimal(order.qty), sha256(body), body, moment
                )
                journal.record_intents(ACCOUNT, [intent])
                for filled, price in order.reports:
                    report(journal, name, moment, OrderState.OPEN, filled, price)
                last = order.reports[-1] if order.reports else ("0", None)
                report(journal, name, moment, order.state, *last)
            verdicts = [
                Verdict(i, s, outcome, stated(f"{outcome} in {cycle_id}")) for (i, s), outcome in outcomes.items()
            ]
            carried = [n for n, o in zip(names, orders, strict=True) if not o.state.is_final]
            end = CycleEnd(
                ACCOUNT, cycle_id, moment, CycleOutcome.COMPLETED, "", {}, {}, None, {}, Decimal(100_000),
                positions_trusted=True,
            )  # fmt: skip
            journal.close_cycle(end, verdicts, carried=carried)
        return names

    def cycle(
        self,
        outcomes: Mapping[Signal, Outcome],
        orders: Sequence[Filling] = (),
        *,
        mode: str = "paper",
        minutes: float | None = None,
    ) -> str:
        """A whole cycle."""
        cycle_id = self.plan(list(outcomes), mode=mode, minutes=minutes)
        self.end(cycle_id, {(s.id, s.symbol): outcome for s, outcome in outcomes.items()}, orders)
        return cycle_id

    def receive(self, *rows: Mapping[str, object], minutes: float = 0, key: str | None = None) -> Any:
        with SignalInbox.open(self.folder / NAME) as inbox:
            return inbox.receive(rows, source="web", at=at(minutes), key=key)

    def open(self) -> ReceiptStore:
        return ReceiptStore.open(self.folder / store.NAME, 5)

    def follow(self, stops_after: int = 1_000_000, since: datetime = LONG_AGO) -> bool:
        """Follow journal and inbox, for at most so many transactions. Whether the end was reached."""
        left = [stops_after]

        def is_over() -> bool:
            left[0] -= 1
            return left[0] <= 0

        with ExitStack() as stack:
            receipts = stack.enter_context(self.open())
            journal = stack.enter_context(Journal.open(self.journal))
            path = self.folder / NAME
            inbox = stack.enter_context(SignalInbox.open(path)) if path.exists() else None
            return Follower(receipts, journal, inbox, since).follow(is_over).is_complete

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """Columns of every receipt, sorted."""
        with self.open() as receipts, receipts.database.reading() as connection:
            return sorted(connection.execute(f"SELECT {', '.join(columns)} FROM receipts").fetchall())

    def outcomes(self) -> dict[tuple[str, str], str]:
        """The outcome of every signal; each has one receipt here."""
        found = self.rows("signal_id", "symbol", "outcome")
        assert len({row[:2] for row in found}) == len(found)
        return {(signal_id, symbol): outcome for signal_id, symbol, outcome in found}

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table of the store without row numbers, to compare two stores."""
        asked = {
            "receipts": "SELECT id, signal_id, symbol, source, kind, received_at, issued_at, content_sha256, outcome, "
            "because, cycle_id, decided_at, seen_on FROM receipts",
            "orders": "SELECT * FROM orders",
            "fills": "SELECT * FROM fills",
            "links": "SELECT id, client_order_id FROM receipt_orders JOIN receipts ON n = receipt",
            "cursors": "SELECT * FROM cursors",
        }
        with self.open() as receipts, receipts.database.reading() as connection:
            return {name: sorted(connection.execute(text).fetchall(), key=repr) for name, text in asked.items()}


def report(journal: Journal, name: str, moment: datetime, state: OrderState, filled: str, price: str | None) -> None:
    """What the broker says about an order."""
    average = None if price is None else Decimal(price)
    journal.record_order(ACCOUNT, name, moment, state, Decimal(filled), average, f"b-{name}")
