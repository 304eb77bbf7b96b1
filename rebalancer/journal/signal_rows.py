"""The `signals` table: the only part of the journal that users may insert into directly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select

from rebalancer.core.codec import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.core.values import decimal_of, text_of, time_text, utc, utc_of
from rebalancer.journal.chain import stamp
from rebalancer.journal.schema import signals

_OFFSET_MAX = timedelta(days=1)  # no time zone is further from UTC


def add_signals(connection: Connection, new: Sequence[Signal], at: datetime) -> int:
    """Insert signals and return the number of new ones; those already stored unchanged are not counted.

    Raises BadDocument when an id exists with different content, and for a hold or a target weight: the table
    has no column for either.
    """
    added = 0
    for signal in new:
        if signal.hold:
            hint = "leave it out: without a newer signal the position stays as it is"
            raise BadDocument(f"signal {signal.id}", "a hold cannot be kept in the signals table", hint)
        if signal.target is not None:
            hint = "put it into a file in signals/, with the columns symbol and weight"
            raise BadDocument(f"signal {signal.id}", "a target weight cannot be kept in the signals table", hint)
        row = connection.execute(select(signals).where(signals.c.id == signal.id)).mappings().first()
        if row is None:
            connection.execute(signals.insert(), _row_of(signal) | {"inserted_at": stamp(at)})
            added += 1
        elif signal_of(dict(row)) != signal:
            raise BadDocument(f"signal {signal.id}", "already exists with different content", "give it a new id")
    return added


def signals_since(connection: Connection, since: datetime) -> tuple[Signal, ...]:
    """The signals issued at or after a moment, oldest first. Raises BadDocument for a row that cannot be read."""
    # Users write times with their own UTC offsets, so the texts sort only by day; parsed times are compared exactly.
    day = utc(since - _OFFSET_MAX).date().isoformat()
    rows = connection.execute(select(signals).where(signals.c.issued_at >= day)).mappings()
    found = [signal_of(dict(row)) for row in rows]
    return tuple(sorted((s for s in found if s.issued_at >= since), key=lambda s: (s.issued_at, s.id)))


def signal_of(row: dict[str, object]) -> Signal:
    """Read one row. Raises BadDocument naming its id and column."""
    return Signal(
        id=str(row["id"]),
        symbol=str(row["symbol"]),
        score=_number(row, "score"),
        confidence=_number(row, "confidence"),
        source=str(row["source"]),
        issued_at=_time(row),
        stop_price=_price(row, "stop_price"),
        target_price=_price(row, "target_price"),
    )


def _row_of(signal: Signal) -> dict[str, object]:
    prices = {"stop_price": signal.stop_price, "target_price": signal.target_price}
    texts = {name: None if price is None else text_of(price) for name, price in prices.items()}
    row = signal._asdict() | {"issued_at": time_text(signal.issued_at)} | texts
    del row["hold"], row["target"]
    return row


def _number(row: dict[str, object], column: str) -> float:
    value = row[column]
    if isinstance(value, (int, float)):
        return float(value)
    raise BadDocument(f"signals table, id {row['id']}: {column}", f"{value!r} is not a number")


def _price(row: dict[str, object], column: str) -> Decimal | None:
    value = row[column]
    try:
        return None if value is None else decimal_of(str(value))
    except ValueError as error:
        raise BadDocument(f"signals table, id {row['id']}: {column}", str(error)) from None


def _time(row: dict[str, object]) -> datetime:
    try:
        return utc_of(str(row["issued_at"]))
    except ValueError as error:
        raise BadDocument(f"signals table, id {row['id']}: issued_at", str(error)) from None
