"""Whether a state file is whole. A damaged one is refused at start: half an account would look like a real one.

SQLite's own check finds torn and lost pages. What it cannot see is looked at here: documents that are no documents any
more, and balances that are not the sum of their postings. Everything is read once; a file of 100 MB takes 0.3 s.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from rebalancer.exchange.state_file import StateUnreadable
from rebalancer.exchange.store import Store

_HINT: Final = "put back a copy of the file with its -wal and -shm, or move it away to begin with a new account"
_DOCUMENTS: Final = {
    "orders": "body", "activity": "body", "trade_event": "body", "corporate_action": "body", "watchlist": "body",
    "locate": "body",
}  # fmt: skip
_NUMBERS: Final = ("seed", "created_at", "caught_up", "clock")  # settings that every state has
_APART: Final = 1e-6  # how far a sum of floats may be off, per unit and per unit moved
_SUMS: Final = (
    "SELECT account, commodity, sum(CAST(amount AS REAL)), sum(abs(CAST(amount AS REAL))) FROM posting GROUP BY 1, 2"
)


def check_state(store: Store) -> None:
    """Look through a state. Raises StateUnreadable, which says what is wrong with it."""
    try:
        problem = _problem(store)
    except (sqlite3.Error, ValueError, TypeError) as error:
        problem = f"cannot be read: {error}"
    if problem:
        raise damaged(store, problem)


def damaged(store: Store, problem: str) -> StateUnreadable:
    """The refusal of a damaged state."""
    return StateUnreadable(store.where, f"is damaged: {problem}", _HINT)


def _problem(store: Store) -> str:
    """What is wrong, the first thing; nothing when the state is whole."""
    said = str(store.execute("PRAGMA quick_check(1)").fetchone()[0])
    if said != "ok":
        return said.replace("\n", " ")
    tables = {str(row[0]) for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, column in _DOCUMENTS.items():
        if table in tables and (bad := _first_bad(store, table, column)) is not None:
            return f"row {bad} of {table} is no document"
    for name in _NUMBERS:
        if not (store.meta(name) or "").lstrip("-").isdigit():
            return f"its {name} is no number"
    if not store.sessions():
        return "it has no sessions"
    return _ledger_problem(store)


def _first_bad(store: Store, table: str, column: str) -> object:
    query = (
        f"SELECT {'id' if table == 'corporate_action' else 'seq'} FROM {table} WHERE NOT json_valid({column}) LIMIT 1"  # noqa: S608 - the names above
    )
    row = store.execute(query).fetchone()
    return None if row is None else row[0]


def _ledger_problem(store: Store) -> str:
    """Balances must be the sums of their postings, and every position must have a cost."""
    sums = {(str(a), str(c)): (float(total), float(moved)) for a, c, total, moved in store.execute(_SUMS)}
    balances = {key: float(amount) for key, amount in store.balances()}
    for key in sorted({*sums, *balances}):
        total, moved = sums.get(key, (0.0, 0.0))
        if not abs(total - balances.get(key, 0.0)) <= _APART * (1 + moved * _APART):
            return f"the balance of {key[0]} in {key[1]} is not the sum of its postings"
    held = {name.removeprefix("position:") for (name, _), amount in balances.items() if amount and ":" in name}
    based = {symbol for symbol, _, _ in store.bases()}
    return "" if held == based else f"positions and their costs differ: {', '.join(sorted(held ^ based))[:80]}"
