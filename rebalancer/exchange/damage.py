"""Whether a state file is whole. A damaged one is refused at start: half an account would look like a real one.

SQLite's own check finds torn and lost pages. What it cannot see is looked at here: documents that are no documents any
more, balances that are not the sum of their postings, and costs that are no amounts. Everything is read; 50 000 orders
take 1.7 s. After an orderly end the file's digest shows as much in an eighth of the time (`state_file`). What the
exchange itself trips over when it starts is damage too: `reading`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rebalancer.exchange.state_file import StateUnreadable
from rebalancer.exchange.store import Store

HINT: Final = "put back a copy of the file with its -wal and -shm, or move it away to begin with a new account"
_DOCUMENTS: Final = ("orders", "activity", "trade_event", "corporate_action", "watchlist", "locate")
_NUMBERS: Final = ("seed", "created_at", "caught_up", "clock")  # settings that every state has
_DIGITS_MAX: Final = 17  # of a moment in microseconds since 1970
_NO_TIME: Final = "{0} NOT BETWEEN 0 AND 253402300799999999"  # microseconds, to the year 9999
_NO_DAY: Final = "{0} NOT BETWEEN 1 AND 3652059"  # to the year 9999
_NO_AMOUNT: Final = (
    "coalesce({0}, '') = '' OR {0} GLOB '*[^0-9Ee+.-]*' OR instr(CAST({0} AS BLOB), x'00') > 0"
    " OR abs(CAST({0} AS REAL)) > 1e18"
)
_NO_FIELD: Final = _NO_AMOUNT.replace("{0}", "json_extract(body, '$.{0}')")
_BROKEN: Final[tuple[tuple[str, str, str], ...]] = (  # table, what must not be, in words
    ("orders", "json_extract(body, '$.id') IS NOT id OR json_extract(body, '$.symbol') IS NOT symbol"
     " OR json_extract(body, '$.client_order_id') IS NOT client_order_id"
     " OR json_extract(body, '$.side') IS NOT side", "its document is of another order"),
    ("orders", _NO_TIME.format("submitted_at"), "its time is none"),
    ("event", _NO_TIME.format("at"), "its time is none"),
    ("activity", _NO_TIME.format("at"), "its time is none"),
    ("activity", f"type != 'FILL' AND ({_NO_FIELD.format('net_amount')})",
     "its amount is none"),
    ("activity", f"type = 'FILL' AND ({_NO_FIELD.format('qty')}"
     f" OR {_NO_FIELD.format('price')})", "its quantity or price is none"),
    ("trade_event", _NO_TIME.format("at"), "its time is none"),
    ("halt", f"{_NO_TIME.format('starts')} OR ends < starts", "its time is none"),
    ("day_equity", f"{_NO_DAY.format('day')} OR {_NO_AMOUNT.format('equity')}"
     f" OR {_NO_AMOUNT.format('maintenance_margin')}", "it has no amounts of a day"),
    ("corporate_action", f"{_NO_DAY.format('ex_day')} OR {_NO_DAY.format('pay_day')}", "its day is none"),
)  # fmt: skip
_RAISED: Final = (  # by values that are not what they were
    sqlite3.Error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError,
)  # fmt: skip
_APART: Final = 1e-6  # how far a sum of floats may be off, per unit and per unit moved
_SESSIONS_OFF: Final = (  # sessions lie within one day of UTC; day 1 of the calendar is 719163 days before 1970
    "SELECT day FROM session WHERE opens >= closes OR opens / 86400000000 + 719163 != day"
    " OR closes / 86400000000 + 719163 != day ORDER BY day LIMIT 1"
)
_SUMS: Final = (
    "SELECT account, commodity, sum(CAST(amount AS REAL)), sum(abs(CAST(amount AS REAL))) FROM posting GROUP BY 1, 2"
)


def check_state(store: Store) -> None:
    """Look through a state. Raises StateUnreadable, which says what is wrong with it."""
    with reading(store):
        problem = _problem(store)
    if problem:
        raise damaged(store, problem)


@contextmanager
def reading(store: Store) -> Iterator[None]:
    """Work with what a state holds. Whatever its values raise becomes StateUnreadable; a fresh state has none."""
    try:
        yield
    except StateUnreadable:
        raise
    except _RAISED as error:
        if store.is_new:
            raise
        raise damaged(store, f"cannot be read: {type(error).__name__}: {error}"[:300]) from error


def damaged(store: Store, problem: str) -> StateUnreadable:
    """The refusal of a damaged state."""
    return StateUnreadable(store.where, f"is damaged: {problem}", HINT)


def _problem(store: Store) -> str:
    """What is wrong, the first thing; nothing when the state is whole."""
    said = str(store.execute("PRAGMA quick_check(1)").fetchone()[0])
    if said != "ok":
        return said.replace("\n", " ")
    tables = {str(row[0]) for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    no_document = "CASE WHEN json_valid(body) THEN json_type(body) != 'object' ELSE 1 END"
    for table in _DOCUMENTS:
        if table in tables and (bad := _first_bad(store, table, no_document)) is not None:
            return f"row {bad} of {table} is no document"
    for table, broken, words in _BROKEN:
        if table in tables and (bad := _first_bad(store, table, broken)) is not None:
            return f"row {bad} of {table}: {words}"
    for name in _NUMBERS:
        digits = (store.meta(name) or "").removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX):
            return f"its {name} is no number"
    if not store.sessions():
        return "it has no sessions"
    if (off := store.execute(_SESSIONS_OFF).fetchone()) is not None:
        return f"session {off[0]} is not within its day"
    return _ledger_problem(store)


def _first_bad(store: Store, table: str, condition: str) -> object:
    name = {"corporate_action": "id", "halt": "symbol", "day_equity": "day"}.get(table, "seq")
    row = store.execute(f"SELECT {name} FROM {table} WHERE {condition} LIMIT 1").fetchone()  # noqa: S608 - the texts above
    return None if row is None else row[0]


def _ledger_problem(store: Store) -> str:
    """Balances must be the sums of their postings, and every position must have a cost that is an amount."""
    sums = {(str(a), str(c)): (float(total), float(moved)) for a, c, total, moved in store.execute(_SUMS)}
    balances = {key: float(amount) for key, amount in store.balances()}
    for key in sorted({*sums, *balances}):
        total, moved = sums.get(key, (0.0, 0.0))
        if not abs(total - balances.get(key, 0.0)) <= _APART * (1 + moved * _APART):
            return f"the balance of {key[0]} in {key[1]} is not the sum of its postings"
    held = {name.removeprefix("position:") for (name, _), amount in balances.items() if amount and ":" in name}
    bases = store.bases()
    for symbol, *costs in bases:
        if not all(cost.is_finite() for cost in costs):
            return f"the cost of {symbol} is no amount"
    based = {symbol for symbol, _, _ in bases}
    return "" if held == based else f"positions and their costs differ: {', '.join(sorted(held ^ based))[:80]}"
