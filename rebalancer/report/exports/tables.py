"""The columns of every export, and the conversion of records to rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

Value = str | Decimal | float | int | date | datetime | None
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "trips": (
        "symbol", "side", "qty", "entry", "exit", "opened_at", "closed_at", "held_seconds", "cost", "gross", "fees",
        "profit", "roi", "slippage", "source", "sector", "asset_class", "regime", "reason", "exit_cause",
    ),
    "fills": ("id", "order_id", "at", "symbol", "qty", "price", "fee"),
    "orders": (
        "client_order_id", "broker_id", "cycle_id", "phase", "symbol", "side", "qty", "state", "filled_qty",
        "filled_avg_price", "reason", "message", "intended_at", "at",
    ),
    "positions": (
        "symbol", "qty", "qty_available", "avg_entry_price", "price", "value", "weight", "profit", "profit_fraction",
        "asked_at",
    ),
    "cycles": ("cycle_id", "mode", "started_at", "ended_at", "outcome", "because", "orders", "equity"),
    "performance": ("day", "equity", "cash", "flow", "exposure", "daily_return", "growth", "drawdown"),
}  # fmt: skip


class ExportTable(NamedTuple):
    """One export. Every row has one value for each column."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


class ExportDay(NamedTuple):
    """One row of the `performance` export: the account after a day. The last three are None for a day without a return,
    such as the first one, whose previous value is unknown."""

    day: date
    equity: Decimal
    cash: Decimal | None
    flow: Decimal
    exposure: float | None
    daily_return: float | None
    growth: float | None
    drawdown: float | None


def table(name: str, records: Iterable[object]) -> ExportTable:
    """Records as rows, in their order. name: a key of `COLUMNS`; a record has an attribute for each column."""
    columns = COLUMNS[name]
    return ExportTable(name, columns, tuple(tuple(getattr(one, column) for column in columns) for one in records))
