"""GET /v2/orders as text: closed orders never change, so that the text of one is made once and found again."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final, NamedTuple

from rebalancer.exchange.order import order_from
from rebalancer.exchange.state import State

_TEXTS_KEPT: Final = 2000  # about 5 MB


class OrderFilter(NamedTuple):
    """Which orders are listed. `after`, `until` (times), `beyond` and `before` (numbers) are exclusive; no symbols are
    all symbols; `nested` leaves legs out, which stand inside their parents."""

    is_open: bool | None
    after: int | None
    until: int | None
    symbols: frozenset[str]
    side: str | None
    ascending: bool
    limit: int
    beyond: int | None
    before: int | None
    nested: bool


class _Row(NamedTuple):
    is_open: bool
    body: str


def rows_of(state: State, wanted: OrderFilter) -> list[dict[str, object]]:
    """Alpaca's Order objects of this moment, by submission time."""
    return [state.shown(order_from(row.body), nested=wanted.nested) for row in _rows(state, wanted)]


def text_of_rows(state: State, wanted: OrderFilter) -> str:
    """The same as JSON."""
    return f"[{','.join(_text(state, row, nested=wanted.nested) for row in _rows(state, wanted))}]"


def json_text(content: object) -> str:
    """JSON as the server sends it."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _text(state: State, row: _Row, *, nested: bool) -> str:
    if not row.is_open:
        text, has_legs = _closed(row.body)
        if not (nested and has_legs):
            return text
    return json_text(state.shown(order_from(row.body), nested=nested))


@lru_cache(_TEXTS_KEPT)
def _closed(body: str) -> tuple[str, bool]:
    """The text of a closed order without its legs, and whether it can have any."""
    order = order_from(body)
    return json_text(order.wire()), bool(order.order_class) and order.parent is None


def _rows(state: State, wanted: OrderFilter) -> list[_Row]:
    where, values = ["1"], list[object]()
    for clause, value in (
        ("submitted_at > ?", wanted.after), ("submitted_at < ?", wanted.until), ("side = ?", wanted.side),
        ("seq > ?", wanted.beyond), ("seq < ?", wanted.before),
    ):  # fmt: skip
        if value is not None:
            where.append(clause)
            values.append(value)
    if wanted.is_open is not None:
        where.append(f"is_open = {int(wanted.is_open)}")
    if wanted.nested:
        where.append("parent IS NULL")
    if wanted.symbols:
        where.append(f"symbol IN ({', '.join('?' * len(wanted.symbols))})")
        values += sorted(wanted.symbols)
    way = "ASC" if wanted.ascending else "DESC"
    table = "orders INDEXED BY orders_open" if wanted.is_open else "orders"  # few are open, however many there were
    query = (
        f"SELECT is_open, body FROM {table} WHERE {' AND '.join(where)} ORDER BY submitted_at {way}, seq {way} LIMIT ?"  # noqa: S608 - clauses are the constants above
    )
    return [_Row(bool(row[0]), row[1]) for row in state.store.execute(query, (*values, wanted.limit))]
