"""Shadow books: what other configurations would have done at every live cycle, with the fills of the model.

A book begins with the live account at its first cycle, and from then on lives by itself: its own cash, positions, loss
limits and order counts, planned by the live planner from each stored snapshot with its own rules. It sees the signals,
prices and instruments that the live cycle saw. Deposits and withdrawals are taken over; dividends, interest and exits
between cycles (stops and targets) are not booked. A book of a changed configuration begins anew.

The state of a book is one small file, written whole after every evening; a lost one is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, canonical
from rebalancer.core.facts import Account, Day, Instrument, Position, Quote, Snapshot
from rebalancer.core.input_file import read_json_file
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.planning_keys import planning_hash
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_of, time_text
from rebalancer.ops.files import put_whole
from rebalancer.performance.records import AccountHistory
from rebalancer.planning import plan
from rebalancer.research.market import CostModel
from rebalancer.research.model_fills import decision_prices, model_fills
from rebalancer.research.parity import StoredCycle

SHADOW_SCHEMA: Final = "rebalancer.shadow/1"
FOLDER: Final = "shadow"


class ShadowDay(NamedTuple):
    """The end of a day: equity of the book and of the live account at its last cycle, USD."""

    day: date
    equity: Decimal
    live: Decimal


class ShadowBook(NamedTuple):
    """One other configuration. begun: the first cycle. last: when the newest one that it has planned was observed, ""
    for none. started_with: equity at the begin, of both; flows: deposits less withdrawals since. prices: the last known
    ones of what it holds."""

    name: str
    config: str
    begun: str
    last: str
    cash: Decimal
    positions: Mapping[str, Decimal]
    peak: Decimal
    day_began: Decimal
    started_with: Decimal
    flows: Decimal = ZERO
    orders: int = 0
    cycles: int = 0
    sent: Day = Day()
    days: tuple[ShadowDay, ...] = ()
    prices: Mapping[str, Decimal] = {}

    @property
    def total_return(self) -> float:
        """Profit since the begin over the equity then and what was paid in."""
        return self._return(self.days[-1].equity if self.days else self.started_with)

    @property
    def live_return(self) -> float:
        """The same of the live account."""
        return self._return(self.days[-1].live if self.days else self.started_with)

    def _return(self, equity: Decimal) -> float:
        paid = self.started_with + self.flows
        return float(equity / paid - 1) if paid > ZERO else 0.0

    def row(self) -> dict[str, Any]:
        """As JSON: returns as numbers, USD as text."""
        return {
            "name": self.name,
            "since": self.begun[:10],
            "cycles": self.cycles,
            "orders": self.orders,
            "equity": f"{(self.days[-1].equity if self.days else self.started_with):.2f}",
            "return": self.total_return,
            "live_return": self.live_return,
            "days": len(self.days),
        }


def shadow_of(
    name: str, rules: Rules, cycles: Sequence[StoredCycle], history: AccountHistory, costs: CostModel, state: Path
) -> ShadowBook:
    """Bring a book up to the newest cycle and store it. Raises OSError."""
    config = config_of(rules)
    path = state / FOLDER / f"{name}.json"
    book = read_book(path)
    if book is None or book.config != config:
        book = begin(name, config, cycles[0])
    known: dict[str, tuple[Instrument | None, Quote | None]] = {}
    before: StoredCycle | None = None
    for cycle in cycles:
        if not book.last or cycle.snapshot.as_of > datetime.fromisoformat(book.last):
            flow = ZERO if before is None else _flows(history, before.snapshot, cycle.snapshot)
            book = advanced(book, cycle.snapshot, rules, costs, known, flow)
        _remember(known, cycle.snapshot)
        before = cycle
    path.parent.mkdir(parents=True, exist_ok=True)
    put_whole(path, f"{canonical(_stored(book))}\n".encode())
    return book


def config_of(rules: Rules) -> str:
    """The hash of a configuration."""
    return planning_hash(rules)


def begin(name: str, config: str, cycle: StoredCycle) -> ShadowBook:
    """A book that holds what the live account holds before a cycle."""
    account = cycle.snapshot.account
    held = {position.symbol: position.qty for position in cycle.snapshot.positions}
    return ShadowBook(
        name, config, cycle.record.cycle_id, "", account.cash, held, account.peak_equity, account.last_equity,
        account.equity,
    )  # fmt: skip


def advanced(
    book: ShadowBook,
    seen: Snapshot,
    rules: Rules,
    costs: CostModel,
    known: Mapping[str, tuple[Instrument | None, Quote | None]],
    flow: Decimal = ZERO,
) -> ShadowBook:
    """The book after a cycle: planned from its own account, filled by the model."""
    book = book._replace(cash=book.cash + flow, flows=book.flows + flow, peak=book.peak + flow)
    day = day_in_new_york(seen.as_of)
    if book.days and book.days[-1].day != day:
        book = book._replace(day_began=book.days[-1].equity + flow, sent=Day())
    snapshot = own_snapshot(book, seen, rules, known)
    found = plan(snapshot, rules)
    cash, held = book.cash, dict(book.positions)
    fills = model_fills(snapshot, found, rules, costs)
    by_symbol = dict(book.sent.orders_sent_by_symbol)
    for fill in fills.values():
        cash -= fill.qty * fill.price + fill.fee
        held[fill.symbol] = held.get(fill.symbol, ZERO) + fill.qty
        by_symbol[fill.symbol] = by_symbol.get(fill.symbol, 0) + 1
    prices = decision_prices(snapshot, rules)
    held = {symbol: qty for symbol, qty in sorted(held.items()) if qty}
    worth = {symbol: prices.get(symbol, book.prices.get(symbol, ZERO)) for symbol in held}
    equity = cash + sum((qty * worth[symbol] for symbol, qty in held.items()), ZERO)
    ended = ShadowDay(day, equity, seen.account.equity)
    days = book.days[:-1] if book.days and book.days[-1].day == day else book.days
    return book._replace(
        last=time_text(seen.as_of),
        cash=cash,
        positions=held,
        prices=worth,
        peak=max(book.peak, equity),
        orders=book.orders + len(fills),
        cycles=book.cycles + 1,
        sent=Day(book.sent.orders_sent + len(fills), by_symbol),
        days=(*days, ended),
    )


def own_snapshot(
    book: ShadowBook, seen: Snapshot, rules: Rules, known: Mapping[str, tuple[Instrument | None, Quote | None]]
) -> Snapshot:
    """The live snapshot with the account of the book. A name that only the book holds has its last known quote."""
    there, quoted = {i.symbol for i in seen.instruments}, {q.symbol for q in seen.quotes}
    more = [known.get(symbol, (None, None)) for symbol in book.positions]
    instruments = (*seen.instruments, *(i for i, _ in more if i is not None and i.symbol not in there))
    quotes = (*seen.quotes, *(q for _, q in more if q is not None and q.symbol not in quoted))
    with_quotes = seen._replace(instruments=instruments, quotes=quotes)
    prices = {**book.prices, **decision_prices(with_quotes, rules)}
    worth = {symbol: qty * prices.get(symbol, ZERO) for symbol, qty in book.positions.items()}
    equity, gross = book.cash + sum(worth.values(), ZERO), sum((abs(value) for value in worth.values()), ZERO)
    live = seen.account
    account = Account(
        live.id, equity, book.day_began, max(book.peak, equity), book.cash,
        max(live.multiplier * equity - gross, ZERO), live.multiplier, live.shorting_enabled, live.restrictions,
    )  # fmt: skip
    return with_quotes._replace(
        account=account,
        positions=tuple(
            Position(symbol, qty, qty, prices.get(symbol, ZERO)) for symbol, qty in sorted(book.positions.items())
        ),
        open_orders=(),
        day=book.sent,
        expected_positions=dict(book.positions),
        explanations=(),
        unexplained_before={},
        latched={},
        stopped_out={},
        closed_by_kill=(),
        stop_exits=None,
    )


def _remember(known: dict[str, tuple[Instrument | None, Quote | None]], seen: Snapshot) -> None:
    quotes = {symbol: quote for symbol, (_, quote) in known.items()} | {quote.symbol: quote for quote in seen.quotes}
    for instrument in seen.instruments:
        known[instrument.symbol] = (instrument, quotes.get(instrument.symbol))


def _flows(history: AccountHistory, before: Snapshot, after: Snapshot) -> Decimal:
    return sum((e.amount for e in history.cash if e.kind == "flow" and before.as_of < e.at <= after.as_of), ZERO)


def _stored(book: ShadowBook) -> dict[str, Any]:
    return {"schema": SHADOW_SCHEMA, **book._asdict()}


def read_book(path: Path) -> ShadowBook | None:
    """A stored book; None where there is none that can be read."""
    if not path.exists():
        return None
    try:
        row = read_json_file(path)
        if row.pop("schema") != SHADOW_SCHEMA:
            return None
        money = {name: decimal_of(row[name]) for name in ("cash", "peak", "day_began", "started_with", "flows")}
        days = tuple(ShadowDay(date.fromisoformat(d["day"]), decimal_of(d["equity"]), decimal_of(d["live"]))
                     for d in row["days"])  # fmt: skip
        sent = Day(
            int(row["sent"]["orders_sent"]), {str(k): int(v) for k, v in row["sent"]["orders_sent_by_symbol"].items()}
        )
        held, prices = ({str(s): decimal_of(v) for s, v in row[name].items()} for name in ("positions", "prices"))
        return ShadowBook(**(row | money | {"days": days, "sent": sent, "positions": held, "prices": prices}))
    except (BadDocument, KeyError, TypeError, ValueError, AttributeError):
        return None
