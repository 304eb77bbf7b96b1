"""The log of order events in the state file: every transition of an order is written down once, with the order as it
stood then, in the transaction that made it. Streams only read here, so that nothing is sent that did not happen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO, text_of, time_text
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import moment_of
from rebalancer.exchange.order import Order
from rebalancer.exchange.store import Store

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS trade_event ("
    " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL"
    ") STRICT"
)
_SILENT: Final = ("filled", "partially_filled", "held")  # fills are told one by one; Alpaca has no event for held
_PRICE: Final = Decimal("0.000000001")
_ULID_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH: Final = 26
_ULID_MILLIS_MAX: Final = 2**48 - 1


class Event(NamedTuple):
    """One event. `body` is its JSON text, the `data` of a `trade_updates` message."""

    seq: int
    id: str
    at: int
    name: str
    body: str

    @property
    def place(self) -> int:
        """Where it stands in the log."""
        return self.seq


class _Logged(NamedTuple):
    """What the log last said of an order."""

    status: str
    fills: int
    qty: Decimal
    value: Decimal


_UNKNOWN: Final = _Logged("", 0, ZERO, ZERO)


def event_ulid(seed: int, at: int, seq: int) -> str:
    """The id of the `seq`-th event, which happened at `at` (microseconds since 1970): equal histories, equal ids.

    A ULID, so that the alphabetical order of ids is the order of the events: 48 bits of milliseconds, then 40 of the
    number, so that ids of one millisecond rise too, then 40 that look random.
    """
    assert 0 <= seq < 2**40
    noise = int.from_bytes(hashlib.blake2b(f"{seed}|event|{seq}".encode(), digest_size=5).digest(), "big")
    value = (min(at // 1000, _ULID_MILLIS_MAX) << 80) | (seq << 40) | noise
    return "".join(_ULID_ALPHABET[(value >> shift) & 31] for shift in range(5 * (_ULID_LENGTH - 1), -1, -5))


def ulid_place(identity: str) -> tuple[int, int]:
    """The millisecond and the number that an id of `event_ulid` is made of."""
    value = 0
    for letter in identity:
        value = value * 32 + _ULID_ALPHABET.index(letter)
    return value >> 80, value >> 40 & (2**40 - 1)


class EventLog:
    """Writes happen inside the caller's transaction and lock; reads only need the lock."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store, self._seed = store, seed
        store.execute(_TABLE)

    def load(self, orders: Iterable[Order]) -> None:
        """Take up where the state file stands."""
        self._logged = {order.id: _logged(order) for order in orders}
        row = self._store.execute("SELECT seq, at FROM trade_event ORDER BY seq DESC LIMIT 1").fetchone()
        self._seq, self._at = (0, 0) if row is None else (int(row[0]), int(row[1]))

    def note(self, order: Order, held: Decimal) -> bool:
        """Write down what has changed about an order since it was last noted; `held` is the position after it.

        Returns whether it was filled.
        """
        before, after = self._logged.get(order.id, _UNKNOWN), _logged(order)
        if after.fills > before.fills:
            self._fill(order, before, held)
        if after.status != before.status and after.status not in _SILENT:
            self._write(after.status, order, order.wire(), {})
        if order.is_open:
            self._logged[order.id] = after
        else:
            self._logged.pop(order.id, None)
        return after.fills > before.fills

    def _fill(self, order: Order, before: _Logged, held: Decimal) -> None:
        """One execution. Its order object shows the moment right after it, also when the rest was cancelled at once."""
        qty, value = order.filled_qty - before.qty, order.filled_value - before.value
        name, view = "fill", order.wire()
        if order.status != "filled":
            name = "partial_fill"
            if not order.is_open:
                view |= {"status": "partially_filled", "canceled_at": None}
        extra = {
            "execution_id": computed_id(self._seed, "execution", order.id, str(order.fills)),
            "price": text_of((value / qty).quantize(_PRICE)),
            "qty": text_of(qty),
            "position_qty": text_of(held),
        }
        self._write(name, order, view, extra)

    def _write(self, name: str, order: Order, view: dict[str, object], extra: dict[str, str]) -> None:
        self._seq, self._at = self._seq + 1, max(self._at, order.updated_at)
        identity, when = event_ulid(self._seed, self._at, self._seq), time_text(moment_of(order.updated_at))
        body = {
            "event": name, "event_id": identity, "at": time_text(moment_of(self._at)), "timestamp": when, **extra,
            "order": view,
        }  # fmt: skip
        row = (self._seq, identity, self._at, name, json.dumps(body))
        self._store.execute("INSERT INTO trade_event VALUES (?, ?, ?, ?, ?)", row)

    # --- reading -----------------------------------------------------------------------------------------------------

    def last(self) -> int:
        """The number of the newest event, 0 when there is none."""
        return int(self._store.execute("SELECT coalesce(max(seq), 0) FROM trade_event").fetchone()[0])

    def after(self, seq: int, limit: int = 500) -> list[Event]:
        """Events past a number, oldest first."""
        query = "SELECT * FROM trade_event WHERE seq > ? ORDER BY seq LIMIT ?"
        return [Event(*row) for row in self._store.execute(query, (seq, limit))]

    def before_moment(self, at: int) -> int:
        """The number of the last event before a moment."""
        query = "SELECT coalesce(max(seq), 0) FROM trade_event WHERE at < ?"
        return int(self._store.execute(query, (at,)).fetchone()[0])

    def place_of(self, identity: str) -> int:
        """The number of the last event whose id is not greater: an unknown id stands where it would sort."""
        query = "SELECT coalesce(max(seq), 0) FROM trade_event WHERE id <= ?"
        return int(self._store.execute(query, (identity,)).fetchone()[0])


def _logged(order: Order) -> _Logged:
    return _Logged(order.status, order.fills, order.filled_qty, order.filled_value)
