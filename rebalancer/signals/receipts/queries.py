"""What the store of receipts answers: a page of the list, figures by source and reason, and everything about one
receipt. The only SQL that reads receipts for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from sqlite3 import Connection
from typing import Final, NamedTuple

from rebalancer.signals.receipts.final_outcome import EXECUTED, PENDING, is_admitted
from rebalancer.signals.receipts.store import ReceiptStore

_RATE: Final = Decimal("0.0001")
_FIGURES: Final = "source, outcome, count(*), min(received_at), max(received_at), max(decided_at)"


class ReceiptRow(NamedTuple):
    """One receipt. `outcome` is PENDING until a cycle has decided; times are RFC 3339."""

    id: str
    signal_id: str
    symbol: str
    source: str
    kind: str
    received_at: str
    issued_at: str
    content_sha256: str
    content: str
    outcome: str
    because: str
    cycle_id: str | None
    decided_at: str | None


class ReceiptFilter(NamedTuple):
    """Which receipts: all of these conditions that are not None. `since` and `until` are RFC 3339 texts in UTC with
    microseconds; `since` is included, `until` is not."""

    source: str | None = None
    symbol: str | None = None
    outcome: str | None = None
    since: str | None = None
    until: str | None = None


ALL: Final = ReceiptFilter()


class ReceiptPage(NamedTuple):
    """A page of receipts, newest first; `total` counts all pages, `next` is where the next page begins (None: this is
    the last)."""

    rows: tuple[ReceiptRow, ...]
    total: int
    next: str | None


class ReceiptFills(NamedTuple):
    """One receipt with its orders and their fills, as plain values."""

    receipt: ReceiptRow
    orders: tuple[Mapping[str, str | None], ...]
    fills: tuple[Mapping[str, str | None], ...]


class SourceFigures(NamedTuple):
    """How the signals of one source fared: numbers of receipts. `admitted` were considered by planning, `executed` led
    to a fill; `outcomes` counts every outcome; times are RFC 3339."""

    source: str
    received: int
    admitted: int
    executed: int
    outcomes: Mapping[str, int]
    first_received_at: str
    last_received_at: str
    last_executed_at: str | None

    @property
    def execution_rate(self) -> Decimal | None:
        """Executed / received, rounded to four decimals half-even; None without receipts."""
        return (Decimal(self.executed) / self.received).quantize(_RATE) if self.received else None

    @property
    def pending(self) -> int:
        """How many no cycle has decided on."""
        return self.outcomes.get(PENDING, 0)


def page(store: ReceiptStore, wanted: ReceiptFilter, limit: int, after: str | None = None) -> ReceiptPage | None:
    """One page, newest first. after: the id of the last receipt of the page before; None when it is not known."""
    text, values = _condition(wanted)
    with store.database.reading() as connection:
        total = connection.execute(f"SELECT count(*) FROM receipts WHERE {text}", values).fetchone()[0]  # noqa: S608
        if after is not None:
            place = connection.execute("SELECT received_at, n FROM receipts WHERE id = ?", (after,)).fetchone()
            if place is None:
                return None
            text, values = f"{text} AND (received_at, n) < (?, ?)", [*values, *place]
        found = connection.execute(
            f"SELECT {_names()} FROM receipts WHERE {text} ORDER BY received_at DESC, n DESC LIMIT ?",  # noqa: S608
            [*values, limit + 1],
        ).fetchall()
    rows = tuple(_row(row) for row in found[:limit])
    return ReceiptPage(rows, total, rows[-1].id if len(found) > limit and rows else None)


def figures(store: ReceiptStore, wanted: ReceiptFilter = ALL) -> tuple[SourceFigures, ...]:
    """The figures of every source, sorted by name."""
    text, values = _condition(wanted)
    with store.database.reading() as connection:
        asked = f"SELECT {_FIGURES} FROM receipts WHERE {text} GROUP BY source, outcome ORDER BY source, outcome"  # noqa: S608
        found = connection.execute(asked, values).fetchall()
    return tuple(
        _figures_of(name, [row[1:] for row in found if row[0] == name]) for name in dict.fromkeys(r[0] for r in found)
    )


def totals(sources: Sequence[SourceFigures]) -> SourceFigures:
    """The figures of all sources together; zeros and empty times without any."""
    outcomes: dict[str, int] = {}
    for source in sources:
        for outcome, count in source.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    return SourceFigures(
        "",
        sum(s.received for s in sources),
        sum(s.admitted for s in sources),
        sum(s.executed for s in sources),
        dict(sorted(outcomes.items())),
        min((s.first_received_at for s in sources), default=""),
        max((s.last_received_at for s in sources), default=""),
        max((s.last_executed_at for s in sources if s.last_executed_at is not None), default=None),
    )


def find(store: ReceiptStore, name: str) -> ReceiptFills | None:
    """The receipt with this id, or the newest receipt of the signal with this id; None when there is none."""
    with store.database.reading() as connection:
        return _with_fills(connection, name)


def _with_fills(connection: Connection, name: str) -> ReceiptFills | None:
    """From a receipt to its fills, in one query."""
    rows = connection.execute(
        f"""
        WITH wanted AS (
            SELECT * FROM receipts WHERE id = :name OR signal_id = :name
            ORDER BY id = :name DESC, received_at DESC, n DESC LIMIT 1
        )
        SELECT {_names("wanted.")}, {", ".join(f"o.{c}" for c in _ORDER)}, {", ".join(f"f.{c}" for c in _FILL)}
        FROM wanted
        LEFT JOIN receipt_orders ro ON ro.receipt = wanted.n
        LEFT JOIN orders o ON o.client_order_id = ro.client_order_id
        LEFT JOIN fills f ON f.client_order_id = o.client_order_id
        ORDER BY o.intended_at, o.client_order_id, f.seq
        """,  # noqa: S608  names of our own columns
        {"name": name},
    ).fetchall()
    if not rows:
        return None
    width = len(ReceiptRow._fields)
    orders = {row[width]: dict(zip(_ORDER, row[width:], strict=False)) for row in rows if row[width] is not None}
    fills = [dict(zip(_FILL, row[width + len(_ORDER) :], strict=True)) for row in rows]
    return ReceiptFills(_row(rows[0][:width]), tuple(orders.values()), tuple(f for f in fills if f["at"] is not None))


_ORDER: Final = (
    "client_order_id", "cycle_id", "symbol", "phase", "side", "qty", "state", "filled_qty", "filled_avg_price",
    "broker_id", "intended_at", "at",
)  # fmt: skip
_FILL: Final = ("client_order_id", "at", "qty", "price")


def _names(before: str = "") -> str:
    return ", ".join(before + name for name in ReceiptRow._fields)


def _row(row: Sequence[str]) -> ReceiptRow:
    return ReceiptRow._make(row)


def _condition(wanted: ReceiptFilter) -> tuple[str, list[object]]:
    """The condition as SQL with its values, in their order."""
    parts: list[tuple[str, object]] = [
        (f"{name} = ?", getattr(wanted, name))
        for name in ("source", "symbol", "outcome")
        if getattr(wanted, name) is not None
    ]
    parts += [("received_at >= ?", wanted.since)] * (wanted.since is not None)
    parts += [("received_at < ?", wanted.until)] * (wanted.until is not None)
    return " AND ".join(text for text, _ in parts) or "1 = 1", [value for _, value in parts]


def _figures_of(source: str, rows: Sequence[tuple[str, int, str, str, str | None]]) -> SourceFigures:
    outcomes = {outcome: count for outcome, count, *_ in rows}
    executed_at = [decided for outcome, _, _, _, decided in rows if outcome in EXECUTED and decided is not None]
    return SourceFigures(
        source,
        sum(outcomes.values()),
        sum(count for outcome, count in outcomes.items() if is_admitted(outcome)),
        sum(count for outcome, count in outcomes.items() if outcome in EXECUTED),
        outcomes,
        min(first for _, _, first, _, _ in rows),
        max(last for _, _, _, last, _ in rows),
        max(executed_at, default=None),
    )
