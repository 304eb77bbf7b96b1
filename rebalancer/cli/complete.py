"""Completions for the Tab key: symbols that were ever ordered, and the newest cycles. Read from the local journals
alone; when they cannot be read, nothing is offered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rebalancer.core.errors import ExternalError
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.ops.paths import JOURNAL_NAME, state_directory

SYMBOLS: Final = (
    "SELECT DISTINCT json_extract(body, '$.symbol') AS said FROM events WHERE kind = 'order_intended' ORDER BY said"
)
CYCLES: Final = "SELECT cycle_id FROM events WHERE kind = 'cycle_planned' ORDER BY seq DESC LIMIT 50"


def symbols(incomplete: str) -> list[str]:
    """The symbols that begin with the typed text."""
    return [name for name in _answers(SYMBOLS) if name.startswith(incomplete.upper())]


def cycles(incomplete: str) -> list[str]:
    """The newest cycles that begin with the typed text, newest first."""
    return [name for name in _answers(CYCLES) if name.startswith(incomplete.upper())]


def periods(incomplete: str) -> list[str]:
    """The periods of a report."""
    return [name for name in ("day", "week", "month", "year", "all") if name.startswith(incomplete)]


def _answers(question: str) -> list[str]:
    try:
        journals = sorted(state_directory().glob(f"**/{JOURNAL_NAME}"))
    except ExternalError:
        return []
    return list(dict.fromkeys(said for journal in journals for said in _ask(journal, question)))


def _ask(journal: Path, question: str) -> list[str]:
    try:
        refuse_irregular_journal(journal)
        with closing(sqlite3.connect(f"file:{quote(str(journal))}?mode=ro", uri=True, timeout=0.2)) as connection:
            return [str(row[0]) for row in connection.execute(question) if row[0]]
    except (sqlite3.Error, ExternalError):
        return []
